"""Runs whose home, open files or clock are not what they usually are: the same numbers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import camforge

SHORT = "report.images=0"
DAY = 86400


def limit_files() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux", reason="limits open files, and takes a folder of /proc that nobody can make"
)
@pytest.mark.parametrize("home", [None, "/proc/home"])
def test_no_home_and_few_files(tiny: Path, tmp_path: Path, whole: bytes, home: str | None) -> None:
    """A home that is not told, and one that is not there and cannot be made; at most 64 open files."""
    without = {name: value for name, value in os.environ.items() if name != "HOME" and not name.startswith("XDG_")}
    told = without | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"} | ({"HOME": home} if home else {})
    command = [sys.executable, "-m", "camforge", "run", str(tiny), "--work-dir", str(tmp_path / "w"), "--device", "cpu"]
    run = subprocess.run(
        [*command, "--set", SHORT], env=told, preexec_fn=limit_files, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr
    assert (tmp_path / "w/results.json").read_bytes() == whole


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_was_set(tiny: Path, tmp_path: Path, days: int) -> None:
    """Files of long ago, and of a time to come: what is finished stays finished."""

    def numbers() -> tuple[dict[str, object], list[str]]:
        run = camforge.run(tiny, overrides=[SHORT, "trainer.epochs=1"], work_dir=tmp_path / "w", quiet=True)
        done = [label for label in run.report_data.recipe["seconds"] if not label.startswith("read ")]
        return json.loads((tmp_path / "w/results.json").read_text())["arms"], done

    arms, done = numbers()
    assert "train classes (12 outputs, single)" in done
    for path in tmp_path.rglob("*"):
        status = path.stat()
        os.utime(path, (status.st_atime + days * DAY, status.st_mtime + days * DAY))
    assert numbers() == (arms, [])
