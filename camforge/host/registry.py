"""Names to classes. Every class is checked before it is stored."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from camforge.host.discovery import Offer, SetAside, discover
from camforge.interfaces import KINDS, Plugin
from camforge.types import CamForgeError


@dataclass
class Registry:
    """The plugins of one process."""

    plugins: dict[str, dict[str, Offer]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    set_aside: list[SetAside] = field(default_factory=list)

    def offer(self, offer: Offer) -> None:
        """Take one class in, or set it aside with its reason."""
        step, reason = _objection(offer, self.plugins[offer.kind])
        if reason:
            self.set_aside.append(SetAside(offer.entry, offer.distribution, step, reason))
        else:
            self.plugins[offer.kind][offer.cls.name] = offer

    def get(self, kind: str, name: Any) -> type[Plugin]:
        """The class of that name. Raises CamForgeError with the nearest match and the list."""
        if kind not in self.plugins:
            raise CamForgeError(f"unknown kind of plugin {kind!r}; {_choices(kind, self.plugins)}")
        if name not in self.plugins[kind]:
            aside = "".join(f"; set aside: {a.reason}" for a in self.set_aside if f"'{name}'" in a.reason)
            raise CamForgeError(f"unknown {kind} {name!r}; {_choices(name, self.plugins[kind])}{aside}")
        return self.plugins[kind][name].cls

    def build(self, kind: str, spec: Mapping[str, Any] | str) -> Plugin:
        """An instance from a name or from {"name": …, option: …}. Raises CamForgeError or pydantic's ValidationError."""
        options = {"name": spec} if isinstance(spec, str) else dict(spec)
        if "name" not in options:
            raise CamForgeError(f"a {kind} needs a name; {_choices('', self.plugins[kind])}")
        cls = self.get(kind, options.pop("name"))
        return cls.model_validate(options, context={"build": self._build_nested})

    def _build_nested(self, kind: str, spec: Mapping[str, Any]) -> Plugin:
        try:
            return self.build(kind, spec)
        except CamForgeError as error:  # pydantic collects ValueErrors, with their place
            raise ValueError(str(error)) from None


def _objection(offer: Offer, taken: Mapping[str, Offer]) -> tuple[str, str]:
    """Why a class cannot be taken in: (step, reason), or two empty strings."""
    cls, interface = offer.cls, KINDS[offer.kind]
    label = getattr(cls, "__qualname__", repr(cls))
    if not (inspect.isclass(cls) and issubclass(cls, interface)):
        return "interface", f"{label} does not implement {interface.__name__}"
    if inspect.isabstract(cls):
        return "interface", f"{label} leaves {', '.join(sorted(cls.__abstractmethods__))} of {interface.__name__} open"
    name = getattr(cls, "name", None)
    if not (isinstance(name, str) and name):
        return "name", f"{label} has no name"
    if name in taken:
        return "name", f"{offer.kind} {name!r} of {label} is taken by {taken[name].distribution}"
    return "", ""


def _choices(wrong: Any, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(str(wrong), known, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"known: {', '.join(sorted(known))}"


@cache
def registry() -> Registry:
    """The registry of this process, filled at the first call."""
    found = Registry()
    offers, found.set_aside[:] = discover()
    for offer in offers:
        found.offer(offer)
    return found


def build(kind: str, spec: Mapping[str, Any] | str) -> Any:
    """A plugin from its name and options: ``build("extractor", {"name": "layercam", "layers": "stages"})``.

    Raises CamForgeError with one line per mistake.
    """
    from camforge.host.errors import option_errors

    with option_errors(kind):
        return registry().build(kind, spec)
