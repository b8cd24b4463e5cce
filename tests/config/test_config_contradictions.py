"""What cannot work although every value by itself is allowed is said before anything runs."""

from pathlib import Path

import pytest
from experiments import PYTHON, complaint, written

from camforge.config.load import load


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            [("fusers = [", "_f = [")],
            ":14: arms.two.fusers: trainer 'two_branch_orthogonal' makes 2 branches: add a fuser with axis='branch'",
        ),
        (
            [('name="gradcam"', 'name="gradcam", layers="stages"')],
            ":10: fusers: extractor 'gradcam' reads 4 layers: add a fuser with axis='layer'",
        ),
        (
            [("plain=dict()", 'plain=dict(grouper="given")')],
            ":10: fusers: grouper 'given' makes several views: add a fuser with axis='view'",
        ),
        (
            [('"branch")]', '"branch"), dict(name="max", axis="branch")]')],
            ":10: fusers.1.axis: an earlier fuser already reduced the 'branch' axis",
        ),
        (
            [('name="gradcam"', 'name="gradcam", layers=["stage7"], merge="sum"')],
            ":9: extractor.layers: the model has no layer 'stage7'",
        ),
        (
            [('["miou", ', '["miou", "miou", ')],
            ":11: metrics.1: the same metric stands here twice: its numbers would have the same names",
        ),
        (
            [("arms = dict(", 'arms = {"control: everything": {}} | dict(')],
            ":12: arms.control: everything: reserved: the name of a control",
        ),
        (
            [("arms = dict(", 'paper = {"b": {"miou": 1}, "z": {"miou": 2}}\narms = dict(')],
            ":12: paper.z: no arm has this name; arms: ",
        ),
    ],
)
def test_contradiction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: list[tuple[str, str]], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    text = PYTHON
    for change in changes:
        text = text.replace(*change, 1)
    assert expected in complaint(written(tmp_path, text=text))


def test_layers_that_are_merged_or_fused_are_no_contradiction(tmp_path: Path) -> None:
    load(written(tmp_path), ["extractor.layers=stages", "extractor.merge=max"])
    load(
        written(tmp_path), ["extractor.layers=stages", "fusers=[{name: mean, axis: branch}, {name: sum, axis: layer}]"]
    )
