"""Scores as files: every row is there, can be compared as text, and comes again to the digit from its file alone."""

import json
import re
from pathlib import Path
from types import SimpleNamespace as Namespace

import pytest
from typer.testing import CliRunner

from camforge import CamForgeError, bench, build
from camforge.cli import app
from camforge.config.shipped import shipped
from camforge.host.registry import registry
from camforge.report.data import ArmReport
from camforge.report.suite import SuiteReport, SuiteRow
from camforge.store.stored_maps import load_maps
from camforge.suite.again import again
from camforge.suite.catalogue import open_suite
from camforge.suite.every import every, overrides_for_every
from camforge.suite.plugin_pages import linked
from camforge.suite.run import SuiteResults, plan
from camforge.suite.scores import find, recorded

LEADERBOARD = """
name: small-board
experiments: [board.yaml]
on_data: photographs.yaml
"""
BOARD = """
name: board
dataset: {name: partworld, size: 32, train: 48, val: 6}
images: {size: 32}
trainer:
  name: single
  backbone: {name: small, stem: 4, widths: [8, 8], strides: [2, 1], blocks: [plain, plain]}
  epochs: 1
  lr: 0.01
fusers: [{name: sum, axis: layer}]
arms:
  gradcam: {extractor: gradcam}
  "layercam, all stages": {extractor: {name: layercam, layers: stages, truncate: 20}}
  random: {extractor: random}
metrics: [miou, coverage, pointing_game]
report: {images: 2}
"""


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> SuiteResults:
    """A table of three methods and two controls."""
    folder = tmp_path_factory.mktemp("board")
    (folder / "board.yaml").write_text(BOARD)
    (folder / "photographs.yaml").write_text(BOARD.replace("{name: partworld,", "{name: voc, root: nowhere,"))
    (folder / "small-board.yaml").write_text(LEADERBOARD)
    return bench(str(folder / "small-board.yaml"), work_dir=folder / "work", device="cpu", quiet=True)


def test_every_row_has_a_file_with_its_numbers(board: SuiteResults) -> None:
    rows = {row.score.row: row.score for row in recorded(board.folder / "scores")}
    results = json.loads((board.folder / "board/seed-0/results.json").read_text())
    assert set(rows) == {*results["arms"], *results["controls"]}
    for name, numbers in {**results["arms"], **results["controls"]}.items():
        assert dict(rows[name].scores) == numbers
    assert len({row.key for row in rows.values()}) == len(rows)
    assert [len(row.maps) for row in rows.values() if not row.control] == [1, 1, 1]


def test_the_checksum_is_that_of_the_maps_and_of_nothing_else(board: SuiteResults) -> None:
    rows = {row.score.row: row.score for row in recorded(board.folder / "scores")}
    assert len({row.maps for row in rows.values() if not row.control}) == 3
    for path in (board.folder / "store").glob("maps-*/index.pt"):
        assert load_maps(path.parent).mean_logits(range(6)).shape[0] == 6


@pytest.mark.parametrize("row", ["gradcam", "layercam, all stages", "random", "control: centred Gaussian"])
def test_a_row_comes_again_to_the_digit(board: SuiteResults, row: str) -> None:
    """From its file alone, in a new store, without the arms that stood beside it."""
    found = again(board.folder / "scores", f"board/{row}", device="cpu", quiet=True)
    assert found.differences == {}
    assert found.surroundings == {}
    assert found.now.key == found.then.key
    assert len(found.then.scores) > 10


def test_what_differs_is_told(board: SuiteResults, tmp_path: Path) -> None:
    row = find(board.folder / "scores", "board/gradcam")
    content = json.loads(row.file.read_text())
    content["scores"]["miou"] += 1e-9
    (tmp_path / "gradcam.json").write_text(json.dumps(content))
    recipe = json.loads((row.file.parent / "recipe.json").read_text())
    recipe["versions"]["torch"] = "1.0"
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    options = ["--row", row.score.key[:6], "--scores", str(tmp_path), "--device", "cpu", "--quiet"]
    done = CliRunner().invoke(app, ["bench", "leaderboard", *options])
    assert done.exit_code == 1, done.output
    assert re.search(r"^torch: then 1\.0, now ", done.output, re.M)
    assert re.search(r"miou\s", done.output)
    assert "coverage" not in done.output


def test_a_command_says_that_a_row_is_the_same(board: SuiteResults) -> None:
    options = ["--row", "board/random", "--scores", str(board.folder / "scores"), "--device", "cpu", "--quiet"]
    done = CliRunner().invoke(app, ["bench", "leaderboard", *options])
    assert done.exit_code == 0, done.output
    assert re.search(r"^the same to the last digit: \d+ numbers, and the maps of 1 network$", done.output, re.M)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("board/gradcm", "no row has the key 'board/gradcm'; did you mean 'board/gradcam'?"),
        ("ffffffffffffffff", "no row has the key 'ffffffffffffffff'; "),
        ("f", "no row has the key 'f'; "),  # too short to mean one
    ],
)
def test_a_key_that_no_row_has(board: SuiteResults, key: str, expected: str) -> None:
    with pytest.raises(CamForgeError, match=re.escape(expected)):
        find(board.folder / "scores", key)


