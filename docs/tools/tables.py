"""Tables that are made from the code: the command line, the hooks, the plugins and the keys of an experiment file."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import get_origin

import click
import typer
from pydantic import TypeAdapter
from shape import shaped

import camforge.api
import camforge.testing
from camforge.cli import app
from camforge.config.schema import Arm, Experiment, Extraction, Images, Report
from camforge.config.shipped import named
from camforge.host import hookspecs
from camforge.host.describe import Option, example, options_of, type_text
from camforge.host.registry import registry
from camforge.interfaces import KINDS
from camforge.interfaces.base import Options
from camforge.suite.catalogue import open_suite
from camforge.suite.papers import PaperItem
from camforge.testing import PluginContract

DOCS = Path(__file__).resolve().parents[1]
MADE = {"reference/cli.md": "cli", "reference/hooks.md": "hooks", "papers/index.md": "papers"}
"""Pages that hold such a table as text; the others are filled when the site is built."""


def refreshed(page: str) -> str:
    """The page with its made part as the code has it now; ``python docs/tools/refresh.py`` writes it."""
    text = (DOCS / page).read_text()
    start, end = f"<!-- made: {MADE[page]} -->\n", "<!-- end -->"
    before, _, rest = text.partition(start)
    return (
        before
        + start
        + "\n"
        + {"cli": cli, "hooks": hooks, "papers": papers}[MADE[page]]()
        + "\n"
        + end
        + rest.partition(end)[2]
    )


def cli() -> str:
    """Every command with its arguments and options."""
    parts = []
    for path, command in _commands(typer.main.get_command(app), "camforge"):
        rows = [_parameter(p) for p in command.params if "--help" not in p.opts]
        parts.append(f"## {path}\n\n{_help(command)}\n\n" + table(("", "default", "what it does"), rows))
    return "\n".join(parts)


def _help(command: click.Command) -> str:
    """What a command says of itself, its examples as they are typed."""
    about, _, examples = (command.help or "").partition("Examples:\n")
    lines = inspect.cleandoc(examples)
    return about.replace("\b", "").strip() + (f"\n\n```text\n{lines}\n```" if lines else "")


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    inner = getattr(command, "commands", {})
    if not inner:
        yield path, command
    for name, one in inner.items():
        yield from _commands(one, f"{path} {name}")


def _parameter(parameter: click.Parameter) -> tuple[str, str, str]:
    is_argument = parameter.param_type_name == "argument"
    name = (parameter.metavar or parameter.name or "").upper() if is_argument else ", ".join(parameter.opts)
    flag = getattr(parameter, "is_flag", False)
    value = "" if is_argument or flag else f" {(parameter.metavar or parameter.name or '').upper()}"
    shown = getattr(parameter, "show_default", None)
    default = shown if isinstance(shown, str) else parameter.default
    told = "required" if parameter.required else "" if flag or default in (None, ()) else f"{default}"
    return f"`{name}{value}`", told, getattr(parameter, "help", None) or ""


def hooks() -> str:
    """Every hook with its signature."""
    found = [f for name, f in vars(hookspecs).items() if name.startswith("camforge_")]
    return "\n".join(f"```text\n{f.__name__}{inspect.signature(f)}\n```\n\n{inspect.getdoc(f)}\n" for f in found)


def papers() -> str:
    """Every table and figure of the papers: what it shows, the commands that make it, where they leave the text."""
    head = ("in print", "shows", "camforge bench …", "small: camforge bench …", "exact / deviates")
    parts = []
    for name in (name for name in named() if re.fullmatch(r"paper\d+", name)):
        full, small = (open_suite(name, size).paper for size in (False, True))
        assert full is not None
        assert small is not None
        rows = [
            (item.title, _shows(item), _suites(own), _suites(less), _faithful(item))
            for (item, own), (_, less) in zip(full.items, small.items, strict=True)
        ]
        about = full.definition.about
        parts.append(f'### {name}\n\n{about}.\n\n<div class="wide" markdown>\n\n{table(head, rows)}\n</div>\n')
    return "\n".join(parts)


def _shows(item: PaperItem) -> str:
    drawn = {"pictures": item.pictures, "groups": item.groups, f"`{item.by_class}` of every class": item.by_class}
    return ", ".join([*map("`{}`".format, item.metrics), *(name for name, is_drawn in drawn.items() if is_drawn)])


def _suites(experiments: Iterable[Path]) -> str:
    """Each experiment is a suite of its own: paper000-table1."""
    names = {path.resolve(): name for name, path in named().items()}
    return _code(names[path.resolve()] for path in experiments)


def _faithful(item: PaperItem) -> str:
    told = f"deviates: {item.differs}" if item.differs else "exact"
    return f"{told}; open: {item.open}" if item.open else told


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def plugins() -> str:
    """Every built-in plugin: its docstring, options, example."""
    parts = []
    for kind in KINDS:
        parts.append(f"## {kind.capitalize()}s\n")
        for name, plugin_class in registry().plugins[kind].items():
            if plugin_class.distribution == "camforge":
                parts.append(f"### {name} {{ #{kind}-{name} }}\n\n{shaped(inspect.getdoc(plugin_class.cls) or '')}\n")
                parts.append(options(options_of(plugin_class.cls)))
                parts.append(f"```yaml\n{example(plugin_class.cls)}\n```\n")
    return "\n".join(parts)


def options(found: Sequence[Option]) -> str:
    """The options of a plugin."""
    rows = [(f"`{o.name}`", o.type, o.default, o.about) for o in found]
    return table(("option", "type", "default", "what it does"), rows) if rows else "No options.\n"


def experiment() -> str:
    """The keys of an experiment file."""
    titles = {
        Experiment: "The file", Arm: "An arm", Images: "`images`", Extraction: "`extraction`", Report: "`report`",
    }  # fmt: skip
    return "\n".join(f"## {title}\n\n{inspect.getdoc(model)}\n\n{keys(model)}" for model, title in titles.items())


def keys(model: type[Options]) -> str:
    """The fields of a model."""
    rows = []
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else _short(field.get_default(call_default_factory=True))
        rows.append((f"`{name}`", default, field.description or ""))
    return table(("key", "default", "what it is"), rows)


def _short(value: object) -> str:
    return "its own defaults" if isinstance(value, Options) else "" if value in ((), "") else f"`{value}`"


def interface() -> str:
    """Every name of camforge.api and what it is."""
    rows = [(f"`{name}`", _told(getattr(camforge.api, name))) for name in camforge.api.__all__]
    return table(("name", "what it is"), rows)


def _told(value: object) -> str:
    """A class or function by its docstring, a type of options by what it allows, a constant by its value."""
    if isinstance(value, int | str):
        return f"`{value!r}`"
    if get_origin(value) is not None:
        return type_text(TypeAdapter(value).json_schema())
    return (inspect.getdoc(value) or "").partition("\n\n")[0]


def contracts() -> str:
    """What each contract holds a plugin to: its tests by name."""
    found = [PluginContract, *(getattr(camforge.testing, f"{kind.capitalize()}Contract") for kind in KINDS)]
    return "\n".join(f"## {cls.__name__}\n\n{shaped(inspect.getdoc(cls) or '')}\n\n{_tests(cls)}" for cls in found)


def _tests(contract: type[PluginContract]) -> str:
    names = [name for name in vars(contract) if name.startswith("test_")]
    return "".join(f"- {name.removeprefix('test_').replace('_', ' ')}\n" for name in names)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; nothing where there are no rows."""
    lines = [head, ["---"] * len(head), *rows] if rows else []
    return "".join("| " + " | ".join(_cell(cell) for cell in line) + " |\n" for line in lines)


def _cell(text: str) -> str:
    """RST's double backticks are Markdown's too; outside of code a bar would end the cell."""
    parts = re.split(r"(``.*?``|`[^`]*`)", re.sub(r"\s+", " ", str(text)))
    return "".join(part if i % 2 else part.replace("|", "\\|").replace("<", "&lt;") for i, part in enumerate(parts))
