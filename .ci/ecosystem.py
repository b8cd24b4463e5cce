"""Every plugin of the catalogue in an environment of its own: is it found, do its contracts hold, does it run?

python .ci/ecosystem.py NAME=PYTHON ...   environments with CamForge and pytest, such as this=.venv/bin/python

Each distribution is installed into a new environment that sees the packages of that interpreter behind its own. Prints
a table, writes ``work/ecosystem.json``, and ends with 1 where something does not hold.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "camforge" / "host" / "known_plugins.json"
WHAT = "import camforge, torch; print(camforge.__version__, torch.__version__)"


def run(*command: object, cwd: Path = ROOT) -> tuple[bool, str]:
    """(whether it ended well, what it printed)."""
    quiet = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=quiet, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def environment(folder: Path, base: str) -> Path:
    """A new interpreter that finds the base's packages after its own."""
    run(base, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    _, here = run(base, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    _, own = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    Path(own.strip(), "base.pth").write_text(f"import site; site.addsitedir({here.strip()!r})\n")
    return python


def steps(entry: dict[str, object], python: Path, base: str, folder: Path) -> Iterator[tuple[str, bool, str]]:
    """(step, whether it holds, what was printed), until one does not."""
    source, name = str(entry["source"]), str(entry["distribution"])
    at = ROOT / source if (ROOT / source).is_dir() else None
    builds = ("--no-build-isolation", "--no-deps") if at else ()  # of a folder: with what the base has
    yield "install", *run(base, "-m", "pip", "--python", python, "install", "-q", *builds, at or source)
    ok, told = run(python, "-m", "camforge", "plugins", "check", name)
    gives = [f"{kind} {one}" for kind, names in dict(entry["gives"]).items() for one in names]
    missing = [one for one in gives if one not in told]
    yield "found", ok and not missing, f"{told}missing: {missing}"
    if at is None:
        return
    yield "contracts", *run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=at)
    if (at / "experiment.py").is_file():
        yield "runs", *run(python, "-m", "camforge", "run", at / "experiment.py", "--quiet", "--work-dir", folder / "w")


def tried(entry: dict[str, object], label: str, base: str) -> dict[str, object]:
    """One distribution in one environment."""
    with tempfile.TemporaryDirectory(prefix="camforge-ecosystem-") as name:
        start, folder = time.perf_counter(), Path(name)
        python = environment(folder / "env", base)
        _, versions = run(python, "-c", WHAT)
        row: dict[str, object] = {
            "distribution": entry["distribution"],
            "environment": label,
            "versions": versions.strip(),
        }
        for step, holds, told in steps(entry, python, base, folder):
            passed = re.search(r"\d+ passed", told) if step == "contracts" else None
            row[step] = passed[0] if passed and holds else "ok" if holds else "WRONG"
            if not holds:
                row["why"] = told.strip()[-2000:]
                break
        return row | {"seconds": round(time.perf_counter() - start, 1)}


def main(asked: list[str]) -> int:
    rows = [
        tried(entry, *one.split("=", 1))
        for one in asked or [f"this={sys.executable}"]
        for entry in json.loads(CATALOGUE.read_text("utf-8"))
    ]
    columns = ("distribution", "environment", "versions", "install", "found", "contracts", "runs", "seconds")
    lines = [columns, *(tuple(str(row.get(column, "-")) for column in columns) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    for row in (row for row in rows if "why" in row):
        print(f"\n{row['distribution']} ({row['environment']}):\n{row['why']}")
    (ROOT / "work").mkdir(exist_ok=True)
    (ROOT / "work" / "ecosystem.json").write_text(json.dumps(rows, indent=1) + "\n")
    return int(any("why" in row for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
