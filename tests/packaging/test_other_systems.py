"""Systems that lack parts of POSIX: Windows has no fork, no alarms and no os.sync."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT_POSIX = """
import os, signal, sys
import joblib, mmengine.runner, torch, torchvision  # others' modules know their system
for module, names in (
    (os, ("fork", "O_NOFOLLOW", "O_NONBLOCK", "pidfd_open", "preadv", "pwrite", "register_at_fork", "sync", "sysconf")),
    (signal, ("ITIMER_REAL", "SIGALRM", "SIGKILL", "setitimer")),
):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
sys.modules |= dict.fromkeys(("fcntl", "grp", "pwd", "resource", "termios"))

import camforge, camforge.analysis.export, camforge.cli, camforge.pipeline.run, camforge.suite.run
nn = torch.nn
net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
print(tuple(camforge.explain(net, torch.rand(1, 3, 16, 16)).maps.shape))
"""


@pytest.mark.slow
def test_camforge_is_imported_and_explains_without_what_only_posix_has() -> None:
    made = subprocess.run([sys.executable, "-c", WITHOUT_POSIX], capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip().splitlines()[-1] == "(1, 16, 16)"
