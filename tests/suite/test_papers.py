"""A paper as a suite: its page in the order of print, each printed number beside the measured one."""

import re
from pathlib import Path

import pytest
import yaml
from tiny_suite import TINY

from camforge import CamForgeError, bench
from camforge.config.load import read
from camforge.config.shipped import named
from camforge.suite.catalogue import open_suite
from camforge.suite.run import SuiteResults

PAIRS = """
_all = dict(name="false_positive_clusters", select="random", clusters=2, min_images=1)
arms = {
    "one network": dict(),
    "pairs": dict(
        grouper=_all, trainer=dict(name="binary_pair", **_recipe), extractor=dict(name="gradcam", layers="stages"),
        fusers=[dict(name="product_with_last"), dict(name="mean", axis="view")],
    ),
}
"""
PAPERS = [f"paper00{number}" for number in range(5)]


def write_paper(folder: Path, **changes: object) -> Path:
    (folder / "first.py").write_text(TINY.format(name="first"))
    (folder / "pairs.py").write_text(TINY.format(name="pairs").replace("train=64", "train=240") + PAIRS)
    text = (folder / "pairs.py").read_text().replace('paper = {"baseline": {"miou": 25.0}}', "")
    (folder / "pairs.py").write_text(text)
    (folder / "printed.csv").write_text('row,checker-kite,nowhere,mean\n"ORACLE, best 1",12.5,1,40.25\nelsewhere,,1,\n')
    items = [
        {
            "title": "Table B",
            "about": "Pairs & <all>", "full": ["pairs.py"], "small": ["pairs.py"], "metrics": ["miou"],
            "oracle": "pairs", "printed": "printed.csv", "differs": "everything is <b>tiny</b>", "open": "a <rate>",
            "groups": True,
        },
        {"title": "Table A", "full": ["first.py"], "small": ["fir*.py"], "metrics": ["mlev", "miou"],
         "pictures": True, "by_class": "miou"},
        {"title": "Table C", "full": ["first.py"], "metrics": ["miou"]},
    ]  # fmt: skip
    path = folder / "paper.yaml"
    path.write_text(yaml.safe_dump({"name": "tiny", "items": items, "cost": "none", **changes}, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> SuiteResults:
    folder = tmp_path_factory.mktemp("paper")
    return bench(str(write_paper(folder)), small=True, work_dir=folder / "w", device="cpu", quiet=True)


@pytest.fixture(scope="module")
def sections(finished: SuiteResults) -> dict[str, str]:
    """{item: its part of the page}."""
    parts = re.findall(r'<section id="p\d">\s*<h2>(.*?)</h2>(.*?)</section>', finished.page.read_text(), re.DOTALL)
    return dict(parts)


def cells(text: str) -> list[list[str]]:
    rows = re.findall(r"<tr.*?</tr>", text, re.DOTALL)
    found = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[re.sub(r"<.*?>", "", cell).strip() for cell in row] for row in found]


@pytest.mark.slow
def test_the_page_has_the_items_in_the_order_of_print(finished: SuiteResults, sections: dict[str, str]) -> None:
    assert (finished.name, finished.failures) == ("tiny-small", {})
    assert list(sections) == ["Table B", "Table A", "Table C"]
    assert "Pairs &amp; &lt;all&gt;" in sections["Table B"]
    assert "Not as in the text: everything is &lt;b&gt;tiny&lt;/b&gt;" in sections["Table B"]
    assert "Left open by the text: a &lt;rate&gt;." in sections["Table B"]
    assert "it has no small experiment" in sections["Table C"]
    assert [path.name for path in finished.by_file] == ["pairs.py", "first.py"]  # each ran once


@pytest.mark.slow
def test_a_line_tells_printed_measured_difference_split_and_recipe(
    finished: SuiteResults, sections: dict[str, str]
) -> None:
    first = next(table for file, table in finished.by_file.items() if file.name == "first.py")
    measured = first.rows[0].arm.metrics
    head, *lines = cells(sections["Table A"])
    assert head == ["row", "mlev ↓, val", "miou, val", "recipe"]
    name, mlev, miou, recipe = lines[0]
    assert (name, mlev, recipe) == ("baseline", f"{measured['mlev']:.2f}", "manifest")
    assert miou == f"{measured['miou']:.2f}printed 25.00, {measured['miou'] - 25:+.2f}"
    sorted_by = re.findall(r'data-value="([\d.]+)"', sections["Table A"])
    assert [float(value) for value in sorted_by[:2]] == [measured["mlev"], measured["miou"]]
    links = re.findall(r'href="\./([^"]+)"', sections["Table A"])
    assert {"first/suite.html", "first/seed-0/manifest.json"} <= set(links)
    assert all((finished.folder / link).is_file() for link in links)
    assert sections["Table A"].count('<img alt="photographs') == 1
    assert "<img" not in sections["Table C"]


@pytest.mark.slow
def test_the_oracle_stands_beside_its_printed_numbers(finished: SuiteResults, sections: dict[str, str]) -> None:
    (oracle,) = finished.oracles.values()
    table = [row for row in cells(sections["Table B"]) if row[0].startswith(("row", "pair with", "ORACLE", "else"))]
    head = next(row for row in table if row[1] == oracle.classes[0])
    assert head == ["row", *oracle.classes, "mean"]
    best = next(row for row in table if row[0] == "ORACLE, best 1")
    values = dict(oracle.rows())["ORACLE, best 1"]
    place = oracle.classes.index("checker-kite")
    assert best[1 + place].split() == ["–" if values[place] != values[place] else f"{values[place]:.2f}", "(12.50)"]
    assert best[-1].endswith("(40.25)")
    assert not any(row[0] == "elsewhere" for row in table)  # printed for no class of this data
    assert (finished.folder / "pairs/seed-0/oracle.csv").is_file()


@pytest.mark.slow
def test_groups_and_classes_are_drawn_where_an_item_asks(finished: SuiteResults, sections: dict[str, str]) -> None:
    first = next(table for file, table in finished.by_file.items() if file.name == "first.py")
    networks = [row.arm for row in first.rows if not row.arm.control]
    drawn = re.findall(r"<title>(.*?): ([\d.]+)</title>", sections["Table A"].split('class="bars"')[1])
    expected = {
        (arm.name, f"{value:.2f}")
        for arm in networks
        for name, value in arm.metrics.items()
        if name.startswith("miou/")
    }
    assert expected
    assert expected <= set(drawn)
    assert "networks, each for a problem of its own" in sections["Table B"]
    assert "checker-kite or" in sections["Table B"]
    assert 'class="bars"' not in sections["Table B"]


def test_an_oracle_that_fails_costs_no_table(tmp_path: Path) -> None:
    items = [{"title": "Table A", "full": ["first.py"], "metrics": ["miou"], "oracle": "baseline"}]
    results = bench(str(write_paper(tmp_path, items=items)), work_dir=tmp_path / "w", device="cpu", quiet=True)
    assert [table.title for table in results.tables] == ["first"]
    assert "its views are not pairs" in results.failures["first"]
    page = results.page.read_text()
    assert "its views are not pairs" in page
    assert "printed 25.00" in page


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"items": []}, "items: "),
        ({"items": [{"title": "T", "full": ["none.py"]}]}, "no file none.py in"),
        ({"items": [{"title": "T", "full": ["first.py"], "metric": ["miou"]}]}, "did you mean 'metrics'?"),
        ({"items": [{"title": "T", "full": ["first.py"], "printed": "first.py"}]}, "no table of printed numbers"),
    ],
)
def test_mistakes_in_a_paper(tmp_path: Path, changes: dict[str, object], expected: str) -> None:
    with pytest.raises(CamForgeError, match=re.escape(expected)):
        open_suite(str(write_paper(tmp_path, **changes)))


