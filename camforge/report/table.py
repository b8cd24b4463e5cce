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
    """What a reader of the table must know: controls that no arm beats, images that were left out."""
    found = [
        f"No arm beats the control {', '.join(map(repr, column.beaten_by))} in {column.metric}."
        for column in columns(story.arms)
        if column.beaten_by
    ]
    if story.skipped:
        shown = "; ".join(story.skipped[:3]) + ("; …" if len(story.skipped) > 3 else "")
        found.append(f"Skipped {len(story.skipped)} of the images: {shown}")
    return found


def print_arms(story: Story, console: Console | None = None) -> None:
    """The table and its remarks, on the console given or on the screen."""
    console = console or Console()
    console.print(arms_table(story))
    for remark in remarks(story):
        console.print(Text(remark))
