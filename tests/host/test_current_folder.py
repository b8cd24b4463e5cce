"""What lies in the current folder is nobody's installed plugin: python -m and notebooks import from there first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_distributions import EXTRACTOR, write_distribution

MARK = "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\n"
LISTED = "from camforge.host.registry import registry; print(*sorted(registry().plugins['extractor']))"


def listed(here: Path, installed: Path, *command: str) -> str:
    """What Python prints when it is started in ``here`` and ``installed`` is a place for distributions."""
    places = [str(installed), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(places)}
    done = subprocess.run([sys.executable, *command], cwd=here, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A downloaded folder that calls itself a distribution, and a plugin that is installed."""
    here, installed = tmp_path / "here", tmp_path / "installed"
    here.mkdir()
    installed.mkdir()
    write_distribution(here, "stranger", MARK + EXTRACTOR.format(name="stranger"))
    (here / "honest.py").write_text(MARK + EXTRACTOR.format(name="impostor"))
    write_distribution(installed, "honest", EXTRACTOR.format(name="honest"))
    return here, installed


@pytest.mark.parametrize("command", [("-m", "camforge", "plugins", "list", "extractor"), ("-c", LISTED)])
def test_nothing_of_the_current_folder_is_loaded(folders: tuple[Path, Path], command: tuple[str, ...]) -> None:
    out = listed(*folders, *command)
    assert "honest" in out
    assert "stranger" not in out
    assert "impostor" not in out
    assert not (folders[0] / "ran").exists()


def test_a_folder_that_is_named_as_a_place_of_packages_counts(folders: tuple[Path, Path]) -> None:
    assert "stranger" in listed(folders[1].parent, folders[0], "-c", LISTED)