def test_only_a_paper_has_a_small_size() -> None:
    with pytest.raises(CamForgeError, match="suite 'quickstart' has one size"):
        open_suite("quickstart", small=True)


@pytest.mark.parametrize("name", PAPERS)
def test_a_papers_suite_runs_every_experiment_of_its_folder(name: str) -> None:
    """A file that no item names would never be run; the small ones stand for the full ones."""
    folder = named()[name].parent.parent / "papers" / name.removeprefix("paper")
    full, small = (set(open_suite(name, small).experiments) for small in (False, True))
    shipped = {path.resolve() for path in folder.glob("*.py")}
    assert {path.resolve() for path in full | small} == shipped
    assert not {path for path in full if "_small" in path.stem}
    assert {path for path in small if "_small" in path.stem} == small


@pytest.mark.parametrize("name", PAPERS)
def test_small_experiments_stand_beside_numbers_of_the_same_name_and_split(name: str) -> None:
    """What a full experiment's rows are called in print is what its small ones may join: miou@train, f1, no other."""
    full, small = (open_suite(name, size).paper for size in (False, True))
    assert full is not None
    assert small is not None
    own: dict[Path, set[str]] = {}
    for (_, files), (_, small_files) in zip(full.items, small.items, strict=True):
        for path in small_files:
            own.setdefault(path, set()).update(*(printed(file) for file in files))
    assert {path.name: printed(path) - names for path, names in own.items()} == {path.name: set() for path in own}


@pytest.mark.parametrize("name", PAPERS)
def test_every_number_in_print_is_shown_under_some_item(name: str) -> None:
    """A number that no item of its file shows was inherited from another table."""
    paper = open_suite(name).paper
    assert paper is not None
    shown: dict[Path, set[str]] = {}
    for item, files in paper.items:
        for path in files:
            shown.setdefault(path, set()).update(item.metrics)
    assert {path.name: printed(path) - names for path, names in shown.items()} == {path.name: set() for path in shown}


def printed(path: Path) -> set[str]:
    """The numbers that an experiment's rows have in print."""
    return {metric for row in read(path)[0].get("paper", {}).values() for metric in row}
