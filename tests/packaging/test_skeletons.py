"""``camforge plugins new``: what it writes passes its own tests at once."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from camforge.host.skeleton import write
from camforge.interfaces import KINDS
from camforge.types import CamForgeError


def test_skeletons_of_every_kind_pass_their_tests(tmp_path: Path) -> None:
    folders = [write(kind, f"my_{kind}", tmp_path) for kind in KINDS]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*map(str, folders), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [*command, *map(str, folders)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "failed" not in done.stdout


def test_one_skeleton_needs_no_installation(tmp_path: Path) -> None:
    folder = write("extractor", "mycam", tmp_path)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        ".github/workflows/release.yml",
        ".github/workflows/tests.yml",
        ".gitignore",
        "LICENSE",
        "README.md",
        "camforge_mycam.py",
        "pyproject.toml",
        "tests/test_mycam.py",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "round_trip"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout


def test_the_entry_point_names_the_module(tmp_path: Path) -> None:
    project = tomllib.loads((write("fuser", "my_fuser", tmp_path) / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["camforge"] == {"my_fuser": "camforge_my_fuser"}
    assert project["name"] == "camforge-my-fuser"


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("extractr", "mycam", "unknown kind of plugin 'extractr'; did you mean 'extractor'? kinds: backbone, "),
        ("extractor", "My CAM", "'My CAM' cannot be a plugin's name: small letters, digits and underscores"),
        ("extractor", "../mycam", "'../mycam' cannot be a plugin's name"),
        ("metric", "none", "'none' cannot be a plugin's name"),  # class None
        ("extractor", "gradcam", "extractor 'gradcam' is taken by camforge; give yours another name"),
        ("fuser", "plugins", "a module camforge_plugins is installed already; give the plugin another name"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, kind: str, name: str, expected: str) -> None:
    with pytest.raises(CamForgeError) as caught:
        write(kind, name, tmp_path)
    assert str(caught.value).startswith(expected)
    assert list(tmp_path.iterdir()) == []


def test_author_and_repository_stand_where_they_belong(tmp_path: Path) -> None:
    folder = write("metric", "mine", tmp_path, author="Ada Łovelace & <sons>", repository="https://example.org/mine")
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["authors"] == [{"name": "Ada Łovelace & <sons>"}]
    assert project["urls"] == {"Repository": "https://example.org/mine"}
    assert project["license"] == "MIT"
    assert "Ada Łovelace & <sons>" in (folder / "LICENSE").read_text("utf-8")
    assert "https://example.org/mine/actions/workflows/tests.yml/badge.svg" in (folder / "README.md").read_text()


@pytest.mark.parametrize("text", ['a "quote"', "a\nline", "a\\backslash"])
def test_no_answer_ends_a_string_of_the_project_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(CamForgeError, match="quotes, backslashes or control characters"):
        write("metric", "mine", tmp_path, author=text)
    assert list(tmp_path.iterdir()) == []


def test_workflows_are_yaml_with_their_own_braces(tmp_path: Path) -> None:
    """What looks like the template's own marks stays GitHub's."""
    for path in sorted((write("fuser", "mine", tmp_path) / ".github/workflows").iterdir()):
        jobs = yaml.safe_load(path.read_text())["jobs"]
        assert all("runs-on" in job and job["steps"] for job in jobs.values())
    assert "${{ matrix.python }}" in (tmp_path / "camforge-mine/.github/workflows/tests.yml").read_text()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    folder = write("metric", "mine", tmp_path)
    (folder / "README.md").write_text("my own words")
    with pytest.raises(CamForgeError, match="is already there: it is left as it is"):
        write("metric", "mine", tmp_path)
    assert (folder / "README.md").read_text() == "my own words"
