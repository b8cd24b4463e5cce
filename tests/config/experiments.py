"""A small experiment that is right, in the three formats."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from camforge.config.load import Loaded, load, read
from camforge.config.locations import SourceLocation
from camforge.types import CamForgeError

PYTHON = """\
name = "small"
dataset = dict(name="partworld", train=40, val=20)
images = dict(size=64)
trainer = dict(
    name="single",
    epochs=1,
    backbone=dict(name="small"),
)
extractor = dict(name="gradcam")
fusers = [dict(name="mean", axis="branch")]
metrics = ["miou", dict(name="mlev", threshold=0.2)]
arms = dict(
    plain=dict(),
    two=dict(trainer=dict(name="two_branch_orthogonal", epochs=2, backbone="small")),
)
"""

VALUES = {
    "name": "small",
    "dataset": {"name": "partworld", "train": 40, "val": 20},
    "images": {"size": 64},
    "trainer": {"name": "single", "epochs": 1, "backbone": {"name": "small"}},
    "extractor": {"name": "gradcam"},
    "fusers": [{"name": "mean", "axis": "branch"}],
    "metrics": ["miou", {"name": "mlev", "threshold": 0.2}],
    "arms": {
        "plain": {},
        "two": {"trainer": {"name": "two_branch_orthogonal", "epochs": 2, "backbone": "small"}},
    },
}


def written(folder: Path, name: str = "small.py", text: str | None = None) -> Path:
    """The experiment, or ``text``, in a file of that name."""
    as_data = {".json": json.dumps(VALUES, indent=1), ".yaml": yaml.safe_dump(VALUES, sort_keys=False)}
    path = folder / name
    path.write_text(as_data.get(path.suffix, PYTHON) if text is None else text)
    return path


def complaint(path: Path, overrides: Sequence[str] = ()) -> str:
    """What loading says is wrong."""
    try:
        loaded: Loaded = load(path, overrides)
    except CamForgeError as error:
        return str(error)
    raise AssertionError(f"{path.name} has no mistake: {loaded.config}")


def values_with_places(path: Path, overrides: Sequence[str] = ()) -> list[tuple[str, Any, SourceLocation]]:
    """(key, value, place) of every single value that a file says, in its order."""
    config, location = read(path, overrides)

    def leaves(value: Any, keys: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
        pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        members = [leaf for key, member in pairs for leaf in leaves(member, (*keys, key))]
        return iter(members or [(keys, value)])

    return [(".".join(map(str, keys)), value, location.find(keys)) for keys, value in leaves(config, ())]
