"""A suite's table and page."""

import re
from dataclasses import replace

import pytest
import torch
from rich.console import Console
from synthetic_report import ARMS, CLASSES, synthetic_report

from camforge.maps import resize
from camforge.report.data import ReportData, ViewReport
from camforge.report.page import render
from camforge.report.suite import EXTREMES, SuiteReport, SuiteRow, Sweep, print_suite, render_suite


@pytest.fixture
def suite(report_data: ReportData) -> SuiteReport:
    control, plain, both = report_data.arms
    rows = (
        SuiteRow(control),
        SuiteRow(plain, {"miou": 0.5}, {"miou": 0.0123}, "javascript:alert(1)"),
        SuiteRow(both, recipe='runs/<b>"both"/report.html'),
    )
    sweep = Sweep("miou over <delta>", {"plain": [(0, 0.4), (50, 0.44)], "<b>both</b>": [(0, 0.5), (50, 0.1)]})
    return SuiteReport("Table 4 & more", CLASSES, rows, sweeps=(sweep,), gallery=report_data.gallery)


def test_screen_shows_measured_paper_and_difference(suite: SuiteReport) -> None:
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_suite(suite, console)
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in console.export_text().splitlines() if "│" in line
    ]
    assert rows == [
        ["plain", "0.438 ± 0.012", "0.500", "-0.062", "0.625", "0.500"],
        ["<b>both</b>", "0.487", "–", "–", "0.701", "0.600"],
        ["centred Gaussian", "0.250", "–", "–", "–", "0.900"],
    ]


def test_page_shows_the_same_numbers_and_keeps_links_inside(suite: SuiteReport) -> None:
    page = render_suite(suite)
    table = re.search(r'<section id="table">(.*?)</section>', page, re.DOTALL)[1]
    assert 'data-value="0.4375">0.438 <small>± 0.012</small>' in table
    assert ">0.500</td>" in table
    assert ">-0.062</td>" in table
    assert re.findall(r'href="([^"]*)"', table) == [
        "./javascript%3Aalert%281%29",
        "./runs/%3Cb%3E%22both%22/report.html",
    ]
    assert "miou over &lt;delta&gt;" in page
    assert page.count('<section id="per-class">') == 1
    assert 'id="classes"' not in page


def test_best_and_worst_are_those_of_the_iou(suite: SuiteReport) -> None:
    ious = []
    for image in suite.gallery:
        for label in (0, 1):
            values = resize(image.maps[ARMS[0]][label].double(), (48, 48))
            seed, truth = values >= 0.15 * values.max(), image.mask == label + 1
            counted = image.mask != 255
            ious.append(((seed & truth).sum() / ((seed | truth) & counted).sum()).item())
    ious.sort(reverse=True)
    section = re.search(r"<summary>plain</summary>(.*?)</details>", render_suite(suite), re.DOTALL)[1]
    best, worst = section.split("<h4>worst</h4>")
    for part, expected in ((best, ious[:EXTREMES]), (worst, ious[-EXTREMES:])):
        assert re.findall(r"<b>([0-9.]+)</b>", part) == [f"{value:.3f}" for value in expected]


def test_the_images_shown_make_a_curve_over_the_threshold(suite: SuiteReport) -> None:
    """One map that falls from left to right over one object in the left half: IoU by counting columns."""
    image = suite.gallery[0]
    fall = torch.linspace(1.0, 0.0, 48).expand(48, 48)
    mask = torch.zeros(48, 48, dtype=torch.uint8)
    mask[:, :24] = 1
    one = replace(image, mask=mask, maps={ARMS[0]: {0: fall}})
    page = render_suite(replace(suite, gallery=(one,)))
    figure = page.split("mean mask IoU over the threshold, 1 images</figcaption>")[1].split("</figure>")[0]
    shown = [float(value) for value in re.findall(r"plain, [0-9.]+: ([0-9.e-]+)<", figure)]
    columns = [sum(fall[0, x] >= k / 20 and fall[0, x] > 0 for x in range(48)) for k in range(21)]
    expected = [min(c, 24) / max(c, 24) for c in columns]
    assert shown == pytest.approx([float(e) for e in expected], rel=1e-3)


def test_clusters_of_an_account_are_drawn_as_a_tree(report_data: ReportData) -> None:
    """Pairs of classes are no tree; the clusters that chose them are, and the matrix stands in their order."""
    first, second, third = ((name,) for name in CLASSES)
    pairs = (ViewReport("a pair", (first, second), 1), ViewReport("two", (first, third), 1))
    diagnostics = {
        **report_data.arms[2].diagnostics,
        "clusters": {"one": [CLASSES[2]], "two": [CLASSES[0], CLASSES[1]]},
    }
    page = render(replace(report_data, arms=(replace(report_data.arms[2], views=pairs, diagnostics=diagnostics),)))
    groups = page.split('<section id="groups">')[1].split("</section>")[0]
    assert "clusters: 2 groups" in groups
    assert "2 networks, each for a problem of its own" in groups
    matrix = groups.split('<figure class="matrix">')[1]
    rows = re.findall(r'<text class="tick" x="[\d.]+" y="[\d.]+" text-anchor="end">(.*?)</text>', matrix)
    assert [row[:3] for row in rows] == ["a &", "cat", "&lt"]
    scattered = replace(
        report_data.arms[2], views=pairs, diagnostics={**diagnostics, "clusters": {"one": [CLASSES[2]]}}
    )
    assert "clusters: " not in render(replace(report_data, arms=(scattered,)))


def test_a_suite_without_truth_or_images(suite: SuiteReport) -> None:
    blind = replace(suite, gallery=tuple(replace(image, mask=None) for image in synthetic_report().gallery), sweeps=())
    assert 'id="extremes"' not in render_suite(blind)
    assert 'id="gallery"' not in render_suite(replace(suite, gallery=()))
