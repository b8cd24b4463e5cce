"""Networks that are on the device only while they are used."""

import gc
import json
import weakref
from pathlib import Path
from typing import Any

import pytest

import camforge
from camforge.pipeline import train
from camforge.types import Network

LEVELS = """
arms = {"levels": dict(grouper=dict(name="random_hierarchy", sizes=[8, 6, 5, 4, 3]), fusers=[_levels])}
"""


def numbers(results: Any) -> Any:
    return json.loads((results.folder / "results.json").read_text())["arms"]


def test_a_few_networks_at_once_tell_the_same_as_all(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write_text(tiny.read_text() + LEVELS)
    alive: list[weakref.ref[Network]] = []
    most = 0
    read = train._networks

    def watched(*asked: Any) -> tuple[Network, ...]:
        nonlocal most
        networks = read(*asked)
        alive.extend(map(weakref.ref, networks))
        gc.collect()
        most = max(most, sum(network() is not None for network in alive))
        return networks

    monkeypatch.setattr(train, "_networks", watched)
    runs = []
    for kept, folder in ((2, "few"), (100, "all")):
        most = 0
        monkeypatch.setattr(train.StoredNetworks, "KEPT", kept)
        results = camforge.run(
            tiny,
            overrides=["trainer.epochs=1", "report.images=0"],
            work_dir=tmp_path / folder,
            device="cpu",
            quiet=True,
        )
        assert most == min(kept, 6)
        runs.append(numbers(results))
        model = results.models["levels"][0]
        assert len(model.networks) == 1
        assert model.networks[0].class_features().shape[0] == len(model.view.outputs)
        assert model.networks[:1] == (model.networks[0],)
        del results, model
        alive.clear()
    assert runs[0] == runs[1]
