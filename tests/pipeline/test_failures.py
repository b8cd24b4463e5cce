"""A plugin that fails while an experiment runs ends its arm: named in the results, and nothing of it kept as whole."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from camforge import CamForgeError, run
from camforge.capture.one_pass import start_maps
from camforge.interfaces import Extractor
from camforge_plugins.extractors.hirescam import HiResCAM
from camforge_plugins.fusers.max import Max
from camforge_plugins.groupers.given import Given
from camforge_plugins.metrics.localization.miou import MeanIoU
from camforge_plugins.metrics.localization.mlev import MeanLocalizationError
from camforge_plugins.trainers.single import SingleLearner

ARMS = """
arms = {
    "baseline": dict(),
    "layers": dict(extractor=dict(name="layercam", layers="stages"), fusers=[dict(name="max", axis="layer")]),
    "hires": dict(extractor=dict(name="hirescam")),
    "families": dict(grouper=dict(name="given"), fusers=[_levels]),
    "softmax": dict(grouper=dict(name="none", exclusive=True), trainer=dict(name="single", loss="softmax", **_recipe)),
}
metrics = [dict(name="miou"), dict(name="mlev")]
"""


@pytest.fixture
def five(tiny: Path) -> Path:
    """Five arms, each with a plugin of its own."""
    text = tiny.read_text()
    tiny.write_text(text[: text.index("arms = {")] + ARMS + "report = dict(images=2)\n")
    return tiny


def numbers(folder: Path) -> dict[str, dict[str, float]]:
    return json.loads((folder / "results.json").read_text())


def broken(original: Callable[..., object], when: Callable[..., bool] = lambda *_: True) -> Callable[..., object]:
    def fails(self: object, *arguments: object, **options: object) -> object:
        if when(self, *arguments):
            raise ZeroDivisionError("something\nunforeseen")
        return original(self, *arguments, **options)

    return fails


def test_four_plugins_fail_and_the_fifth_arm_has_its_numbers(
    five: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(five, work_dir=tmp_path / "whole", device="cpu", quiet=True)
    with monkeypatch.context() as patch:
        patch.setattr(HiResCAM, "layer_map", broken(HiResCAM.layer_map))
        patch.setattr(Max, "fuse", broken(Max.fuse))
        patch.setattr(Given, "group", broken(Given.group))
        patch.setattr(SingleLearner, "losses", broken(SingleLearner.losses, lambda self, *_: self.loss == "softmax"))
        hurt = run(five, work_dir=tmp_path / "hurt", device="cpu", quiet=True)
    assert hurt.arms == {"baseline": whole.arms["baseline"]}
    assert hurt.controls == whole.controls
    assert list(hurt.failures) == ["layers", "hires", "families", "softmax"]
    for arm, plugin in {
        "layers": "fuser 'max'",
        "hires": "extractor 'hirescam'",
        "families": "grouper 'given'",
    }.items():
        assert hurt.failures[arm].startswith(
            f"{plugin} of camforge failed: ZeroDivisionError: something unforeseen (/"
        ), hurt.failures[arm]
    assert numbers(tmp_path / "hurt")["failures"] == hurt.failures
    assert "something" in (tmp_path / "hurt" / "failures.log").read_text()
    assert "hirescam&#39; of camforge failed" in hurt.report.read_text()

    again = run(five, work_dir=tmp_path / "hurt", device="cpu", quiet=True)
    assert again.failures == {}
    assert numbers(tmp_path / "hurt") == numbers(tmp_path / "whole")


def test_extraction_goes_on_in_smaller_passes_where_memory_runs_out(
    tiny_double: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = ["batch_size=6", "report.images=0"]
    whole = run(tiny_double, overrides=overrides, work_dir=tmp_path / "w", device="cpu", quiet=True)
    for entry in [*tmp_path.glob("w/store/maps-*"), *tmp_path.glob("w/store/totals-*")]:
        shutil.rmtree(entry)
    tried: list[int] = []

    def small(network: object, images: Tensor, *rest: object) -> object:
        tried.append(len(images))
        if len(images) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return start_maps(network, images, *rest)

    monkeypatch.setattr("camforge.pipeline.extraction.passes.start_maps", small)
    again = run(tiny_double, overrides=overrides, work_dir=tmp_path / "w", device="cpu", quiet=True)
    # one image for each of the two extractors that share a pass; 12 images; two networks, and two with two branches
    assert tried == [1, 1] + [6, 3, 3, 3, 3] * 2 + [6, *[3] * 8] * 2
    assert "memory ran out with 6 images at a time, 3 fit" in (tmp_path / "w/run.log").read_text()
    for arm, metrics in whole.arms.items():
        assert again.arms[arm] == pytest.approx(metrics, rel=1e-9), arm


def test_a_metric_that_fails_costs_its_own_column(five: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(MeanLocalizationError, "update", broken(MeanLocalizationError.update))
        hurt = run(five, work_dir=tmp_path / "w", device="cpu", quiet=True)
    assert hurt.failures == {}
    whole = run(five, work_dir=tmp_path / "w", device="cpu", quiet=True)
    rows = hurt.arms | hurt.controls
    assert rows == {
        name: {metric: number for metric, number in numbers.items() if not metric.startswith("mlev")}
        for name, numbers in (whole.arms | whole.controls).items()
    }
    for arm in hurt.report_data.arms:
        assert "no mlev: metric 'mlev' of camforge failed: ZeroDivisionError" in arm.remark


def test_nothing_is_left_where_every_arm_fails(five: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MeanLocalizationError, "update", broken(MeanLocalizationError.update))
    monkeypatch.setattr(MeanIoU, "update", broken(MeanIoU.update))
    with pytest.raises(CamForgeError, match=r"(?s)arm 'baseline': metric 'miou' of camforge failed.*arm 'softmax'"):
        run(five, work_dir=tmp_path / "w", device="cpu", quiet=True)
    assert not (tmp_path / "w" / "results.json").exists()


def test_an_extractor_that_cannot_read_the_network_takes_no_other_out_of_the_shared_pass(
    five: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[tuple[list[str], int]] = []

    def counted(model: torch.nn.Module, images: Tensor, extractors: list[Extractor], *rest: object) -> object:
        passes.append(([extractor.name for extractor in extractors], len(images)))
        return start_maps(model, images, extractors, *rest)

    monkeypatch.setattr("camforge.pipeline.extraction.passes.start_maps", counted)
    arms = "arms={baseline: {}, hires: {extractor: hirescam}, attention: {extractor: legrad}}"
    run(five, overrides=[arms, "batch_size=6", "metrics=[miou]"], work_dir=tmp_path / "w", device="cpu", quiet=True)
    shared = [count for names, count in passes if names == ["gradcam", "hirescam"]]
    alone = [(names, count) for names, count in passes if len(names) == 1]
    assert shared == [6, 6]  # every image once
    assert alone == [(["gradcam"], 1), (["hirescam"], 1), (["legrad"], 1), (["legrad"], 6)]
    told = json.loads((tmp_path / "w/results.json").read_text())
    assert list(told["failures"]) == ["attention"]
    assert "attention" in told["failures"]["attention"]
    assert "a pass with" not in (tmp_path / "w/run.log").read_text()
