"""Every built-in data set passes the contract that plugin authors run."""

from camforge.host.registry import build
from camforge.testing import DatasetContract


class TestPartWorld(DatasetContract):
    cases = (
        build("dataset", {"name": "partworld", "train": 60, "val": 20}),
        build("dataset", {"name": "partworld", "train": 40, "val": 10, "size": 48, "background_match": 0.25}),
    )
