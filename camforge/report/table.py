"""The arms table on the screen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from camforge.report.data import ReportData
from camforge.report.standing import columns, in_order


def arms_table(report_data: ReportData) -> Table:
    """One row per arm, the best of each column bold, controls dimmed at the end."""
    table = Table(title=Text(report_data.title), title_justify="left", header_style="bold")
    add_names(table, "arm", [arm.name for arm in report_data.arms])
    parts = columns(report_data.arms)
    for column in parts:
        add_numbers(table, column.title, [column.text(arm) for arm in report_data.arms])
    for arm in in_order(report_data.arms):
        cells = [Text(column.text(arm), "bold" if arm.name in column.best else "") for column in parts]
        table.add_row(Text(arm.name), *cells, style="dim" if arm.control else None)
    return table


def add_names(table: Table, title: str, names: Sequence[str]) -> None:
    """The first column: long names fold on a narrow screen, and are never cut."""
    table.add_column(title, overflow="fold", min_width=min(16, max(map(len, names), default=0)))


def add_numbers(table: Table, title: str, texts: Sequence[str]) -> None:
    """A column whose heading may fold on a narrow screen; its numbers never do."""
    table.add_column(Text(title), justify="right", overflow="fold", min_width=max(map(len, texts), default=0))


def show(table: Table, console: Console) -> None:
    """Print the table, wider than the console where whole numbers need it: lines that fold can still be read."""
    least = console.measure(table, options=console.options.update(max_width=1000)).minimum
    console.print(table, width=max(console.width, least), crop=False)


def remarks(report_data: ReportData) -> list[str]:
    """What a reader of the table must not overlook: arms that failed, controls that beat every arm."""
    beaten: dict[str, list[str]] = {}
    for column in columns(report_data.arms):
        for control in column.beaten_by:
            beaten.setdefault(control, []).append(column.metric)
    failed = [f"{arm.name!r} failed: {arm.failure}" for arm in report_data.arms if arm.failure]
    failed += [f"No column for {name}: it {reason}." for name, reason in report_data.left_out.items()]
    failed += [f"{note[:1].upper()}{note[1:]}." for note in report_data.notes]
    return failed + [
        f"No arm reaches {name!r}, which looks at no image, in {', '.join(in_)}." for name, in_ in beaten.items()
    ]


def asides(report_data: ReportData) -> list[str]:
    """What a reader of one arm's numbers must not overlook, such as maps that say nothing."""
    return [f"{arm.name!r}: {arm.remark}" for arm in report_data.arms if arm.remark]


def print_arms(report_data: ReportData, console: Console | None = None) -> None:
    """The table and its remarks, on the console given or on the screen."""
    console = console or Console()
    show(arms_table(report_data), console)
    left_out = (
        [f"Skipped {len(report_data.skipped)}: {'; '.join(report_data.skipped[:3])}"] if report_data.skipped else []
    )
    for line in asides(report_data) + remarks(report_data) + left_out:
        console.print(Text(line))
