"""Suites run for real: what they share, what they write, what joins them, what fails."""

import csv
import html
import json
import re
import statistics
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from tiny_suite import write_suite

from camforge import CamForgeError, bench
from camforge.report.table import remarks
from camforge.suite.run import SuiteResults


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> SuiteResults:
    """A suite over two seeds, computed by one thread."""
    folder = tmp_path_factory.mktemp("suite")
    path = write_suite(folder)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    results = bench(str(path), seeds=2, work_dir=folder / "work", device="cpu", quiet=True)
    torch.set_num_threads(before)
    return results


def rows(results: SuiteResults) -> list[dict[str, str]]:
    return list(csv.DictReader((results.folder / "table.csv").open()))


def test_no_network_is_trained_twice(finished: SuiteResults) -> None:
    networks = list((finished.folder / "store").glob("network-*"))
    assert len([path for path in networks if path.is_dir()]) == 2  # two seeds, shared by two experiments of four arms


def test_seeds_side_by_side_tell_the_same_and_each_network_is_trained_once(
    finished: SuiteResults, suite: Path, tmp_path: Path
) -> None:
    bench(str(suite.with_name("first.py")), seeds=2, work_dir=tmp_path / "w", device="cpu", quiet=True, workers=2)
    for seed in (0, 1):
        numbers = (tmp_path / f"w/first/seed-{seed}/results.json").read_bytes()
        assert numbers == (finished.folder / f"first/seed-{seed}/results.json").read_bytes()
        log = (tmp_path / f"w/first/seed-{seed}/run.log").read_text()
        assert len(re.findall(r" train classes \(12 outputs, single\): [\d.]+ s$", log, re.MULTILINE)) == 1


def test_numbers_are_means_over_the_seeds(finished: SuiteResults) -> None:
    seeds = [
        json.loads((finished.folder / f"first/seed-{seed}/results.json").read_text())["arms"]["baseline"]["miou"]
        for seed in (0, 1)
    ]
    row = next(r for r in rows(finished) if r["arm"] == "baseline" and r["metric"] == "miou")
    assert float(row["measured"]) == pytest.approx(sum(seeds) / 2)
    assert float(row["spread"]) == pytest.approx(abs(seeds[0] - seeds[1]) / 2**0.5)
    assert statistics.stdev(seeds) > 0  # another seed is another network
    assert float(row["paper"]) == 25.0
    assert float(row["difference"]) == pytest.approx(sum(seeds) / 2 - 25)


def test_every_row_tells_its_time(finished: SuiteResults) -> None:
    for table in finished.tables:
        assert all(row.arm.seconds is not None and row.arm.seconds > 0 for row in table.rows)


def test_the_front_page_tells_what_a_reader_must_not_overlook(finished: SuiteResults) -> None:
    for table in finished.tables:
        (remark, *_) = remarks(table.as_report)
        assert html.escape(remark, quote=False).replace("'", "&#39;") in finished.page.read_text()


def test_pages_link_to_what_is_there(finished: SuiteResults) -> None:
    front = finished.page.read_text()
    links = re.findall(r'href="\./([^"]+)"', front)
    assert {"first/suite.html", "second/suite.html"} <= set(links)
    page = finished.folder / "first/suite.html"
    recipes = re.findall(r'href="\./([^"]+)"', page.read_text())
    assert recipes
    assert all((page.parent / recipe).is_file() for recipe in recipes)
    assert all((finished.folder / link).is_file() for link in links if link.endswith("suite.html"))


def test_arms_that_differ_in_one_number_are_a_curve(finished: SuiteResults) -> None:
    (sweep,) = finished.tables[0].sweeps
    assert sweep.title == "miou over extractor.truncate"
    ((name, points),) = sweep.series.items()
    assert name == "truncated"
    assert [x for x, _ in points] == [0, 20, 40]
    measured = {row.arm.name: row.arm.metrics["miou"] for row in finished.tables[0].rows}
    assert [y for _, y in points] == [measured[f"truncated, delta {d}"] for d in (0, 20, 40)]


def test_plugins_join(suite: Path, tmp_path: Path) -> None:
    results = bench(
        str(suite.with_name("first.py")),
        add=["extractor=hirescam", "metric=coverage", "trainer={name: single, lr: 0.1}"],
        work_dir=tmp_path / "joined", device="cpu", quiet=True,
    )  # fmt: skip
    (table,) = results.tables
    arms = {row.arm.name: row.arm for row in table.rows}
    assert arms["hirescam"].spec["extractor"]["name"] == "hirescam"
    assert arms["single"].spec["trainer"]["lr"] == 0.1
    assert arms["single"].spec["trainer"]["backbone"]["widths"] == [8, 8]  # the baseline's other options
    assert {"body_recall", "leakage"} <= set(arms["baseline"].metrics)
    assert arms["hirescam"].note == "joined by --add extractor=hirescam"
    assert arms["single"].note == "joined by --add trainer={name: single, lr: 0.1}"
    assert "joined by --add trainer={name: single, lr: 0.1}" in results.page.read_text()


def test_an_experiment_that_fails_is_named_and_the_others_finish(suite: Path, tmp_path: Path) -> None:
    second = suite.with_name("second.py")
    gone = tmp_path / "gone"
    gone.mkdir()
    second.write_text(
        second.read_text().replace(
            'dict(name="partworld", size=32, train=64, val=12)', f'dict(name="image_folder", root="{gone}")'
        )
    )
    results = bench(str(suite), work_dir=tmp_path / "work", device="cpu", quiet=True)
    assert [table.title for table in results.tables] == ["first"]
    assert list(results.failures) == ["second"]
    assert str(gone) in results.failures["second"]
    assert "Did not finish" in results.page.read_text()


def test_mistakes_of_all_files_come_before_anything_runs(suite: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        path = suite.with_name(f"{name}.py")
        path.write_text(path.read_text().replace('"miou"', '"moiu"'))
    with pytest.raises(CamForgeError, match=r"(?s)first\.py.*second\.py"):
        bench(str(suite), work_dir=tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_a_suite_that_another_bench_runs_is_refused_whole(suite: Path, tmp_path: Path) -> None:
    """Not one experiment after another: each of the two would get half of them."""
    (tmp_path / "work").mkdir()
    with FileLock(tmp_path / "work/.lock"), pytest.raises(CamForgeError, match=r"another run is at work in .*work: "):
        bench(str(suite), work_dir=tmp_path / "work", device="cpu", quiet=True)
    assert [path.name for path in (tmp_path / "work").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("extractor", "write --add kind=name"),
        ("dataset=voc", "kinds that can join: grouper, trainer, extractor, fuser, metric"),
        ("extractor={delta: 3}", "write --add kind=name"),
    ],
)
def test_additions_that_cannot_be(suite: Path, text: str, expected: str) -> None:
    with pytest.raises(CamForgeError, match=re.escape(expected)):
        bench(str(suite), add=[text])
