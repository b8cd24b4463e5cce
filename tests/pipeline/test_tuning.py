"""A threshold that the training images choose, used on the validation images."""

import json
import re
from pathlib import Path

import pytest
import torch

from camforge import run
from camforge_plugins.metrics.localization.threshold_sweep import ThresholdSweep


def measured(config: Path, work: Path, metrics: str) -> dict[str, dict[str, float]]:
    text = config.read_text()
    config.write_text(text[: text.index("metrics = ")] + f"metrics = [{metrics}]\nreport = dict(images=0)\n")
    results = run(config, work_dir=work, device="cpu", quiet=True)
    return results.arms | results.controls


def test_the_training_images_choose_and_the_validation_images_are_measured(tiny: Path, tmp_path: Path) -> None:
    calibrate = measured(tiny, tmp_path, 'dict(name="threshold_sweep", choose="train")')
    own = measured(tiny, tmp_path, 'dict(name="threshold_sweep")')
    for arm, numbers in calibrate.items():
        assert numbers["tuned_miou"] <= own[arm]["best_miou"] + 1e-9
    threshold = calibrate["baseline"]["tuned_threshold"]
    fixed = measured(tiny, tmp_path, f'dict(name="miou", threshold={threshold})')
    assert fixed["baseline"]["miou"] == pytest.approx(calibrate["baseline"]["tuned_miou"], rel=1e-12)
    recipes = [json.loads(path.read_text())["recipe"] for path in (tmp_path / "store").glob("totals-*/recipe.json")]
    assert {bool(r["metrics"][0].get("threshold") is not None) for r in recipes} == {True, False}


def test_what_could_not_choose_is_not_measured(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even by the validation images, which would then have chosen for themselves."""

    def fails(_sweep: ThresholdSweep, _total: torch.Tensor) -> ThresholdSweep:
        raise ValueError("no choice")

    monkeypatch.setattr(ThresholdSweep, "calibrate", fails)
    found = measured(tiny, tmp_path, 'dict(name="threshold_sweep", choose="train"), dict(name="miou")')
    for numbers in found.values():
        assert "miou" in numbers
        assert not any(name.startswith(("tuned", "best")) for name in numbers)
    missing = json.loads((tmp_path / "results.json").read_text())["missing"]
    assert missing.keys() == found.keys()
    for reasons in missing.values():
        assert re.match(r"on the training images: .*threshold_sweep.* failed: ValueError: no choice", *reasons.values())


def test_the_choice_is_the_best_threshold_of_what_was_seen() -> None:
    sweep = ThresholdSweep(choose="train")
    total = torch.zeros(1, 2, 102, dtype=torch.int64)
    total[0, 1, 61] = 80  # inside the mask, reach the thresholds up to 0.60
    total[0, 0, 31] = 50  # beside it, reach those up to 0.30
    chosen = sweep.calibrate(total)
    assert (sweep.needs_calibration, chosen.needs_calibration) == (True, False)
    assert sweep.thresholds == chosen.thresholds == {"tuned_threshold": "tuned_miou"}, "no score of its own, no rank"
    assert set(ThresholdSweep(choose="self").thresholds) <= set(ThresholdSweep().compute(total, ("cat",)))
    assert 0.30 < chosen.threshold <= 0.60
    assert chosen.compute(total, ("cat",))["tuned_miou"] == 100.0
    other = total.roll(20, dims=-1)  # on other images the same threshold is no longer the best
    assert chosen.compute(other, ("cat",))["tuned_miou"] == pytest.approx(100 * 80 / 130)
