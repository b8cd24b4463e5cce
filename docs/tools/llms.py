"""llms.txt: the site for language models, one line for each page (llmstxt.org)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

FRONT = """# CamForge

> Class activation maps as experiments: group classes, train, extract, fuse and measure, every step a plugin. One call,
> `camforge.explain(model, images, targets, extractor)`, makes maps of any PyTorch model; `camforge run FILE` runs an
> experiment, `camforge bench SUITE` a table of them.
"""


def llms(nav: Sequence[Any], docs: Path) -> str:
    """The file's text: a section for each tab of the navigation, its pages with what their first paragraph says."""
    parts = [FRONT]
    for entry in nav:
        ((title, inside),) = entry.items()
        lines = [
            f"- [{name}]({Path(page).with_suffix('.html')}): {_about(docs / page)}"
            for name, page in _pages(title, inside)
        ]
        parts.append(f"## {title}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _pages(title: str, inside: Any) -> Iterator[tuple[str, str]]:
    """(name, file) of each page below an entry of the navigation."""
    if isinstance(inside, str):
        yield title, inside
        return
    for entry in inside:
        if isinstance(entry, str):
            yield title, entry
        else:
            for name, deeper in entry.items():
                yield from _pages(name, deeper)


def _about(page: Path) -> str:
    """The first paragraph of a page, in one line, without its markup."""
    text = re.sub(r"\A---\n.*?\n---\n", "", page.read_text(), flags=re.S)
    text = re.sub(r"^```.*?^```$|<[^>]+>|^!.*$|^\{.*\}$", "", text, flags=re.M | re.S)
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    first = next((p for p in paragraphs if p and not p.startswith(("#", "|", "-", "["))), "")
    return re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", first)[:300]
