"""Every config of the papers says what it means: plugins, options, layers and axes fit, at full and at small scale."""

from pathlib import Path

import pytest

from camforge.config.load import load

PAPERS = Path(__file__).resolve().parents[2] / "configs" / "papers"
FILES = sorted(PAPERS.glob("*/*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_it_loads_under_its_own_name(path: Path) -> None:
    experiment = load(path).experiment
    assert experiment.name == f"{path.parent.name}_{path.stem}"


@pytest.mark.parametrize("paper", ["000", "001", "002"])
def test_every_table_and_figure_has_its_small_siblings(paper: str) -> None:
    full = {path.stem for path in (PAPERS / paper).glob("*.py") if "_small" not in path.stem}
    # The same arms with other networks (Table 4) or other photographs (Table 5's COCO column).
    served = {"table4": "table2", "table5_coco": "table5"} if paper == "002" else {}
    for stem in full:
        small = served.get(stem, stem)
        assert (PAPERS / paper / f"{small}_small.py").is_file()
        assert (PAPERS / paper / f"{small}_small_animals.py").is_file()


@pytest.mark.parametrize(
    ("file", "sizes"),
    [("000/table1", [[], [12], [12, 8], [12, 8, 5], [12, 8, 5, 2]]), ("001/table4", [[], [], [12, 8, 5], [12, 8, 5]])],
)
def test_the_papers_levels(file: str, sizes: list[list[int]]) -> None:
    arms = load(PAPERS / f"{file}.py").experiment.arms.values()
    found = [list(arm.grouper.spec().get("sizes") or []) for arm in arms]
    assert found[: len(sizes)] == sizes
