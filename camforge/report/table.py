"""The arms table on the screen."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from camforge.report.standing import columns, in_order
from camforge.report.story import Story


def arms_table(story: Story) -> Table:
    """One row per arm, the best of each column bold, controls dimmed at the end."""
    table = Table(title=Text(story.title), title_justify="left", header_style="bold")
    table.add_column("arm", no_wrap=True)
    parts = columns(story.arms)
    for column in parts:
        table.add_column(Text(column.title), justify="right", no_wrap=True)
    for arm in in_order(story.arms):
        cells = [Text(column.text(arm), "bold" if arm.name in column.best else "") for column in parts]
        table.add_row(Text(arm.name), *cells, style="dim" if arm.control else None)
    return table


def remarks(story: Story) -> list[str]:
    """What a reader of the table must not overlook: the metrics in which a control beats every arm."""
    return [
        f"In {column.metric} no arm reaches {' or '.join(map(repr, column.beaten_by))}, which looks at no image."
        for column in columns(story.arms)
        if column.beaten_by
    ]


def print_arms(story: Story, console: Console | None = None) -> None:
    """The table and its remarks, on the console given or on the screen."""
    console = console or Console()
    console.print(arms_table(story))
    left_out = [f"Skipped {len(story.skipped)}: {'; '.join(story.skipped[:3])}"] if story.skipped else []
    for line in remarks(story) + left_out:
        console.print(Text(line))
