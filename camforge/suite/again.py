"""A recorded row made again from its recipe alone, and compared to the digit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from camforge.files import file_name
from camforge.pipeline.results import Results
from camforge.pipeline.run import run
from camforge.suite.scores import Recorded, Score, find, recorded, write_scores
from camforge.types import CamForgeError


@dataclass(frozen=True)
class Again:
    """A row as it was recorded and as it came out now.

    surroundings  {what: (then, now)} of versions, device and threads that differ
    """

    then: Score
    now: Score
    surroundings: Mapping[str, tuple[str, str]]

    @property
    def networks(self) -> str:
        """How many have maps, as it is said."""
        return "1 network" if len(self.then.maps) == 1 else f"{len(self.then.maps)} networks"

    @property
    def differences(self) -> dict[str, tuple[object, object]]:
        """{metric: (then, now)} of all numbers that are not the same to the last bit, and "maps"."""
        names = dict.fromkeys([*self.then.scores, *self.now.scores])
        pairs: dict[str, tuple[object, object]] = {
            name: (self.then.scores.get(name), self.now.scores.get(name)) for name in names
        }
        pairs |= {"maps": (self.then.maps, self.now.maps), "failure": (self.then.failure, self.now.failure)}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def again(scores: Path, key: str, *, overrides: Sequence[str] = (), device: str = "auto", quiet: bool = False) -> Again:
    """Run one recorded row from nothing, with as many threads as then.

    scores     a folder that ``write_scores`` made;  key  the row's, or ``experiment/row``
    overrides  where something lies elsewhere now, such as ``dataset.root=photos``
    """
    row = find(scores, key)
    threads = torch.get_num_threads()
    with TemporaryDirectory(prefix="camforge-") as name:
        folder = Path(name)
        (folder / "row.json").write_text(json.dumps(row.config), encoding="utf-8")
        try:
            torch.set_num_threads(int(row.recipe["threads"]))
            results = run(
                folder / "row.json", overrides=overrides, work_dir=folder / "work", device=device, quiet=quiet
            )
        finally:
            torch.set_num_threads(threads)
        return _compared(row, results, folder / "scores")


def _compared(row: Recorded, results: Results, folder: Path) -> Again:
    write_scores(folder, results)
    made = {score.score.row: score for score in recorded(folder)}
    wanted = file_name(row.score.row)
    now = next((found for name, found in made.items() if file_name(name) == wanted), None)
    if now is None:
        raise CamForgeError(f"{row.file}: its recipe makes no row {row.score.row!r}")
    return Again(row.score, now.score, dict(_moved(row.recipe, now.recipe)))


def _moved(then: Mapping[str, object], now: Mapping[str, object]) -> Iterator[tuple[str, tuple[str, str]]]:
    for name in ("camforge", "python", "versions", "platform", "device", "threads"):
        old, new = then.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _moved_parts(old, new)
        elif old != new:
            yield name, (str(old), str(new))


def _moved_parts(then: Mapping[str, object], now: Mapping[str, object]) -> Iterator[tuple[str, tuple[str, str]]]:
    for name in dict.fromkeys([*then, *now]):
        if then.get(name) != now.get(name):
            yield name, (str(then.get(name)), str(now.get(name)))
