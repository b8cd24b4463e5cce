"""Two processes that compute one run: the networks and numbers of one process, and an end for all where one fails."""

import json
import os
import subprocess
import sys
from pathlib import Path

import double_backbone
import pytest
import torch

import camforge
from camforge import CamForgeError

TWO = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "camforge", "run"]
# 67 images in batches of 16: the last batch has three, one process two of them. Mirrored and cropped at random.
# SGD, whose steps are as exact as the gradients: Adam's are up to lr / 1e-8 times as far off.
OVERRIDES = [
    "trainer.optimizer=sgd", "arms.both.trainer.optimizer=sgd", "arms.both.grouper.trainer.optimizer=sgd",
    "dataset.train=67", "images.train_size=36", "trainer.flip=true", "trainer.batch_size=16", "batch_size=5",
    "arms.both.trainer.batch_size=33",  # 1 image for 2 processes in the last batch
]  # fmt: skip


def launched(config: Path, folder: Path, overrides: list[str]) -> subprocess.CompletedProcess[str]:
    """The experiment in two processes, which find the plugin in float64 as one that is installed."""
    site = config.parent / "site"
    site.mkdir()
    (site / "double_backbone.py").write_bytes(Path(double_backbone.__file__).read_bytes())
    info = site / "camforge_test_double-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {double_backbone.DISTRIBUTION}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[camforge]\ndouble = double_backbone\n")
    asked = [word for one in overrides for word in ("--set", one)]
    command = [*TWO, str(config), "--work-dir", str(folder), "--device", "cpu", "--launcher", "pytorch", *asked]
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, cwd=config.parent)


def networks(folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """The weights of every training, by what was trained."""
    found = {}
    for entry in (folder / "store").glob("network-*/weights.pt"):
        found[entry.parent.name] = torch.load(entry, weights_only=True)
    return found


@pytest.mark.slow
def test_two_processes_train_the_networks_of_one_and_tell_the_same(tiny_double: Path, tmp_path: Path) -> None:
    """In float64: the images, the random numbers, the statistics and the gradients are those of one."""
    camforge.run(tiny_double, overrides=OVERRIDES, work_dir=tmp_path / "one", device="cpu", quiet=True)
    ended = launched(tiny_double, tmp_path / "two", OVERRIDES)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("report: ") == 1  # the first process alone tells
    one, two = networks(tmp_path / "one"), networks(tmp_path / "two")
    assert one.keys() == two.keys()
    assert len(one) == 5
    for name, weights in one.items():
        for part, value in weights.items():
            assert value.dtype in (torch.float64, torch.int64), part
            torch.testing.assert_close(two[name][part], value, rtol=1e-9, atol=1e-9, msg=f"{name} {part}")
    numbers = [json.loads((tmp_path / which / "results.json").read_text())["arms"] for which in ("one", "two")]
    for arm, metrics in numbers[0].items():
        assert numbers[1][arm] == pytest.approx(metrics, rel=1e-9), arm


@pytest.mark.slow
def test_an_arm_that_fails_ends_every_process_and_a_second_run_goes_on(tiny: Path, tmp_path: Path) -> None:
    ended = launched(tiny, tmp_path / "two", ["arms.both.trainer.lr=1e30"])
    assert ended.returncode != 0
    assert "a smaller lr than 1e+30 may help" in ended.stderr
    assert not (tmp_path / "two/results.json").exists()
    assert len(networks(tmp_path / "two")) >= 1  # what was finished before is kept
    again = camforge.run(tiny, work_dir=tmp_path / "two", device="cpu", quiet=True)
    assert not again.failures


def test_a_launcher_that_did_not_start_this_process(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(CamForgeError, match=r"^launcher 'pytorch': this process was not started by it"):
        camforge.run(tiny, work_dir=tmp_path / "w", launcher="pytorch")
    with pytest.raises(CamForgeError, match=r"^workers 2, cluster None, launcher 'pytorch': give one of the three$"):
        camforge.run(tiny, work_dir=tmp_path / "w", launcher="pytorch", workers=2)
