"""A stranger's import can neither hold the process nor change it."""

import os
import random
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from test_quarantine import aside_of, registry_now
from tiny_distributions import EXTRACTOR

from camforge.host.isolation import trial, untouched

Install = Callable[..., None]
CHANGES = """
import os, random, signal, sys, warnings
import numpy as np, torch
torch.set_default_dtype(torch.float64)
torch.manual_seed(99); random.seed(1); np.random.seed(2)
torch.use_deterministic_algorithms(True); torch.set_grad_enabled(False)
torch.set_float32_matmul_precision("medium"); torch.set_num_threads(torch.get_num_threads() + 1)
sys.path.insert(0, "/evil"); sys.setrecursionlimit(5000); sys.excepthook = print
os.environ["CAMFORGE_X"] = "1"; os.environ.pop("HOME", None); os.environ["PATH"] = ""
os.chdir("/"); warnings.simplefilter("ignore"); signal.signal(signal.SIGINT, signal.SIG_IGN)
print("hello from a plugin")
"""
SWALLOWS = "import time\nwhile True:\n    try: time.sleep(9)\n    except BaseException: pass\n"
MASKED = "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, {14})\ntime.sleep(99)\n"


def state() -> dict[str, object]:
    """What everybody in this process shares."""
    import signal

    return {
        "dtype": torch.get_default_dtype(), "torch": torch.get_rng_state().tolist(), "random": random.getstate(),
        "numpy": np.random.get_state()[1].tolist(), "deterministic": torch.are_deterministic_algorithms_enabled(),
        "grad": torch.is_grad_enabled(), "precision": torch.get_float32_matmul_precision(),
        "threads": torch.get_num_threads(), "path": list(sys.path), "depth": sys.getrecursionlimit(),
        "hook": sys.excepthook, "environment": dict(os.environ), "folder": os.getcwd(),
        "filters": list(warnings.filters), "signal": signal.getsignal(signal.SIGINT),
    }  # fmt: skip


@pytest.mark.parametrize("ending", ["", "raise ValueError('no')\n", "import sys\nsys.exit(3)\n"])
def test_what_an_import_changes_is_put_back(install: Install, capfd: pytest.CaptureFixture[str], ending: str) -> None:
    """Whether the plugin is taken in or rejected; what it prints is no part of a command's output."""
    name = f"changes_{len(ending)}"
    install(name, CHANGES + EXTRACTOR.format(name=name) + ending)
    before = state()
    registry = registry_now()
    assert state() == before
    assert (name in registry.plugins["extractor"]) == (not ending)
    out, err = capfd.readouterr()
    assert "hello" not in out
    assert "hello from a plugin" in err


@pytest.mark.skipif(sys.platform != "linux", reason="a process is copied on Linux alone")
@pytest.mark.parametrize(
    ("name", "source", "reason"),
    [
        ("swallows", SWALLOWS, "took more than 0.5 s"),
        ("spins", "import re\nre.match(r'(a+)+$', 'a' * 60 + 'b')\n", "took more than 0.5 s"),
        ("masked", MASKED, "took more than 0.5 s"),
        ("ends", "import os\nos._exit(9)\n", "the process ended with code 9"),
        ("dies", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "the process was ended by signal 9"),
    ],
)  # fmt: skip
def test_a_plugin_that_hangs_or_dies_is_rejected(
    install: Install, monkeypatch: pytest.MonkeyPatch, name: str, source: str, reason: str
) -> None:
    monkeypatch.setenv("CAMFORGE_PLUGIN_SECONDS", "0.5")
    install(name, source)
    start = time.monotonic()
    (rejected,) = aside_of(registry_now(), name)
    assert rejected.step == "import"
    assert reason in rejected.reason
    assert time.monotonic() - start < 60  # not for ever
    assert name not in sys.modules


def test_a_step_that_works_is_taken_here_alone() -> None:
    seen: list[int] = []
    assert trial(lambda: seen.append(1), 30.0) == ""
    assert seen == []
    assert trial(lambda: 1 / 0, 30.0) == ""  # told where it is raised again
    with untouched():
        seen.append(2)
    assert seen == [2]


@pytest.mark.skipif(sys.platform != "linux", reason="a process is copied on Linux alone")
def test_no_child_is_left() -> None:
    """Other tests' workers may still be there."""
    before = children()
    trial(lambda: time.sleep(60), 0.1)
    assert children() <= before


def children() -> set[int]:
    """This process's children, those that ended and were not waited for among them."""
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {int(pid) for task in tasks for pid in task.read_text().split()}


def test_options_that_no_config_can_hold(install: Install) -> None:
    odd = EXTRACTOR.replace("from camforge", "from collections.abc import Callable\nfrom camforge")
    install(
        "odd_options", odd.replace('name = "{name}"', 'name = "oddopt"\n    how: Callable[[int], int] | None = None')
    )
    (rejected,) = aside_of(registry_now(), "odd_options")
    assert rejected.step == "interface"
    assert "Zero: its options cannot be written as JSON: " in rejected.reason


def test_two_distributions_with_one_plugin_name(install: Install) -> None:
    install("twin_one", EXTRACTOR.format(name="twin"))
    install("twin_two", EXTRACTOR.format(name="twin"))
    registry = registry_now()
    assert registry.plugins["extractor"]["twin"].distribution == "twin_one"
    (rejected,) = aside_of(registry, "twin_two")
    assert (rejected.step, rejected.reason) == ("name", "extractor 'twin' of Zero is taken by twin_one")


def test_start_up_of_a_process_with_such_a_plugin(install: Install, tmp_path: object) -> None:
    install("swallows_too", SWALLOWS)
    command = "import camforge; print(camforge.build('extractor', 'gradcam').name)"
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "CAMFORGE_PLUGIN_SECONDS": "0.5"}
    done = subprocess.run(
        [sys.executable, "-c", command], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.stdout == "gradcam\n", done.stderr
