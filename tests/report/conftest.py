"""The story that the report tests tell."""

import pytest
from synthetic_report import synthetic_report

from camforge.report.data import ReportData


@pytest.fixture
def report_data() -> ReportData:
    """Four images of 48 pixels, three classes with hostile names, two arms and a control."""
    return synthetic_report()
