"""The macros of ``notebook.html``."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def _environment() -> Environment:
    loader = PackageLoader("camforge.report")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def rendered(macro: str, **context: object) -> str:
    """A piece of HTML or SVG."""
    return str(getattr(_environment().get_template("notebook.html").module, macro)(**context))
