"""A release, rehearsed: build, check, and test the wheel and the sdist in fresh environments of every Python found.

python .ci/release.py [PYTHON ...]   interpreters; none: python3.11 to python3.14, those that are there

Ends with 1 where anything does not hold. It publishes nothing: that is the workflow's, after a tag.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
SERIES = ("3.11", "3.12", "3.13", "3.14")
TESTS = os.environ.get("TESTS", "tests/fusers tests/host/test_registry.py tests/config/test_config_mistakes.py").split()
"""Of the repository, run against what was installed."""
TINY = ("dataset.train=48", "dataset.val=8", "trainer.epochs=1", "trainer.batch_size=16", "report.images=2")


def run(*command: object, cwd: Path | None = None) -> str:
    """What it printed. Ends everything where it fails."""
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"failed: {' '.join(map(str, command))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout.strip()


def version() -> str:
    """The one in ``camforge/__init__.py``, which the changelog must speak of: of the release that ``.dev`` leads to."""
    source = (ROOT / "camforge" / "__init__.py").read_text("utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', source, re.M)
    assert found is not None
    release = found[1].partition(".dev")[0]
    if not re.search(rf"^## .*\b{re.escape(release)}\b", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M):
        sys.exit(f"CHANGELOG.md has no heading for {release}")
    return found[1]


def build() -> list[Path]:
    """The wheel and the sdist, checked."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", DIST, ROOT)
    files = sorted(DIST.iterdir())
    print(run(sys.executable, "-m", "twine", "check", "--strict", *files))
    return files


def pythons(asked: list[str]) -> list[str]:
    """Those that were asked for, or those that are there and start."""
    found = asked or [path for series in SERIES if (path := shutil.which(f"python{series}"))]
    return [p for p in found if subprocess.run([p, "-c", ""], capture_output=True, check=False).returncode == 0]


def test(python: str, file: Path, expected: str) -> None:
    """Install one file into a new environment; its commands, an experiment and tests of the repository run."""
    with tempfile.TemporaryDirectory(prefix="camforge-release-") as name:
        folder = Path(name)
        own = folder / "env" / "bin" / "python"
        uv = [sys.executable, "-m", "uv"]
        run(*uv, "venv", "--quiet", "--python", python, folder / "env")
        run(*uv, "pip", "install", "--quiet", "--python", own, file, "pytest", "hypothesis", "jsonschema")
        told = run(own, "-m", "camforge", "--version", cwd=folder)
        assert told == f"camforge {expected}", told
        where = run(own, "-c", "import camforge; print(camforge.__file__)", cwd=folder)
        assert where.startswith(str(folder)), where
        checked = run(own, "-m", "camforge", "plugins", "check", cwd=folder)
        config = Path(where).parent / "configs" / "leaderboard" / "partworld.yaml"
        tiny = [part for setting in TINY for part in ("--set", setting)]
        run(own, "-m", "camforge", "run", config, *tiny, "--quiet", "--work-dir", folder / "work", cwd=folder)
        assert (folder / "work" / "report.html").is_file()
        run(own, "-m", "camforge", "plugins", "new", "metric", "mine", cwd=folder)
        shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        tests = run(own, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS, cwd=folder).splitlines()[-1]
        print(f"{run(own, '-V')}: {file.name}: {len(checked.splitlines())} entry points ok, an experiment, {tests}")


def main(asked: list[str]) -> None:
    expected = version()
    print(f"camforge {expected}")
    files = build()
    for python in pythons(asked):
        for file in files:
            test(python, file, expected)


if __name__ == "__main__":
    main(sys.argv[1:])
