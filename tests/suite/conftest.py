"""A suite, not yet run."""

from pathlib import Path

import pytest
from tiny_suite import write_suite


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite's file with two experiments."""
    return write_suite(tmp_path)
