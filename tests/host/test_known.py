"""The catalogue of known plugins: what is found in it, what is no catalogue, and that its entries are true."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from camforge import CamForgeError
from camforge.cli import app
from camforge.host.known import known_plugins, search
from camforge.interfaces import KINDS

ROOT = Path(__file__).resolve().parents[2]


def names(words: list[str], kind: str = "") -> list[str]:
    return [entry.distribution for entry in search(known_plugins(), words, kind)]


def test_words_and_kinds() -> None:
    assert names([]) == ["camforge-stripes", "camforge-dials", "camforge-shapes"]
    assert names(["Metric"]) == ["camforge-stripes", "camforge-shapes"]
    assert names(["metric", "roughness"]) == ["camforge-shapes"]
    assert names([], "trainer") == ["camforge-dials"]
    assert names(["nobody wrote this"]) == []
    with pytest.raises(CamForgeError, match=r"unknown kind of plugin 'metrik'; did you mean 'metric'\?"):
        names([], "metrik")


def test_kinds_of_the_catalogue_are_kinds() -> None:
    for entry in known_plugins():
        assert set(entry.gives) <= set(KINDS)
        assert all(entry.gives.values())


def test_examples_are_what_the_catalogue_says() -> None:
    """The distribution's name, its licence's file, and a class of every plugin's name."""
    for entry in known_plugins():
        folder = ROOT / entry.source
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        assert project["name"] == entry.distribution
        assert (folder / "LICENSE").read_text().startswith(f"{entry.licence} License")
        source = "".join(path.read_text() for path in folder.glob("camforge_*/*.py"))
        given = set(re.findall(r'^    name = "(\w+)"$', source, re.M))
        assert given == {name for of_kind in entry.gives.values() for name in of_kind}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "no catalogue: Invalid JSON"),
        ("{}", "no catalogue: Input should be a valid "),
        ('[{"distribution": "a"}]', "no catalogue: 0.about: Field required"),
        (json.dumps([{"distribution": "a\x1b[2J", "about": "b", "gives": {}, "source": "c", "licence": "d"}]),
         "no catalogue: 0.distribution: String should match pattern"),
        (" " * 1_000_001, "1000001 bytes; a catalogue has at most 1000000"),
    ],
)  # fmt: skip
def test_what_is_no_catalogue(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "list.json").write_text(text)
    with pytest.raises(CamForgeError) as caught:
        known_plugins(tmp_path / "list.json")
    assert str(caught.value).startswith(f"{tmp_path / 'list.json'}: {expected}")
    with pytest.raises(CamForgeError, match="cannot be read: No such file"):
        known_plugins(tmp_path / "none.json")


def test_the_command(tmp_path: Path) -> None:
    own = [
        {"distribution": "my-own", "about": "Mine.", "gives": {"fuser": ["x"]}, "source": "https://x", "licence": "MIT"}
    ]
    (tmp_path / "list.json").write_text(json.dumps(own))
    told = CliRunner().invoke(app, ["plugins", "search", "--catalogue", str(tmp_path / "list.json")]).output
    assert re.search(r"my-own\s+│\s+fuser x\s+│\s+Mine\.\s+│\s+MIT\s+│\s+no\s+│\s+https://x", told)
    assert "camforge-dials" in CliRunner().invoke(app, ["plugins", "search", "--kind", "dataset"]).output
    assert "nothing that is known" in CliRunner().invoke(app, ["plugins", "search", "zebra"]).output
