"""The story that the report tests tell."""

import pytest
from synthetic_story import synthetic_story

from camforge.report.data import Story


@pytest.fixture
def story() -> Story:
    """Four images of 48 pixels, three classes with hostile names, two arms and a control."""
    return synthetic_story()
