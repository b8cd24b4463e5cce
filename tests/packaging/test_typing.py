"""CamForge is typed for those who import it: a checker knows what its front door returns."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
USER = """
from typing import assert_type

import torch
from torch import Tensor

import camforge
from camforge.api import Backbone, Extractor, GradientExtractor, Metric, MetricInput, Network

model = torch.nn.Linear(3, 2)
one = camforge.explain(model, torch.zeros(1, 3, 8, 8))
assert_type(one, camforge.Explanation)
assert_type(one.maps, Tensor)
assert_type(camforge.explain(model, torch.zeros(1, 3, 8, 8), extractor=["gradcam"]), dict[str, camforge.Explanation])
assert_type(camforge.build("extractor", "gradcam"), Extractor)
assert_type(camforge.build("metric", {"name": "miou"}), Metric)
assert_type(camforge.build("backbone", "small").build(3), Network)


class Mine(GradientExtractor):
    name = "mine"

    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        return (gradients * activations).sum(1)


def told(error: camforge.CamForgeError) -> str:
    return str(error)
"""
WRONG = """
import camforge

camforge.build("extractor", 3)
camforge.build("metric", "miou").updat
camforge.explain("model", None)
"""


@pytest.mark.parametrize("package", ["camforge", "plugins/camforge_plugins"])
def test_the_packages_say_that_they_are_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


@pytest.mark.slow
def test_what_a_checker_tells_a_user(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="needs mypy, which the dev extra brings")
    (tmp_path / "user.py").write_text(USER)
    (tmp_path / "wrong.py").write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports", "silent", "--config-file", os.devnull]
    env = os.environ | {"MYPYPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}
    done = subprocess.run([*command, "user.py", "wrong.py"], capture_output=True, text=True, env=env, cwd=tmp_path)
    places = [line.partition(": ")[0] for line in done.stdout.splitlines() if ": error: " in line]
    assert set(places) == {"wrong.py:4", "wrong.py:5", "wrong.py:6"}, done.stdout + done.stderr
