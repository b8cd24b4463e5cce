"""The page as a parser sees it."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from synthetic_report import CLASSES, HOSTILE_ID

from camforge.report.data import ArmReport, ReportData, TrainingCurve
from camforge.report.page import _breakable, _code, render, trainings, write_page

VOID = {"meta", "link", "img", "input", "br", "hr"}


class Reader(HTMLParser):
    """All elements with their attributes, the text of each place, and whether tags are balanced."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def text(self) -> str:
        return " ".join(data for tag, data in self.texts if tag not in ("script", "style"))


@pytest.fixture
def page(report_data: ReportData) -> str:
    return render(report_data)


def test_every_number_and_name_is_there(page: str) -> None:
    reader = Reader(page)
    assert reader.open == []
    text = reader.text()
    for expected in ("0.438", "0.487", "0.625", "0.701", "0.900", "0.512", "0.363", "Cats & <others>", "about </p>",
                     "one <network>", "<b>both</b>", CLASSES[1], CLASSES[2], "bad<x>.jpg: cut short", "2.99 <&>",
                     "<converged>", "level 2: 1 groups"):  # fmt: skip
        assert expected in text, expected


def test_best_is_marked_once_per_column_and_controls_stand_apart(page: str) -> None:
    best = re.findall(r'<td class="best" data-value="([0-9.]+)"', page)
    assert sorted(best) == ["0.4871", "0.6", "0.6251"]
    controls = re.search(r'<tbody class="controls">(.*?)</tbody>', page, re.DOTALL)
    assert controls
    assert "centred Gaussian" in controls[1]
    assert "plain" not in controls[1]


def test_hostile_names_stay_text(page: str) -> None:
    tags = [tag for tag, _ in Reader(page).elements]
    assert tags.count("b") == 1  # the gallery's own; the arm's name opened none
    assert "img" not in tags
    assert tags.count("script") == 1 + 1 + 4  # the script, the index, four images
    assert not any(key.startswith("on") or key == "style" for _, attrs in Reader(page).elements for key in attrs)
    for tag, attrs in Reader(page).elements:
        if tag == "script" and attrs.get("id") == "image-0":
            assert attrs["type"] == "application/json"
    data = re.search(r'<script type="application/json" id="image-0">(.*?)</script>', page, re.DOTALL)
    assert data
    assert "<" not in data[1]
    assert json.loads(data[1])["id"] == HOSTILE_ID


def test_policy_allows_the_pages_own_script_and_style_and_nothing_else(page: str) -> None:
    policy = next(a["content"] for t, a in Reader(page).elements if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert {"base-uri", "form-action"} <= rules.keys()
    assert "unsafe" not in policy


def test_nothing_is_asked_of_anybody(page: str) -> None:
    assert not re.search(r"(https?:)?//[a-z0-9]", re.sub(r"data:[^\"]*|[A-Za-z0-9+/=]{60,}", "", page))
    for _, attrs in Reader(page).elements:
        for key in ("src", "href"):
            assert attrs.get(key, "data:").startswith(("data:", "#"))


def test_an_account_matrix_is_drawn_in_the_order_of_the_tree(page: str) -> None:
    (figure,) = re.findall(r'<figure class="matrix">(.*?)</figure>', page, re.DOTALL)
    assert "from 0.1 (blue) to 0.7 (red)" in figure
    labels = re.findall(r'<text class="tick" x="[\d.]+" y="[\d.]+" text-anchor="end">(.*?)</text>', figure)
    assert labels[0] == "cat"
    assert labels[1].startswith("a &#34;quoted")


def test_a_story_with_nothing_in_it_is_a_page(report_data: ReportData, tmp_path) -> None:
    bare = ReportData(
        "Bare", ("a", "b"), (replace(report_data.arms[1], metrics={"loss": float("nan")}, curves=(), views=()),)
    )
    path = write_page(tmp_path / "deep" / "report.html", bare)
    reader = Reader(path.read_text())
    assert "Bare" in reader.text()
    assert not any(attrs.get("id") == "gallery" for _, attrs in reader.elements)


def test_arms_that_share_a_training_share_its_card() -> None:
    def arm(name: str, *losses: float) -> ArmReport:
        epochs = tuple({"epoch": 1 + i, "loss": loss} for i, loss in enumerate(losses))
        return ArmReport(name, {}, curves=(TrainingCurve("classes", epochs),))

    cards = trainings([arm("a", 3, 2), arm("b", 3, 1), arm("c", 3, 2), ArmReport("control", {}, control=True)])
    assert [names for names, _ in cards] == [("a", "c"), ("b",)]
    assert [[chart.title for chart in drawn] for _, drawn in cards] == [["loss"], ["loss"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("``a<b>`` of <c>", "<code>a&lt;b&gt;</code> of &lt;c&gt;"),
        ("plain", "plain"),
        ("an odd `` one & more", "an odd `` one &amp; more"),
    ],
)
def test_code_in_prose(text: str, expected: str) -> None:
    assert str(_code(text)) == expected


def test_names_break_after_an_underscore_and_stay_text() -> None:
    assert str(_breakable("a_<b>_c")) == "a_<wbr>&lt;b&gt;_<wbr>c"
