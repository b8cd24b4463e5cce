"""What others need to take the project over: files that are read by machines say what is so."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest
import yaml

import camforge
from camforge.files import file_name

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_version_has_one_source() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "camforge/__init__.py"
    written = [
        path
        for path in (*ROOT.glob("camforge/**/*.py"), *ROOT.glob("plugins/**/*.py"))
        if re.search(r"^__version__ *= *[\"']", path.read_text("utf-8"), re.M)
    ]
    assert written == [ROOT / "camforge/__init__.py"]
    release = camforge.__version__.partition(".dev")[0]  # 0.2.0.dev0 leads to 0.2.0
    assert re.search(rf"^## .*\b{re.escape(release)}\b", (ROOT / "CHANGELOG.md").read_text(), re.M)


def test_the_citation_names_the_five_papers() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["license"] == PROJECT["project"]["license"]
    titles = {reference["title"].casefold() for reference in citation["references"]}
    pages = [re.sub(r"\s+", " ", (ROOT / f"docs/papers/00{i}.md").read_text()).casefold() for i in range(5)]
    assert len(titles) == 5
    assert all(any(title in page for page in pages) for title in titles)
    assert all({"family-names", "given-names"} == set(a) for r in citation["references"] for a in r["authors"])


@pytest.mark.parametrize("path", sorted((ROOT / ".github/workflows").iterdir()), ids=lambda path: path.name)
def test_workflows_run_what_is_there(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    assert content["permissions"] == {"contents": "read"}  # a job that needs more says so itself
    for job in content["jobs"].values():
        targets = set(job.get("strategy", {}).get("matrix", {}).get("target", ()))
        for step in job["steps"]:
            assert re.search(r"@v?\d|@release/", step["uses"]) if "uses" in step else step["run"]
            targets |= set(re.findall(r"\bmake (\w+)", step.get("run", "")))
        assert all(re.search(rf"^{target}:", MAKEFILE, re.M) for target in targets), targets
    assert len(path.read_text().splitlines()) < 50


def test_every_file_can_be_unpacked_on_windows() -> None:
    """An archive with another name is refused by some installers on every system."""
    folders = ("camforge", "plugins", "configs", "docs", "examples", "benchmarks", "tests", ".github", ".ci")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    assert len(paths) > 500
    assert [path for path in paths if file_name(path.name.lstrip(".")) != path.name.lstrip(".")] == []


def test_a_release_is_tested_by_tests_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TESTS", raising=False)
    tests = runpy.run_path(str(ROOT / ".ci/release.py"))["TESTS"]
    assert tests
    assert [path for path in tests if not (ROOT / path).exists()] == []


def test_workflows_speak_for_three_systems() -> None:
    told = (ROOT / ".github/workflows/tests.yml").read_text()
    assert all(f"{system}-latest" in told for system in ("ubuntu", "macos", "windows"))


def test_every_target_is_phony_or_a_file() -> None:
    targets = set(re.findall(r"^(\w+):", MAKEFILE, re.M))
    phony = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.M)[1].split())
    assert targets == phony


def test_forms_and_hooks_can_be_read() -> None:
    for path in sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")):
        form = yaml.safe_load(path.read_text())
        assert path.name == "config.yml" or {"name", "description", "body"} <= set(form)
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    checked = re.search(r"^check: install\n((?:\t.*\n)+)", MAKEFILE, re.M)[1]
    for hook in hooks:  # the hooks are what `make check` runs
        assert f"$(BIN)/{hook['entry'].split('/')[2].split()[0]}" in checked


def test_the_image_copies_what_the_wheel_is_built_of() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(), re.M)
    paths = {name for line in copied for name in line.split()}
    assert all((ROOT / name).exists() for name in paths)
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {package.partition("/")[0] for package in wheel["packages"]} | set(wheel["force-include"]) <= paths
