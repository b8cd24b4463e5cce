"""Imports go one way, and the command line starts at once."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_camforge_alone_waits_for_no_torch() -> None:
    heavy = "torch torchvision pydantic mmengine cv2 sklearn rich typer"
    code = f"import sys, camforge; print([name for name in {heavy.split()} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_the_command_line_module_waits_for_no_torch() -> None:
    heavy = "torch torchvision pydantic mmengine cv2 sklearn"
    code = f"import sys, camforge.cli; print([name for name in {heavy.split()} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
