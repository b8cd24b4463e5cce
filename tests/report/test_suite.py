"""A suite's table and page."""

import re
from dataclasses import replace

import pytest
from rich.console import Console
from synthetic_story import ARMS, CLASSES, synthetic_story

from camforge.maps import resize
from camforge.report.story import Story
from camforge.report.suite import EXTREMES, SuiteRow, SuiteStory, Sweep, print_suite, render_suite


@pytest.fixture
def suite(story: Story) -> SuiteStory:
    control, plain, both = story.arms
    rows = (
        SuiteRow(control),
        SuiteRow(plain, {"miou": 0.5}, {"miou": 0.0123}, "javascript:alert(1)"),
        SuiteRow(both, recipe='runs/<b>"both"/report.html'),
    )
    sweep = Sweep("miou over <delta>", {"plain": [(0, 0.4), (50, 0.44)], "<b>both</b>": [(0, 0.5), (50, 0.1)]})
    return SuiteStory("Table 4 & more", CLASSES, rows, sweeps=(sweep,), gallery=story.gallery)


def test_screen_shows_measured_paper_and_difference(suite: SuiteStory) -> None:
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


def test_page_shows_the_same_numbers_and_keeps_links_inside(suite: SuiteStory) -> None:
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


def test_best_and_worst_are_those_of_the_iou(suite: SuiteStory) -> None:
    ious = []
    for image in suite.gallery:
        for label in (0, 1):
            values = resize(image.maps[ARMS[0]][label].double(), (48, 48))
            seed, truth = values >= 0.15 * values.max(), image.mask == label + 1
            counted = image.mask != 255
            ious.append(((seed & truth).sum() / ((seed | truth) & counted).sum()).item())
    ious.sort(reverse=True)
    section = re.search(r"<h3>plain</h3>(.*?)<h3>", render_suite(suite), re.DOTALL)[1]
    shown = re.findall(r"<b>([0-9.]+)</b>", section)
    assert shown == [f"{value:.3f}" for value in ious[:EXTREMES] + ious[-EXTREMES:]]


def test_a_suite_without_truth_or_images(suite: SuiteStory) -> None:
    blind = replace(suite, gallery=tuple(replace(image, mask=None) for image in synthetic_story().gallery), sweeps=())
    assert 'id="extremes"' not in render_suite(blind)
    assert 'id="gallery"' not in render_suite(replace(suite, gallery=()))
