"""Suites are found by name, by file and by pattern."""

import re
from pathlib import Path

import pytest

from camforge import CamForgeError
from camforge.config.shipped import named
from camforge.suite.catalogue import listing, open_suite


def test_every_table_of_the_papers_is_a_suite() -> None:
    names = named()
    assert {"quickstart", "voc-animals", "paper001-table4", "paper001-table4-small", "paper003-table1"} <= set(names)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)
    assert not any(path.name.startswith("_") for path in names.values())


def test_the_list_says_what_is_needed() -> None:
    lines = {line.name: line for line in listing()}
    assert lines["quickstart"].data == {"partworld": True}
    assert lines["paper001-table4"].data == {"voc: data/VOCdevkit": Path("data/VOCdevkit").exists()}
    assert all(line.about for line in lines.values())
    for name, line in lines.items():
        assert re.search("on 2 cores|on one core|on a GPU", line.cost), name
        assert "on 2 cores" in line.cost or "-small" not in name, name


def test_a_list_of_experiments(suite: Path) -> None:
    found = open_suite(str(suite))
    assert (found.name, found.about) == ("both", "Two of a kind")
    assert [path.name for path in found.experiments] == ["first.py", "second.py"]


def test_an_experiment_is_a_suite_of_one(suite: Path) -> None:
    found = open_suite(str(suite.with_name("first.py")))
    assert (found.name, found.experiments) == ("first", (suite.with_name("first.py"),))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: both\nexperiments: []\n", "experiments: "),
        ("name: both\nexperiments: ['none*.py']\n", "no file none*.py in"),
        ("name: ../../up\nexperiments: ['first.py']\n", "name: "),
        (
            "name: both\nexperiments: ['/etc/*.yaml']\n",
            "'/etc/*.yaml' must be a file or pattern relative to",
        ),
        ("name: both\nexperiments: ['']\n", "'' must be a file or pattern relative to"),
        ("name: both\nexperiment: a\nexperiments: ['first.py']\n", "did you mean 'experiments'?"),
    ],
)
def test_mistakes_in_a_suite(suite: Path, text: str, expected: str) -> None:
    suite.write_text(text)
    with pytest.raises(CamForgeError, match=re.escape(expected)):
        open_suite(str(suite))


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(CamForgeError, match="did you mean 'quickstart'"):
        open_suite("quikstart")