@pytest.mark.parametrize("text", ["{", "[]", '{"key": "../../x"}', "{}"])
def test_a_broken_file_is_one_line(board: SuiteResults, tmp_path: Path, text: str) -> None:
    (tmp_path / "recipe.json").write_text((board.folder / "scores/board/seed-0/recipe.json").read_text())
    (tmp_path / "row.json").write_text(text)
    with pytest.raises(CamForgeError) as caught:
        list(recorded(tmp_path))
    assert str(caught.value).startswith(str(tmp_path / "row.json"))
    assert "\n" not in str(caught.value)


def test_a_folder_without_scores(tmp_path: Path) -> None:
    with pytest.raises(CamForgeError, match="no scores are there"):
        find(tmp_path, "board/gradcam")


def test_rows_that_are_gone_leave_no_file(board: SuiteResults) -> None:
    folder = board.folder / "scores/board/seed-0"
    (folder / "gone.json").write_text((folder / "gradcam.json").read_text())
    bench(str(board.folder.parent / "small-board.yaml"), work_dir=board.folder, device="cpu", quiet=True)
    assert not (folder / "gone.json").exists()
    assert (folder / "gradcam.json").is_file()


def test_a_leaderboard_has_every_extractor_and_every_metric() -> None:
    (experiment,) = plan(open_suite("leaderboard"), [], [])
    arms = {arm.extractor.name for arm in experiment.loaded.experiment.arms.values()}
    unfit = set(every("extractor")) - arms  # these read a layer that only their own kind of model has
    assert unfit == {"affinitywalk", "boundarywalk", "lpcam", "pixels"}
    for name in set(registry().plugins["extractor"]) - set(every("extractor")):
        assert registry().plugins["extractor"][name].cls.model_json_schema()["required"], name
    metrics = {metric.name for metric in experiment.loaded.experiment.metrics}
    assert metrics == set(every("metric"))
    assert metrics >= set(registry().plugins["metric"]) - {"localization", "segmentation", "threshold_sweep"}


def test_own_arms_and_metrics_keep_their_options() -> None:
    config = {"arms": {"gradcam": {"extractor": {"name": "gradcam", "layers": "stages"}}}, "metrics": ["miou"]}
    arms, metrics = overrides_for_every(["extractor", "metric"], config)
    assert json.loads(metrics.removeprefix("metrics="))[0] == {"name": "miou"}
    assert len([m for m in json.loads(metrics.removeprefix("metrics=")) if m["name"] == "miou"]) == 1
    assert json.loads(arms.removeprefix("arms="))["layercam"] == {"extractor": {"name": "layercam"}}


def test_photographs_of_ones_own_join(board: SuiteResults, tmp_path: Path) -> None:
    suite = open_suite(str(board.folder.parent / "small-board.yaml"))
    with pytest.raises(CamForgeError, match="dataset"):  # PartWorld's options are none of VOC's
        plan(suite, [], [], tmp_path)
    (one, own) = plan(open_suite("leaderboard"), [], [], tmp_path / "my photos")
    assert one.loaded.experiment.name == "partworld"
    assert own.loaded.experiment.name == "my photos"
    assert own.loaded.config["dataset"]["root"] == str(tmp_path / "my photos")
    with pytest.raises(CamForgeError, match="--data is for a leaderboard"):
        plan(open_suite("quickstart"), [], [], tmp_path)


def test_links_of_the_front_page_lead_to_what_is_there(board: SuiteResults) -> None:
    links = re.findall(r'href="\./([^"]+)"', board.page.read_text())
    assert "board/seed-0/manifest.json" in links
    assert all((board.folder / link).is_file() for link in links)


def test_the_scores_that_come_with_camforge_are_whole() -> None:
    """Every row of the release's table is readable, has its key once, and its recipe can be built here."""
    rows = list(recorded(shipped() / "scores" / "leaderboard"))
    assert len({row.score.key for row in rows}) == len(rows)
    own = [row for row in rows if not row.score.control]
    assert {row.score.arm["extractor"]["name"] for row in own} <= set(registry().plugins["extractor"])
    assert all(row.score.maps for row in own if not row.score.failure)


def test_an_arm_that_failed_leads_to_its_plugin_as_well() -> None:
    """What it is tells why it failed."""
    arms = {"a": Namespace(extractor=build("extractor", "legrad")), "b": Namespace(extractor=build("extractor", "cam"))}
    rows = (ArmReport("a", {}, failure="no attention"), ArmReport("b", {"miou": 1.0}), ArmReport("c", {}, control=True))
    table = SuiteReport("t", ("x",), tuple(map(SuiteRow, rows)))
    found = linked(table, Namespace(arms=arms), "plugins")  # type: ignore[arg-type]
    assert [row.page for row in found.rows] == ["plugins/extractor-legrad.html", "plugins/extractor-cam.html", ""]
