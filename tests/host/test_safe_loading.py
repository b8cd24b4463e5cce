"""Files that somebody names are read as data: no code in them runs. The linter watches pickle, eval and yaml."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOADERS = {"torch.load", "torch.jit.load", "np.load", "joblib.load"}


def test_every_file_of_tensors_is_read_as_data() -> None:
    calls = [
        (path, node)
        for folder in ("camforge", "plugins", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in LOADERS
    ]
    assert len(calls) >= 4
    for path, call in calls:
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert options.get("weights_only") == "True", f"{path}:{call.lineno}"
