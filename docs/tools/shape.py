"""How a docstring becomes Markdown: aligned lines and worked examples keep their shape."""

from __future__ import annotations

import re

_ALIGNED = re.compile(r"\S {2,}\S")
_LAST_BRACE = re.compile(r"\}(?=\s*\|)")


def plain_braces(markdown: str) -> str:
    """Braces at the end of a table's cell are what they are, ``N = {20, 12}``, and no attributes of the cell."""
    lines = markdown.split("\n")
    return "\n".join(_LAST_BRACE.sub("&#125;", line) if line.startswith("|") else line for line in lines)


def shaped(text: str) -> str:
    """A docstring as Markdown: from a line ``class …`` on it is code; paragraphs with aligned columns are text."""
    prose, found, example = text.partition("\nclass ")
    if text.startswith("class "):
        prose, found, example = "", "\nclass ", text.removeprefix("class ")
    paragraphs = [_fenced(p, "text") if _ALIGNED.search(p) else _prose(p) for p in prose.strip("\n").split("\n\n")]
    code = [_fenced(f"class {example}", "python")] if found else []
    return "\n\n".join(paragraphs + code)


def _prose(text: str) -> str:
    """Angle brackets are no tags, except in code, where Markdown knows it by itself."""
    parts = re.split(r"(``.*?``|`[^`]*`)", text, flags=re.S)
    return "".join(part if i % 2 else part.replace("<", "&lt;") for i, part in enumerate(parts))


def _fenced(text: str, language: str) -> str:
    return f"```{language}\n{text.strip(chr(10))}\n```"
