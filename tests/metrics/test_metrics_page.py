"""The page of metrics says what the code says."""

import importlib.util
import sys
from pathlib import Path

import pytest

from camforge.host.registry import registry

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_has_every_built_in_metric_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("benchmark_of_metrics", ROOT / "benchmarks/metrics.py")
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, benchmark)
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    spec.loader.exec_module(benchmark)
    lines = (ROOT / "docs/reference/metrics.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| `")]
    page = {row[0]: row for row in cells}
    built_in = {f"`{name}`": p.cls for name, p in registry().plugins["metric"].items() if p.distribution == "camforge"}
    assert page.keys() == built_in.keys()
    assert len(page) >= 50
    for name, cls in built_in.items():
        assert page[name][1:6] == [
            cls.family, benchmark.source(cls), benchmark.bounds(cls), benchmark.direction(cls),
            benchmark.held(cls.name),
        ], f"run benchmarks/metrics.py --write: {name}"  # fmt: skip
        apart = page[name][benchmark.HEAD.index(benchmark.APART)]
        assert apart == "none" or 0 < float(apart) < 1e-4, f"run benchmarks/metrics.py --differences: {name}"


def test_the_six_families_are_there() -> None:
    families = {p.cls.family for p in registry().plugins["metric"].values() if p.distribution == "camforge"}
    assert families == {"faithfulness", "robustness", "localization", "complexity", "randomization", "axiomatic"}
