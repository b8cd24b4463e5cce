"""Reference numbers."""

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    """Numbers computed elsewhere, in float64, with direct transcriptions of the papers and of their authors' code."""
    return json.loads((Path(__file__).parent / "metrics.json").read_text())
