"""The built-ins take every plugin's road: one file each, listed by the folder's hook, an entry point per folder."""

import ast
import importlib
import tomllib
from pathlib import Path

import pytest

from camforge.host.discovery import plugin_entry_points
from camforge.interfaces import KINDS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "plugins" / "camforge_plugins"
FOLDERS = sorted(path.name for path in FOLDER.iterdir() if (path / "__init__.py").is_file())


def test_folders_are_the_kinds() -> None:
    assert sorted(f"{kind}s" for kind in KINDS) == FOLDERS


def test_every_folder_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["camforge"] == {name: f"camforge_plugins.{name}" for name in FOLDERS}


def test_what_is_installed_is_what_is_declared() -> None:
    """An entry point added to an editable install is there only after it is installed again."""
    entries, _ = plugin_entry_points()
    assert {e.name: e.target for e in entries if e.distribution == "camforge"} == {
        name: f"camforge_plugins.{name}" for name in FOLDERS
    }


def plugin_classes(folder: Path) -> set[str]:
    """Classes with a ``name`` of their own in the files of a folder: what its hook must return."""
    found = set()
    for file in folder.rglob("*.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef) and any(_names_itself(statement) for statement in node.body):
                found.add(node.name)
    return found


def _names_itself(statement: ast.stmt) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return any(isinstance(target, ast.Name) and target.id == "name" for target in targets)


@pytest.mark.parametrize("name", FOLDERS)
def test_the_hook_lists_every_class_of_its_folder(name: str) -> None:
    module = importlib.import_module(f"camforge_plugins.{name}")
    listed = getattr(module, f"camforge_{name}")()
    interface = KINDS[name.removesuffix("s")]
    assert {cls.__name__ for cls in listed if issubclass(cls, interface)} == plugin_classes(FOLDER / name)
    assert len({cls.name for cls in listed}) == len(listed)


@pytest.mark.parametrize("name", FOLDERS)
def test_one_plugin_one_file(name: str) -> None:
    module = importlib.import_module(f"camforge_plugins.{name}")
    files = [cls.__module__ for cls in getattr(module, f"camforge_{name}")()]
    assert len(set(files)) == len(files)
