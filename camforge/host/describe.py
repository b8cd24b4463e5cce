"""Plugins described for people: what there is, and what one of them takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import cleandoc, getdoc
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from camforge.host.discovery import PluginClass
from camforge.host.registry import Registry
from camforge.interfaces import Plugin
from camforge.interfaces.base import choices
from camforge.types import CamForgeError

SECTIONS = {
    "dataset": "dataset", "backbone": "backbone", "grouper": "grouper", "trainer": "trainer", "extractor": "extractor",
    "fuser": "fusers", "metric": "metrics",
}  # fmt: skip
"""Where a plugin of each kind stands in a config; a backbone stands inside a trainer."""


@dataclass(frozen=True)
class Option:
    """One option of a plugin, as text."""

    name: str
    type: str
    default: str
    about: str


def plugins_of(registry: Registry, kind: str | None = None) -> list[PluginClass]:
    """Every plugin, or those of one kind (singular or plural). Raises CamForgeError for an unknown kind."""
    if kind is None:
        return [
            plugin_class for plugin_classes in registry.plugins.values() for plugin_class in plugin_classes.values()
        ]
    singular = kind.removesuffix("s")
    if singular not in registry.plugins:
        raise CamForgeError(f"unknown kind of plugin {kind!r}; {choices(kind, registry.plugins, 'kinds')}")
    return list(registry.plugins[singular].values())


def named(registry: Registry, name: str) -> list[PluginClass]:
    """The plugins of that name, of whatever kind; ``kind:name`` asks for one. Raises CamForgeError with the list."""
    kind, colon, bare = name.rpartition(":")
    plugin_classes = plugins_of(registry, kind if colon else None)
    found = [plugin_class for plugin_class in plugin_classes if plugin_class.cls.name == bare]
    if not found:
        raise CamForgeError(
            f"unknown plugin {name!r}; {choices(bare, {plugin_class.cls.name for plugin_class in plugin_classes})}"
        )
    return found


def page(plugin_class: PluginClass, console: Console) -> None:
    """Print all that a person needs to use a plugin."""
    cls = plugin_class.cls
    console.print(
        Text(f"{plugin_class.kind} {cls.name}   from {plugin_class.distribution} {plugin_class.version}", "bold")
    )
    console.print(Text(getdoc(cls) or ""), "")
    table = Table("option", "type", "default", "what it does")
    for option in options_of(cls):
        table.add_row(*map(Text, (option.name, option.type, option.default, option.about)))
    console.print(table if table.rows else "no options")
    console.print(Text(f"\nExample:\n{example(cls)}\n"))


def options_of(cls: type[Plugin]) -> list[Option]:
    """The options of a plugin class, its own first."""
    schema = cls.model_json_schema()
    own = [name for name in cls.model_fields if name in cls.__annotations__]
    rest = [name for name in cls.model_fields if name not in own]
    required, told = schema.get("required", []), _told(cls)
    return [
        Option(
            name=name,
            type=type_text(written := schema["properties"][name]),
            default="required" if name in required else _default(written.get("default")),
            about=" ".join(written.get("description", "").split()) or told.get(name, "") or _inherited(cls, name),
        )
        for name in own + rest
    ]


def _inherited(cls: type[Plugin], name: str) -> str:
    """What a class that this one builds on says of an option whose type or default it changes."""
    fields = (base.model_fields.get(name) for base in cls.__mro__ if issubclass(base, Plugin))
    return next((" ".join(field.description.split()) for field in fields if field and field.description), "")


_NAMED = re.compile(r"(?:^| {2,}|; +)(\w+(?:, \w+)*) {2,}(?=\S)")


def _told(cls: type[Plugin]) -> dict[str, str]:
    """{option: what the docstrings of its class and of those that it builds on say of it} in aligned lines.

    A line ``name  text``, or ``a, b  text``, begins; lines that are indented go on; ``;  name  text`` is a further one.
    """
    told: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        for paragraph in re.split(r"\n\s*\n", cleandoc(base.__doc__ or "") if issubclass(base, Plugin) else ""):
            text = re.sub(r"\n +", " ", paragraph)  # what goes on
            for line in text.splitlines():
                first, *parts = _NAMED.split(line)
                for names, about in zip(parts[::2], parts[1::2], strict=True) if not first.strip() else ():
                    told |= dict.fromkeys(names.split(", "), " ".join(about.split()).rstrip(";"))
    return told


def type_text(schema: Mapping[str, Any]) -> str:
    """A JSON schema as a person would say it: ``'last' | 'stages' | list of string``, ``integer ≥ 1``."""
    if "anyOf" in schema:
        return " | ".join(type_text(member) for member in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2].lower()
    if "const" in schema or "enum" in schema:
        return " | ".join(map(repr, schema.get("enum", [schema.get("const")])))
    if "prefixItems" in schema:
        return f"[{', '.join(type_text(item) for item in schema['prefixItems'])}]"
    if schema.get("format") == "path":
        return "path"
    if schema.get("type") == "array":
        return f"list of {type_text(schema['items'])}" if schema.get("items") else "list"
    bounds = [f"{sign} {schema[key]}" for key, sign in _SIGNS.items() if key in schema]
    return " ".join([schema.get("type", "any"), *bounds])


_SIGNS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def example(cls: type[Plugin]) -> str:
    """A piece of yaml that names the plugin and gives what it requires."""
    schema = cls.model_json_schema()
    spec = {"name": cls.name} | {name: _placeholder(schema["properties"][name]) for name in schema.get("required", [])}
    section = SECTIONS[cls.kind]
    value: Any = [spec] if section.endswith("s") else spec
    return yaml.safe_dump({section: value}, sort_keys=False, default_flow_style=None, allow_unicode=True).rstrip()


def _placeholder(schema: Mapping[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    return {"name": "…"} if "$ref" in schema else "…"


def _default(value: Any) -> str:
    if isinstance(value, dict) and "name" in value:
        return str(value["name"])
    return "null" if value is None else repr(value)


def rejected_lines(registry: Registry) -> Iterator[tuple[str, str, str, str]]:
    """(distribution, entry, step, reason) of what was rejected."""
    for rejected in registry.rejected:
        yield rejected.distribution, rejected.entry, rejected.step, " ".join(rejected.reason.split())
