"""What an entry of the store says of itself, and whether that is so."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

from camforge.files import checksum, sync, write_json
from camforge.host.errors import message_of

RECIPE = "recipe.json"
_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})
"""An entry without a file is damaged. After any other error of the disk the entry's state is unknown."""


class DamagedEntry(Exception):
    """What is wrong with an entry, in a few words."""


class Recipe(BaseModel):
    """What determined an entry, and the SHA-256 of each of its files.

    fresh  the id of the run that made it, where that run started afresh; else ""
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    stage: str
    key: str
    recipe: dict[str, Any]
    files: dict[Annotated[str, StringConstraints(pattern=r"^[^/\\\x00]+$")], str]
    fresh: str


def digest(value: Any) -> str:
    """A short hash of plain JSON values, the same in every process and after a way through a JSON file."""
    plain = json.loads(json.dumps(value))  # a dict's keys become texts, which sort otherwise than numbers
    return _sha256(plain)[:16]


def seal(draft: Path, stage: str, key: str, recipe: Mapping[str, Any], fresh: str) -> None:
    """Write the recipe of a folder's files, and have all of it reach the disk. Raises OSError or CamForgeError."""
    files = sorted(draft.iterdir())
    for path in files:
        sync(path)
    sums = {path.name: checksum(path) for path in files}
    content = json.loads(json.dumps({"stage": stage, "key": key, "recipe": recipe, "files": sums, "fresh": fresh}))
    write_json(draft / RECIPE, content | {"checksum": _sha256(content)})  # which flushes the folder, too


def check(entry: Path) -> Recipe | None:
    """The recipe of a whole entry; None: there is no entry.

    Raises DamagedEntry where a file is missing or has another checksum, or where the recipe is not the one of this
    entry; OSError where the disk does not say.
    """
    if not _is_there(entry):
        return None
    recipe = read_recipe(entry)
    wrong = [name for name, expected in recipe.files.items() if checksum(_plain_file(entry / name)) != expected]
    if wrong:
        raise DamagedEntry(f"checksum of {', '.join(wrong)}")
    return recipe


def read_recipe(entry: Path) -> Recipe:
    """An entry's recipe; its files are not looked at. Raises DamagedEntry and OSError, as ``check`` does."""
    if not stat.S_ISDIR(_status(entry).st_mode):
        raise DamagedEntry("a link or a file, no folder")
    text = _plain_file(entry / RECIPE).read_bytes()
    try:
        recipe = _parsed(text)
    except (ValueError, RecursionError) as error:
        raise DamagedEntry(f"{RECIPE}: {message_of(error)}") from None
    if recipe.key != digest(recipe.recipe) or entry.name != f"{recipe.stage}-{recipe.key}":
        raise DamagedEntry(f"its recipe is that of {recipe.stage}-{recipe.key}")
    return recipe


def _parsed(text: bytes) -> Recipe:
    """Raises ValueError or RecursionError."""
    content = json.loads(text)
    if not isinstance(content, dict) or "checksum" not in content:
        raise ValueError("it has no checksum of its own; those of CamForge 0.1 have none")
    if content.pop("checksum") != _sha256(content):
        raise ValueError("its checksum is another")
    return Recipe.model_validate(content)


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _is_there(path: Path) -> bool:
    try:
        os.lstat(path)
    except OSError as error:
        if error.errno in _MISSING:
            return False
        raise
    return True


def _status(path: Path) -> os.stat_result:
    """What stands at a path itself, not behind a link."""
    try:
        return os.lstat(path)
    except OSError as error:
        if error.errno in _MISSING:
            raise DamagedEntry(f"{path.name} is missing") from None
        raise


def _plain_file(path: Path) -> Path:
    """The path, which must be a file: a pipe in its place would be read for ever."""
    if not stat.S_ISREG(_status(path).st_mode):
        raise DamagedEntry(f"{path.name} is not a file")
    return path
