"""Methods as one types them: ``gradcam``, ``layercam(layers=stages, truncate=20)``, several with commas between."""

from __future__ import annotations

import re
from typing import Any

import yaml

from camforge.host.registry import build
from camforge.interfaces import Extractor
from camforge.types import CamForgeError


def methods_of(text: str) -> list[Extractor]:
    """The extractors that a text names. Raises CamForgeError with what is wrong in it."""
    found = [_method(part) for part in _parts(text)]
    if not found:
        raise CamForgeError("no method was named")
    return found


def _method(text: str) -> Extractor:
    match = re.fullmatch(r"([^()]+?)\s*(?:\((.*)\))?", text, re.DOTALL)
    if match is None:
        raise CamForgeError(f"method {text!r}: write a name, or name(option=value, option=value)")
    spec: dict[str, Any] = {"name": match[1]}
    for part in _parts(match[2] or ""):
        option, equals, value = part.partition("=")
        if not equals:
            raise CamForgeError(f"method {text!r}: {part!r} is not option=value")
        try:
            spec[option.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise CamForgeError(f"method {text!r}: {value.strip()!r} cannot be read as a value") from None
    return build("extractor", spec)


def _parts(text: str) -> list[str]:
    """What commas outside of brackets part."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]
