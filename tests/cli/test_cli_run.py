"""``camforge run``, and the manners of the command line as a whole."""

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from camforge import __version__

Camforge = Callable[..., "tuple[int, str, str]"]

TINY = """\
name: tiny
dataset: {name: partworld, size: 32, train: 24, val: 8}
images: {size: 32}
trainer:
  name: single
  epochs: 1
  batch_size: 8
  backbone: {name: small, stem: 4, widths: [4], strides: [2], blocks: [plain]}
extractor: cam
metrics: [miou]
arms: {only: }
report: {images: 2}
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return Path("tiny.yaml")


def test_run_prints_the_table_and_where_the_report_is(camforge: Camforge, tiny: Path) -> None:
    code, out, _ = camforge("run", tiny, "--set", "seed=7", "--quiet", "--device", "cpu")
    assert code == 0
    assert "only" in out
    assert "miou" in out.lower()
    assert "work/tiny/report.html" in out
    numbers = json.loads(Path("work/tiny/results.json").read_text())
    assert set(numbers["arms"]) == {"only"}
    assert json.loads(Path("work/tiny/manifest.json").read_text())["config"]["seed"] == 7
    again = camforge("run", tiny, "--set", "seed=7", "--quiet", "--work-dir", "work/tiny")
    assert json.loads(Path("work/tiny/results.json").read_text())["arms"] == numbers["arms"]
    assert again[0] == 0


def test_a_mistake_stops_it_before_anything_is_made(camforge: Camforge, tiny: Path) -> None:
    code, out, err = camforge("run", tiny, "--set", "trainer.epochs=0")
    assert (code, out) == (2, "")
    assert err == "camforge: --set: trainer.epochs: should be greater than or equal to 1 (given: 0)\n"
    assert not Path("work").exists()


def test_stopping_by_hand_says_how_to_go_on(camforge: Camforge, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("camforge.pipeline.run.run", stop)
    code, _, err = camforge("run", tiny)
    assert (code, err) == (130, "stopped; the same command goes on where it was\n")


def test_a_fault_of_our_own_is_one_line_and_a_traceback_where_asked(
    camforge: Camforge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("camforge.host.describe.named", broken)
    code, _, err = camforge("plugins", "show", "cam")
    assert code == 70
    assert err.startswith("camforge: ZeroDivisionError: ")
    assert len(err.splitlines()) == 1
    monkeypatch.setenv("CAMFORGE_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        camforge("plugins", "show", "cam")


@pytest.mark.parametrize("command", [(), ("plugins",), ("config",)])
def test_without_a_command_there_is_help(camforge: Camforge, command: tuple[str, ...]) -> None:
    _, out, err = camforge(*command)
    assert "Usage: " in out + err
    assert "COMMAND [ARGS]" in out + err


def test_unknown_options_are_named(camforge: Camforge) -> None:
    code, _, err = camforge("run", "x.py", "--frsh")
    assert code == 2
    assert "--frsh" in err


def test_version(camforge: Camforge) -> None:
    assert camforge("--version") == (0, f"camforge {__version__}\n", "")


def test_help_is_quick() -> None:
    """Half a second of processor time; the best of three."""
    took = []
    for _ in range(3):
        before = _children()
        subprocess.run([sys.executable, "-m", "camforge", "--help"], check=True, capture_output=True)
        took.append(_children() - before)
    assert min(took) < 0.5


def _children() -> float:
    """Processor seconds of finished child processes: other programs on the machine do not count."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_the_module_is_the_command() -> None:
    said = subprocess.check_output([sys.executable, "-m", "camforge", "--version"], text=True)
    assert said == f"camforge {__version__}\n"
