"""``camforge plugins new``: a distribution with one plugin, its tests, its licence and its workflows."""

from __future__ import annotations

import re
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path

from camforge.host.registry import registry
from camforge.interfaces import KINDS
from camforge.interfaces.base import choices
from camforge.types import CamForgeError

TEMPLATE = Path(__file__).with_name("template")
"""A template of copier: ``copier copy`` takes it as well."""


def write(kind: str, name: str, into: Path, author: str = "", repository: str = "") -> Path:
    """Write the distribution ``camforge-<name>`` into a new folder. Raises CamForgeError where that cannot be.

    author, repository  for the licence and the links; "" writes what the template has in their places
    """
    if kind not in KINDS:
        raise CamForgeError(f"unknown kind of plugin {kind!r}; {choices(kind, KINDS, 'kinds')}")
    title = "".join(part.capitalize() for part in name.split("_"))
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or iskeyword(title):
        raise CamForgeError(
            f"{name!r} cannot be a plugin's name: small letters, digits and underscores, no word of Python's own"
        )
    if taken := registry().plugins[kind].get(name):
        raise CamForgeError(f"{kind} {name!r} is taken by {taken.distribution}; give yours another name")
    if find_spec(f"camforge_{name}"):
        raise CamForgeError(f"a module camforge_{name} is installed already; give the plugin another name")
    for what, text in (("author", author), ("repository", repository)):
        if re.search(r'[\x00-\x1f"\\\\]', text):
            raise CamForgeError(f"{what}: {text!r} has quotes, backslashes or control characters")
    folder = into / f"camforge-{name.replace('_', '-')}"
    answers = {"kind": kind, "name": name, "author": author, "repository": repository}
    return _copied(folder, {key: value for key, value in answers.items() if value})


def _copied(folder: Path, answers: dict[str, str]) -> Path:
    """The template with these answers in the folder, which must not be there."""
    from copier import run_copy  # it takes longer to import than everything else here

    if folder.exists() or folder.is_symlink():
        raise CamForgeError(f"{folder} is already there: it is left as it is")
    try:
        run_copy(str(TEMPLATE), folder, data=answers, defaults=True, quiet=True)
    except OSError as error:
        raise CamForgeError(f"{folder} cannot be written: {error.strerror}") from None
    return folder
