"""What metrics may ask of an arm's model: its maps of any images, by its own networks or by some that forgot."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from double_backbone import DISTRIBUTION

import camforge
from camforge.api import Metric, MetricInput
from camforge.host.discovery import PluginClass
from camforge.host.registry import registry


class Remade(Metric):
    """How far maps that are made again lie from those measured; with what else the model answers."""

    name = "remade"
    answers: ClassVar[list[dict[str, Any]]] = []

    def update(self, metric_input: MetricInput) -> torch.Tensor:
        model, pairs = metric_input.model, metric_input
        assert model is not None
        images, labels = pairs.batch.images[pairs.images], pairs.batch.labels[pairs.images]
        again = model.maps(images, pairs.classes, labels)
        lost = model.with_random_weights(model.weighted_layers)
        shifted = model.with_shifted_input(0.5)
        logits, moved = model.score(images), shifted.score(images + 0.5)
        self.answers.append(
            {
                "difference": float((again - pairs.maps).abs().max()),
                "scale": float(pairs.maps.abs().max()),
                "lost": float((lost.maps(images, pairs.classes, labels) - pairs.maps).abs().max()),
                "shift": float((logits - moved).abs().max()),
                "features": model.features(images).shape,
                "layers": model.weighted_layers,
                "untouched": torch.equal(model.score(images), logits),
            }
        )
        return torch.ones(1, dtype=torch.float64)

    def compute(self, total: torch.Tensor, classes: tuple[str, ...]) -> dict[str, float]:
        del classes
        return {"remade": float(total)}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    plugin = PluginClass("metric", Remade, "remade", DISTRIBUTION, "1.0")
    monkeypatch.setitem(registry().plugins["metric"], "remade", plugin)
    monkeypatch.setattr(Remade, "answers", [])
    return Remade.answers


def test_every_arm_makes_its_maps_again(tiny_double: Path, tmp_path: Path, answers: list[dict[str, Any]]) -> None:
    """Four arms of one, two and three views, with branches, layers and fusers that read the image's other labels."""
    run = camforge.run(
        tiny_double, overrides=["report.images=0", "metrics=[{name: remade}]"], work_dir=tmp_path / "w",
        device="cpu", quiet=True,
    )  # fmt: skip
    assert {*run.arms, *run.controls} == {
        "baseline", "families", "both", "layers", "control: centred Gaussian", "control: everything"
    }  # fmt: skip
    assert len(answers) == 6
    for told in answers:
        assert told["difference"] <= 1e-6 * told["scale"]
        assert told["shift"] < 1e-5
        assert told["untouched"]
        assert told["layers"][0] == "body.fc"
        assert told["features"][1] > 8
    assert all(told["lost"] > 0.1 * told["scale"] for told in answers[:4])
    assert all(told["lost"] == 0 for told in answers[4:]), "a control looks at no network"


def test_everything_is_read_as_everything_by_min_and_max(tiny: Path, tmp_path: Path) -> None:
    """Stretched to 0..1 a constant map is nothing at all; the control is all but a corner."""
    metrics = "metrics=[{name: miou}, {name: maxboxacc}, {name: coverage, normalise: minmax}]"
    run = camforge.run(tiny, overrides=["report.images=0", metrics], work_dir=tmp_path / "w", quiet=True)
    numbers = run.controls["control: everything"]
    assert numbers["part_recall"] > 99
    assert numbers["body_recall"] > 99
    assert numbers["maxboxacc@30"] > 0


def test_parts_are_removed_from_scenes_that_are_drawn(tiny: Path, tmp_path: Path) -> None:
    """A set that draws its images has the column; in the run's own geometry every map is asked about its parts."""
    metrics = "metrics=[{name: part_deletion}, {name: part_distractibility}]"
    run = camforge.run(tiny, overrides=["report.images=0", metrics], work_dir=tmp_path / "w", quiet=True)
    for numbers in (*run.arms.values(), *run.controls.values()):
        assert -1 <= numbers["part_deletion"] <= 1
        assert 0 <= numbers["part_hit"] <= 100
    assert run.controls["control: everything"]["part_hit"] < 100
