"""Disks that are full or read-only, and a run that is stopped: one clear line, nothing lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import camforge
from camforge import CamForgeError

pytestmark = pytest.mark.usefixtures("one_thread")
SHORT = ["report.images=0"]
GO_ON = "; finished stages are kept, the same command goes on where it was$"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 100 KiB: a training's checkpoints fit, all stages do not."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs takes root on Linux")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def test_a_disk_that_is_full_and_one_that_is_read_only(tiny: Path, disk: Path, whole: bytes) -> None:
    def go_on() -> None:
        camforge.run(tiny, overrides=SHORT, work_dir=disk / "w", device="cpu", quiet=True)

    with pytest.raises(CamForgeError, match="No space left on device" + GO_ON) as full:
        go_on()
    assert "\n" not in str(full.value)
    assert not (disk / "w/results.json").exists()
    remount(disk, "size=8m,ro")
    with pytest.raises(CamForgeError, match=r"cannot work in .*disk/w: Read-only file system"):
        go_on()
    remount(disk, "rw")
    go_on()
    assert (disk / "w/results.json").read_bytes() == whole


@pytest.mark.skipif(sys.platform != "linux", reason="sends a signal to a group of processes")
def test_ctrl_c_stops_and_the_same_command_goes_on(tiny: Path, tmp_path: Path, whole: bytes) -> None:
    work = tmp_path / "w"
    command = [sys.executable, "-m", "camforge", "run", str(tiny), "--work-dir", str(work), "--device", "cpu"]
    run = subprocess.Popen(
        [*command, "--set", SHORT[0]], stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
    )  # fmt: skip
    while not list(work.glob("store/*.unfinished")):
        assert run.poll() is None, "it ended before it could be stopped"
        time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGINT)
    said = run.communicate(timeout=300)[1]
    assert run.returncode == 130, said
    assert said.endswith("stopped; the same command goes on where it was\n")
    assert "Traceback" not in said
    assert not (work / "results.json").exists()
    camforge.run(tiny, overrides=SHORT, work_dir=work, device="cpu", quiet=True)
    assert (work / "results.json").read_bytes() == whole
