"""The notebook in examples/ runs from its first cell to its last, and its last lines show themselves."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

import camforge

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "notebook.ipynb"
TINY = (
    "dataset.size=32", "dataset.train=64", "dataset.val=12", "images.size=32", "trainer.epochs=1",
    "trainer.backbone.stem=4", "trainer.backbone.widths=[8,8]", "trainer.backbone.strides=[2,1]",
    'trainer.backbone.blocks=["plain","plain"]', "report.images=4",
)  # fmt: skip


def shown(source: str, names: dict[str, Any]) -> dict[str, str | bytes]:
    """Run a cell; what a notebook shows of its last line, by kind."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if last is None:
        return {}
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    methods = {kind: getattr(value, f"_repr_{kind}_", None) for kind in ("html", "svg", "png")}
    return {kind: method() for kind, method in methods.items() if method is not None}


@pytest.fixture(scope="module")
def cells(tmp_path_factory) -> list[dict[str, str | bytes]]:
    """What every code cell shows."""
    real = camforge.run
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        tiny = lambda config, **rest: real(config, overrides=TINY, device="cpu", quiet=True, **rest)  # noqa: E731
        patch.setattr(camforge, "run", tiny, raising=False)
        names: dict[str, Any] = {}
        code = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
        return [shown("".join(cell["source"]), names) for cell in code]


def test_every_cell_shows_what_it_should(cells):
    assert [sorted(cell) for cell in cells] == [
        ["html"], ["html"], ["png"], ["html"], ["svg"], ["html"], ["png"], ["png"], [],
    ]  # fmt: skip


def test_the_experiment_and_the_results_name_their_arms(cells):
    for cell in cells[:2]:
        assert ">families</th>" in cell["html"]
        assert ">gradcam</th>" in cell["html"]


def test_the_drawing_has_the_families(cells):
    assert all(f">{name}</text>" in cells[4]["svg"] for name in ("ring-fish", "gem-kite", "fan-snake"))


def test_nothing_was_left_behind_in_the_notebook():
    """No outputs and no counts: a diff of it is a diff of what it says."""
    code = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
