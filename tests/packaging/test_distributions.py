"""CamForge's own wheel, and a stranger's distribution installed beside it without CamForge knowing of it."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "third_party_plugin"
PIP = [sys.executable, "-m", "pip"]
OFFLINE = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]

pytest.importorskip("hatchling", reason="building needs hatchling, which the dev extra brings")


def output(command: list[object], **options: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: building leaves files behind."""
    folder = tmp_path_factory.mktemp("example") / "third_party_plugin"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", "work", "*.egg-info"))
    return folder


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of a fresh environment that sees, after its own, the packages installed here."""
    venv.create(tmp_path / "env", with_pip=False)
    interpreter = tmp_path / "env" / "bin" / "python"
    site = output([interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip()
    here = sysconfig.get_path("purelib")
    (Path(site) / "here.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    return interpreter


@pytest.mark.slow
def test_a_strangers_distribution_lives_its_whole_life(python: Path, example: Path, tmp_path: Path) -> None:
    output([*PIP, "--python", python, "install", *OFFLINE, example])
    where = output([python, "-c", "import camforge_stripes; print(camforge_stripes.__file__)"])
    assert where.startswith(str(tmp_path / "env"))
    listed = output([python, "-m", "camforge", "plugins", "list"])
    for name in ("positive_cam", "softmax_mean", "agreement"):
        (line,) = [line for line in listed.splitlines() if f" {name} " in line]
        assert "camforge-stripes" in line
        assert "0.1.0" in line
    command = [python, "-m", "camforge", "run", example / "experiment.py", "--work-dir", tmp_path / "work", "--quiet"]
    table = output(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    numbers = json.loads((tmp_path / "work" / "results.json").read_text())["arms"]
    assert set(numbers) == {"gradcam", "positive"}
    assert all(0 <= arm["agreement"] <= 100 for arm in numbers.values())
    assert "agreement" in table
    assert "positive_cam" in (tmp_path / "work" / "report.html").read_text()

    joined = tmp_path / "quick.yaml"
    joined.write_text(
        "name: quick\ndataset: {name: partworld, size: 32, train: 24, val: 8}\nimages: {size: 32}\n"
        "trainer: {name: single, epochs: 1, backbone: small}\nextractor: gradcam\narms: {gradcam: }\nmetrics: [miou]\n"
    )
    add = ["--add", "extractor=positive_cam", "--add", "metric=agreement"]
    bench = [python, "-m", "camforge", "bench", joined, *add, "--work-dir", tmp_path / "suite", "--quiet"]
    table = output(bench, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert "positive_cam" in table
    assert "agreement" in table
    assert "positive_cam" in (tmp_path / "suite" / "index.html").read_text()


def test_an_editable_installation(python: Path, example: Path) -> None:
    output([*PIP, "--python", python, "install", *OFFLINE, "--editable", example])
    where = output([python, "-c", "import camforge_stripes; print(camforge_stripes.__file__)"])
    assert where.startswith(str(example))
    checked = output([python, "-m", "camforge", "plugins", "check", "camforge-stripes"])
    assert checked == (
        "ok    camforge-stripes:stripes: gives extractor positive_cam, fuser softmax_mean, metric agreement\n"
    )
    told = output([python, "-m", "camforge", "config", "check", example / "experiment.py"])
    assert "no mistakes. Experiment 'stripes', arms: gradcam, positive" in told


def test_the_wheel_holds_all_that_camforge_reads(tmp_path: Path) -> None:
    output([*PIP, "wheel", *OFFLINE, "--wheel-dir", tmp_path, ROOT])
    (wheel,) = tmp_path.glob("camforge-*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    folders = (ROOT / "camforge", ROOT / "plugins" / "camforge_plugins")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    needed = {path.relative_to(ROOT).as_posix().removeprefix("plugins/") for path in files}
    assert needed - inside == set()
    assert {"camforge/py.typed", "camforge_plugins/py.typed"} <= inside
    shipped = {f"camforge/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "configs").rglob("*.py")}
    assert shipped - inside == set()
    assert not [name for name in inside if name.startswith(("tests/", "configs/", "examples/"))]


def test_the_extractor_has_fewer_than_twenty_lines() -> None:
    lines = (EXAMPLE / "camforge_stripes" / "positive_cam.py").read_text().splitlines()
    assert len(lines) < 20


def test_the_contracts_of_the_example_hold(example: Path) -> None:
    assert " passed" in output([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=example)
