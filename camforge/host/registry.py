"""Names to classes. Every class is checked before it is stored."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, overload

from pydantic import ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import InitErrorDetails, PydanticCustomError

from camforge.api import VERSION
from camforge.host.discovery import GROUP, PluginClass, RejectedPlugin, discover
from camforge.host.errors import message_of, option_errors
from camforge.interfaces import KINDS, Backbone, Dataset, Extractor, Fuser, Grouper, Metric, Plugin, Trainer
from camforge.interfaces.base import choices
from camforge.types import CamForgeError


@dataclass
class Registry:
    """The plugins of one process."""

    plugins: dict[str, dict[str, PluginClass]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    rejected: list[RejectedPlugin] = field(default_factory=list)

    def register(self, plugin_class: PluginClass) -> None:
        """Take one class in, or reject it with its reason."""
        try:
            step, reason = _objection(plugin_class, self.plugins[plugin_class.kind])
        except Exception as error:  # a class may do anything when it is looked at
            step, reason = "interface", f"{type(error).__name__}: {error}"
        if reason:
            self.rejected.append(RejectedPlugin(plugin_class.entry, plugin_class.distribution, step, reason))
        else:
            self.plugins[plugin_class.kind][plugin_class.cls.name] = plugin_class

    def get(self, kind: str, name: Any) -> type[Plugin]:
        """The class of that name. Raises CamForgeError with the nearest match and the list."""
        if kind not in self.plugins:
            raise CamForgeError(f"unknown kind of plugin {kind!r}; {choices(kind, self.plugins)}")
        found = self.find(kind, name)
        if found is None:
            rejected = "".join(f"; rejected: {a.reason}" for a in self.rejected if f"'{name}'" in a.reason)
            raise CamForgeError(f"unknown {kind} {name!r}; {choices(name, self.plugins[kind])}{rejected}")
        return found

    def find(self, kind: str, name: Any) -> type[Plugin] | None:
        """The class of that name, however it is spelt: GradCAM, Grad-CAM and gradcam are one; None where there is none.

        A plugin whose name is spelt just so comes first.
        """
        known = self.plugins[kind]
        if not isinstance(name, str):
            return None
        spelt = name if name in known else next((each for each in known if _plain(each) == _plain(name)), None)
        return known[spelt].cls if spelt is not None else None

    def build(self, kind: str, spec: Mapping[str, Any] | str) -> Plugin:
        """An instance from a name or from {"name": …, option: …}. Raises CamForgeError or ValidationError."""
        options = {"name": spec} if isinstance(spec, str) else dict(spec)
        if "name" not in options:
            raise CamForgeError(f"give the {kind} a name; {choices('', self.plugins[kind])}")
        cls = self.get(kind, options.pop("name"))
        return cls.model_validate(options, context=self.context)

    @property
    def context(self) -> dict[str, Any]:
        """What pydantic needs to build plugins by name: ``Model.model_validate(value, context=registry().context)``."""
        return {"build": self._build_nested}

    def _build_nested(self, kind: str, spec: Mapping[str, Any]) -> Plugin:
        try:
            return self.build(kind, spec)
        except CamForgeError as error:  # pydantic collects it with the other errors, with its place
            line = InitErrorDetails(
                type=PydanticCustomError("plugin_name", str(error)), loc=("name",), input=spec.get("name")
            )
            raise ValidationError.from_exception_data(kind, [line]) from None


def _plain(name: str) -> str:
    """Letters and digits alone; Grad-CAM++ is gradcampp."""
    return re.sub(r"[\W_]", "", name.replace("+", "p")).casefold()


def _objection(plugin_class: PluginClass, taken: Mapping[str, PluginClass]) -> tuple[str, str]:
    """Why a class cannot be taken in: (step, reason), or two empty strings."""
    cls, interface = plugin_class.cls, KINDS[plugin_class.kind]
    label = getattr(cls, "__qualname__", repr(cls))
    if not (inspect.isclass(cls) and issubclass(cls, interface)):
        return "interface", f"{label} does not implement {interface.__name__}"
    if inspect.isabstract(cls):
        return "interface", f"{label} leaves {', '.join(sorted(cls.__abstractmethods__))} of {interface.__name__} open"
    if not cls.__pydantic_complete__:
        return "interface", f"{label}: the types of its options cannot be resolved; import them where it is defined"
    if plugin_class.distribution != GROUP and (problem := _unwritable(cls)):
        return "interface", f"{label}: {problem}"
    if not api_fits(cls.api):
        return "interface", f"{label} needs version {cls.api} of camforge.api; this is {VERSION}"
    name = getattr(cls, "name", None)
    if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z]\w*", name)):
        return "name", f"{label} needs a name of letters, digits and underscores, not {name!r}"
    if name in taken:
        return "name", f"{plugin_class.kind} {name!r} of {label} is taken by {taken[name].distribution}"
    return "", ""


def _unwritable(cls: type[Plugin]) -> str:
    """Why its options could not stand in a config: a type that JSON does not know (a function, a tensor)."""
    try:
        cls.model_json_schema()
    except PydanticUserError as error:
        return f"its options cannot be written as JSON: {message_of(error).partition(' For further')[0]}"
    return ""


def api_fits(needed: str) -> bool:
    """Whether this ``camforge.api`` serves a plugin written for version ``needed``: same major, no later minor."""
    major, _, minor = needed.partition(".")
    own_major, _, own_minor = VERSION.partition(".")
    return not needed or (major == own_major and (minor or "0").isdigit() and int(minor or 0) <= int(own_minor))


@cache
def registry() -> Registry:
    """The registry of this process, filled at the first call."""
    found = Registry()
    plugin_classes, found.rejected[:] = discover()
    for plugin_class in plugin_classes:
        found.register(plugin_class)
    return found


Spec = Mapping[str, Any] | str


@overload
def build(kind: Literal["dataset"], spec: Spec) -> Dataset: ...
@overload
def build(kind: Literal["backbone"], spec: Spec) -> Backbone: ...
@overload
def build(kind: Literal["grouper"], spec: Spec) -> Grouper: ...
@overload
def build(kind: Literal["trainer"], spec: Spec) -> Trainer: ...
@overload
def build(kind: Literal["extractor"], spec: Spec) -> Extractor: ...
@overload
def build(kind: Literal["fuser"], spec: Spec) -> Fuser: ...
@overload
def build(kind: Literal["metric"], spec: Spec) -> Metric: ...
@overload
def build(kind: str, spec: Spec) -> Plugin: ...
def build(kind: str, spec: Spec) -> Plugin:
    """A plugin from its name and options: ``build("extractor", {"name": "layercam", "layers": "stages"})``.

    Raises CamForgeError with one line per mistake.
    """
    with option_errors(kind, spec):
        return registry().build(kind, spec)
