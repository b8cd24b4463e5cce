"""The catalogue of known plugins: a file that lists distributions, which need not be installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from camforge.interfaces import KINDS
from camforge.interfaces.base import choices
from camforge.types import CamForgeError

CATALOGUE = Path(__file__).with_name("known_plugins.json")
LARGEST = 1_000_000  # bytes
Word = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f]+$")]


class KnownPlugin(BaseModel):
    """One distribution.

    gives   {kind: names of its plugins}
    source  what an installer takes: a name on the package index, an address, or a folder of CamForge's repository
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    distribution: Word
    about: Word
    gives: dict[str, tuple[Word, ...]]
    source: Word
    licence: Word

    @property
    def installed(self) -> str:
        """The version that is installed here, "" where none is."""
        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return ""

    @property
    def text(self) -> str:
        """What a search looks at."""
        return f"{self.distribution} {self.about} {self.told()}".casefold()

    def told(self) -> str:
        """What it gives, in words: ``extractor positive_cam, metric agreement``."""
        return ", ".join(f"{kind} {name}" for kind, names in self.gives.items() for name in names)


def known_plugins(catalogue: Path = CATALOGUE) -> list[KnownPlugin]:
    """Every entry of a catalogue. Raises CamForgeError where the file is none."""
    try:
        content = catalogue.read_bytes()
    except OSError as error:
        raise CamForgeError(f"{catalogue}: cannot be read: {error.strerror}") from None
    if len(content) > LARGEST:
        raise CamForgeError(f"{catalogue}: {len(content)} bytes; a catalogue has at most {LARGEST}")
    try:
        return TypeAdapter(list[KnownPlugin]).validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise CamForgeError(f"{catalogue}: no catalogue: {place + ': ' if place else ''}{first['msg']}") from None


def search(entries: Sequence[KnownPlugin], words: Sequence[str], kind: str = "") -> list[KnownPlugin]:
    """Those that have a plugin of the kind and every word in their name, description or plugins' names."""
    if kind and kind not in KINDS:
        raise CamForgeError(f"unknown kind of plugin {kind!r}; {choices(kind, KINDS, 'kinds')}")
    of_kind = [entry for entry in entries if not kind or kind in entry.gives]
    return [entry for entry in of_kind if all(word.casefold() in entry.text for word in words)]
