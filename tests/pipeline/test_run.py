"""One experiment file from start to report, again, killed, damaged and locked."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from filelock import FileLock

import camforge
from camforge import CamForgeError


def numbers(folder: Path) -> str:
    return (folder / "results.json").read_text()


def stages_run(results: object) -> list[str]:
    return [label for label in results.report_data.recipe["seconds"] if not label.startswith("read ")]  # type: ignore[attr-defined]


def test_a_run_leaves_numbers_recipe_and_report_and_the_next_repeats_them(tiny: Path, tmp_path: Path) -> None:
    first = camforge.run(tiny, work_dir=tmp_path / "a", quiet=True)
    assert list(first.arms) == ["baseline", "families", "both", "layers"]
    assert list(first.controls) == ["control: centred Gaussian", "control: everything"]
    for metrics in (*first.arms.values(), *first.controls.values()):
        assert {"miou", "mlev", "part_recall", "body_recall", "leakage"} <= set(metrics)
    assert first.controls["control: everything"]["part_recall"] == 100
    saved = json.loads(numbers(tmp_path / "a"))
    assert saved["arms"] == first.arms
    manifest = json.loads((tmp_path / "a/manifest.json").read_text())
    assert manifest["versions"]["torch"] == torch.__version__
    assert len(manifest["stages"]["both"]["networks"]) == 2
    assert "<html" in first.report.read_text()

    again = camforge.run(tiny, work_dir=tmp_path / "b", quiet=True)
    assert numbers(tmp_path / "b") == numbers(tmp_path / "a"), "a CPU run repeats to the digit"
    assert len([s for s in stages_run(again) if s.startswith("train")]) == 4  # three arms share the single network


def test_a_release_makes_stages_anew_only_where_its_numbers_are_others(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"overrides": ["report.images=0", "trainer.epochs=1"], "work_dir": tmp_path / "w", "quiet": True}
    first = camforge.run(tiny, **options)
    monkeypatch.setattr("camforge.pipeline.results.__version__", "9.0.0")
    assert stages_run(camforge.run(tiny, **options)) == []
    assert "others" not in (tmp_path / "w/run.log").read_text()
    for module in ("session", "results"):
        monkeypatch.setattr(f"camforge.pipeline.{module}.NUMBERS", "9.0.0")
    assert set(stages_run(camforge.run(tiny, **options))) == set(stages_run(first))
    told = "numbers of CamForge 0.1.0 may be others: no stage of then is used, all are made anew"
    assert (tmp_path / "w/run.log").read_text().count(told) == 1


def test_a_finished_stage_is_picked_up_and_a_changed_one_is_not(tiny: Path, tmp_path: Path) -> None:
    first = camforge.run(tiny, overrides=["report.images=0"], work_dir=tmp_path / "w", quiet=True)
    second = camforge.run(tiny, overrides=["report.images=0"], work_dir=tmp_path / "w", quiet=True)
    assert stages_run(second) == []
    assert second.arms == first.arms
    fused = camforge.run(
        tiny, overrides=["report.images=0", "arms.families.fusers.0.rest=none"], work_dir=tmp_path / "w", quiet=True
    )
    assert stages_run(fused) == ["measure families"], "a fuser changes no network and no map"
    assert fused.arms["families"] != first.arms["families"]
    fresh = camforge.run(tiny, overrides=["report.images=0"], work_dir=tmp_path / "w", fresh=True, quiet=True)
    assert any(stage.startswith("train") for stage in stages_run(fresh))
    assert fresh.arms == first.arms


def test_a_killed_run_goes_on_to_the_same_results(tiny: Path, tmp_path: Path) -> None:
    """In processes of their own: sums of floats also depend on what this one computed, on how many threads, before."""

    def started(folder: Path) -> subprocess.Popen[bytes]:
        options = {"overrides": ["trainer.epochs=60", "report.images=0"], "work_dir": str(folder), "quiet": True}
        return subprocess.Popen([sys.executable, "-c", f"import camforge; camforge.run({str(tiny)!r}, **{options!r})"])

    assert started(tmp_path / "whole").wait() == 0
    cut = tmp_path / "cut"
    process = started(cut)
    deadline = time.monotonic() + 120
    while not list(cut.glob("store/*.unfinished/checkpoint.pth")):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (cut / "results.json").exists()
    assert started(cut).wait() == 0
    assert numbers(cut) == numbers(tmp_path / "whole")


def test_a_damaged_entry_is_made_anew(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = camforge.run(tiny, work_dir=tmp_path / "w", quiet=True)
    weights = next((tmp_path / "w/store").glob("network-*/weights.pt"))
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 0xFF
    weights.write_bytes(content)
    for totals in (tmp_path / "w/store").glob("totals-*/totals.pt"):
        totals.write_bytes(totals.read_bytes()[:-10])
    again = camforge.run(tiny, work_dir=tmp_path / "w")
    assert again.arms == first.arms
    told = " ".join(capsys.readouterr().err.split())
    assert f"{weights.parent.name} is damaged (checksum of weights.pt)" in told


def test_two_runs_do_not_share_a_work_directory(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    with (
        FileLock(tmp_path / "w/.lock"),
        pytest.raises(CamForgeError, match=r"another run is at work in .*: wait for it, or give another --work-dir"),
    ):
        camforge.run(tiny, work_dir=tmp_path / "w", quiet=True)


def test_a_work_directory_that_cannot_be_made(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CamForgeError, match=r"cannot work in .*file/w: Not a directory"):
        camforge.run(tiny, work_dir=tmp_path / "file" / "w", quiet=True)


def test_more_clusters_than_classes_is_said_before_anything_is_trained(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(CamForgeError, match=r"arms\.both\.grouper"):
        camforge.run(tiny, overrides=["arms.both.grouper.sizes=[40]"], work_dir=tmp_path / "w", quiet=True)
    assert not list((tmp_path / "w").glob("store/network-*"))


def test_a_device_that_is_not_there(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(CamForgeError, match=r"device 'cuda:99': this machine has \d+ CUDA devices"):
        camforge.run(tiny, work_dir=tmp_path / "w", device="cuda:99", quiet=True)
    with pytest.raises(CamForgeError, match="unknown device 'abacus'; allowed: auto, cpu, cuda"):
        camforge.run(tiny, work_dir=tmp_path / "w", device="abacus", quiet=True)


def test_what_was_said_stays_in_the_log(tiny: Path, tmp_path: Path) -> None:
    for _ in range(2):
        camforge.run(tiny, work_dir=tmp_path / "w", device="cpu", quiet=True)
    lines = (tmp_path / "w" / "run.log").read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S* \S", line) for line in lines)
    assert sum(" read 64 train images: " in line for line in lines) == 2
    assert sum(" train classes (12 outputs, single): " in line for line in lines) == 1
