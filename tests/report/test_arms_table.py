"""The arms table on the screen, and who is best."""

import re
from dataclasses import replace

import pytest
from rich.console import Console

from camforge.report.data import ReportData
from camforge.report.standing import columns, duration, in_order
from camforge.report.table import print_arms


def _printed(report_data: ReportData, colour: bool = False, width: int = 160) -> str:
    console = Console(width=width, record=True, force_terminal=colour, file=open("/dev/null", "w"))  # noqa: SIM115
    print_arms(report_data, console)
    return console.export_text(styles=colour)


def test_numbers_best_and_controls(report_data: ReportData) -> None:
    lines = _printed(report_data, colour=True).splitlines()
    rows = [line for line in lines if "│" in line]
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", row) for row in rows]
    assert [row.split("│")[1].strip() for row in plain] == ["plain", "<b>both</b>", "centred Gaussian"]
    assert [cell.strip() for cell in plain[0].split("│")[2:5]] == ["0.438", "0.625", "0.500"]
    assert [cell.strip() for cell in plain[2].split("│")[2:5]] == ["0.250", "–", "0.900"]
    bold = [set(re.findall(r"\x1b\[1m\s*([0-9.]+)", row)) for row in rows]
    assert bold == [{"0.625"}, {"0.487", "0.600"}, set()]
    assert "\x1b[2m" in rows[2]
    assert "\x1b[2m" not in rows[0]


def test_headings_mark_lower_and_remarks_name_the_control(report_data: ReportData) -> None:
    text = _printed(report_data)
    assert "mlev ↓" in text
    assert "miou ↓" not in text
    assert "No arm reaches 'centred Gaussian', which looks at no image, in recall." in text
    assert "Skipped 1: bad<x>.jpg: cut short" in text


def test_numbers_above_one_have_two_digits_and_ties_share_the_best(report_data: ReportData) -> None:
    tied = [replace(arm, metrics={"miou": 36.014}) for arm in report_data.arms]
    (column,) = columns(tied)
    assert column.best == {"plain", "<b>both</b>"}
    assert column.beaten_by == ()
    assert column.text(tied[0]) == "36.01"
    assert [arm.control for arm in in_order(tied)] == [False, False, True]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((42.5, 7.0), ["42.50", "7.00"]),
        ((0.5, 0.25), ["0.500", "0.250"]),
        ((0.00421, 0.0039), ["0.00421", "0.00390"]),  # two digits more than zeros
        ((31.2, 0.00007), ["31.20", "7.00e-05"]),  # never a 0.00 that is none
        ((3e9, 0.0), ["3.00e+09", "0.00"]),
    ],
)
def test_small_and_large_numbers_keep_the_digits_that_count(
    report_data: ReportData, values: tuple[float, float], expected: list[str]
) -> None:
    arms = [replace(arm, metrics={"m": value}) for arm, value in zip(report_data.arms, values, strict=False)]
    (column,) = columns(arms)
    assert [column.text(arm) for arm in arms] == expected


def test_what_is_printed_alike_shares_the_best(report_data: ReportData) -> None:
    own = [arm for arm in report_data.arms if not arm.control]
    (column,) = columns([replace(arm, metrics={"m": 29.5 + i / 1e4}) for i, arm in enumerate(own)])
    assert column.best == {"plain", "<b>both</b>"}


@pytest.mark.parametrize(("seconds", "text"), [(None, "–"), (0.417, "0.42"), (8.34, "8.3"), (125.3, "125")])
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_a_narrow_screen_cuts_no_number_and_no_name(report_data: ReportData) -> None:
    long = replace(
        report_data.arms[1],
        name="an arm whose name is long",
        metrics={f"a_long_metric_{i}": i + 0.125 for i in range(9)},
    )
    text = _printed(replace(report_data, arms=(long,)), width=30)
    assert all(f"{i}.12" in text for i in range(9))
    assert "…" not in text
    assert "".join(re.findall(r"^│([^│]*)│", text, re.MULTILINE)).replace(" ", "") == "anarmwhosenameislong"


def test_a_chosen_threshold_is_no_score(report_data: ReportData) -> None:
    """It stands beside its number: no column, no best, no control that beats an arm in it."""
    chosen = {"best_threshold": "best_miou"}
    arms = [
        replace(arm, metrics={"best_miou": 40.0 - i, "best_threshold": 0.1 + i / 10}, thresholds=chosen)
        for i, arm in enumerate(report_data.arms)
    ]
    (column,) = columns(arms)
    assert column.metric == "best_miou"
    assert column.text(arms[1]) == "39.00 at 0.2"
    text = _printed(replace(report_data, arms=tuple(arms)))
    assert "39.00 at 0.2" in text
    assert "best_threshold" not in text


def test_a_number_without_a_direction_has_no_best(report_data: ReportData) -> None:
    """Neither bold nor a control that no arm reaches."""
    arms = [replace(arm, metrics={"area": 40.0 + i}, undirected={"area"}) for i, arm in enumerate(report_data.arms)]
    (column,) = columns(arms)
    assert column.best == frozenset()
    assert column.beaten_by == ()
    assert "No arm reaches" not in _printed(replace(report_data, arms=tuple(arms)))
