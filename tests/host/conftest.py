"""A place on sys.path to install tiny distributions in."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_distributions import write_distribution


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a distribution for this test's process."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return lambda name, source, entry_points=None: write_distribution(tmp_path, name, source, entry_points)
