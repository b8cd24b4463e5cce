"""Whole runs whose images come from other processes: with hardly any shared memory, and with those processes killed."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import camforge
from camforge import CamForgeError
from camforge.types import ImageSet, Sample
from camforge_plugins.datasets.partworld import PartWorld

ON_DEMAND = ["images.memory=0", "images.disk=0", "report.images=0", "arms={baseline: {}}"]
SMALL = "mount -t tmpfs -o size=64k tmpfs /dev/shm && exec "


def may_mount() -> bool:
    """Whether this machine lets a process have a /dev/shm of its own."""
    tried = [shutil.which("unshare") or "false", "-m", "sh", "-c", SMALL + "true"]
    return sys.platform == "linux" and subprocess.run(tried, capture_output=True).returncode == 0


def test_runs_need_hardly_any_shared_memory(tiny: Path, tmp_path: Path) -> None:
    """64 KiB, where a batch of images is 96 KiB; images are read once, or decoded at each use by other processes."""
    if not may_mount():
        pytest.skip("mounting a small /dev/shm needs Linux and the right to")
    once = ["report.images=0", "arms={baseline: {}}", "dataset.train=160"]
    code = "import camforge.data.reading as r; r.cpu_count = lambda: 2; import camforge\n"
    for name, overrides in {"once": once, "anew": [*once, *ON_DEMAND]}.items():
        options = {"overrides": overrides, "work_dir": str(tmp_path / name), "device": "cpu", "quiet": True}
        code += f"camforge.run({str(tiny)!r}, **{options!r})\n"
    command = ["unshare", "-m", "sh", "-c", SMALL + '"$@"', "sh", sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    once_read, anew = (json.loads((tmp_path / name / "results.json").read_text())["arms"] for name in ("once", "anew"))
    assert once_read == anew


@pytest.mark.parametrize("moment", [20, 90, 150, 210])
def test_a_killed_reader_ends_a_run_with_one_line_at_any_moment(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """While 64 and 12 images are read first, in the first and the second epoch, and in extraction."""
    calls, alone, opened = tmp_path / "calls", os.getpid(), PartWorld.open

    def open_counting(self: PartWorld, split: camforge.api.Split) -> ImageSet:
        images = opened(self, split)

        def load(i: int) -> Sample:
            with calls.open("ab") as file:
                file.write(b".")
            if calls.stat().st_size == moment and os.getpid() != alone:
                os.kill(os.getpid(), signal.SIGKILL)
            return images.load(i)

        return dataclasses.replace(images, load=load)

    with monkeypatch.context() as patch:
        patch.setattr(PartWorld, "open", open_counting)
        patch.setattr("camforge.data.reading.FEW", 4)
        patch.setattr("camforge.data.reading.cpu_count", lambda: 2)
        with pytest.raises(CamForgeError, match=r"a process that read images died .*, of 2 that read"):
            camforge.run(tiny, overrides=ON_DEMAND, work_dir=tmp_path / "w", device="cpu", quiet=True)
    assert not (tmp_path / "w/results.json").exists()
    assert camforge.run(tiny, overrides=ON_DEMAND, work_dir=tmp_path / "w", device="cpu", quiet=True).arms
