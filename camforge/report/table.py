"""The arms table on the screen."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from camforge.report.standing import columns, in_order
from camforge.report.story import Story


def arms_table(story: Story) -> Table:
    """One row per arm, the best of each column bold, controls dimmed at the end."""
    table = Table(title=escape(story.title), title_justify="left", caption_justify="left", header_style="bold")
    table.add_column("arm", no_wrap=True)
    parts = columns(story.arms)
    for column in parts:
        table.add_column(escape(column.title), justify="right", no_wrap=True)
    for arm in in_order(story.arms):
        cells = [(f"[bold]{c.text(arm)}[/]" if arm.name in c.best else c.text(arm)) for c in parts]
        table.add_row(escape(arm.name), *cells, style="dim" if arm.control else None)
    table.caption = escape("\n".join(remarks(story))) or None
    return table


def remarks(story: Story) -> list[str]:
    """What a reader of the table must know: controls that no arm beats, images that were left out."""
    found = [
        f"No arm beats the control {', '.join(map(repr, column.beaten_by))} in {column.metric}."
        for column in columns(story.arms)
        if column.beaten_by
    ]
    if story.skipped:
        found.append(f"{len(story.skipped)} image(s) skipped: {'; '.join(story.skipped[:3])}")
    return found


def print_arms(story: Story, console: Console | None = None) -> None:
    """The table, on the console given or on the screen."""
    (console or Console()).print(arms_table(story))
