"""An experiment file, its bases and its overrides come to one experiment."""

from pathlib import Path

import pytest
from experiments import PYTHON, VALUES, values_with_places, written

from camforge.config.load import load


@pytest.mark.parametrize("name", ["small.py", "small.yaml", "small.json"])
def test_three_formats_say_the_same(tmp_path: Path, name: str) -> None:
    loaded = load(written(tmp_path, name))
    assert loaded.config == VALUES
    assert loaded.experiment == load(written(tmp_path)).experiment


def test_arms_take_what_they_leave_out_from_the_top(tmp_path: Path) -> None:
    arms = load(written(tmp_path)).experiment.arms
    assert [arms["plain"].trainer.name, arms["two"].trainer.name] == ["single", "two_branch_orthogonal"]
    assert arms["plain"].extractor == arms["two"].extractor
    assert arms["plain"].grouper.name == "none"


def test_an_arm_of_which_nothing_is_said_is_an_arm(tmp_path: Path) -> None:
    path = written(tmp_path, "a.yaml")
    path.write_text(path.read_text().replace("plain: {}", "plain:"))
    assert list(load(path).experiment.arms) == ["plain", "two"]


def test_child_overrides_base_deeply(tmp_path: Path) -> None:
    written(tmp_path, "base.py")
    child = written(
        tmp_path, "child.py", '_base_ = ["base.py"]\nname = "child"\ntrainer = dict(epochs=7)\nmetrics = ["mlev"]\n'
    )
    loaded = load(child)
    assert loaded.experiment.name == "child"
    assert loaded.config["trainer"] == {"name": "single", "epochs": 7, "backbone": {"name": "small"}}
    assert loaded.config["metrics"] == ["mlev"]


@pytest.mark.parametrize("base", ["base.yaml", "base.json"])
def test_bases_of_another_format(tmp_path: Path, base: str) -> None:
    written(tmp_path, base)
    child = written(tmp_path, "child.yaml", f"_base_: {base}\nseed: 3\n")
    assert load(child).config == VALUES | {"seed": 3}


def test_delete_replaces_what_the_base_says(tmp_path: Path) -> None:
    written(tmp_path, "base.yaml")
    child = written(
        tmp_path,
        "child.yaml",
        "_base_: [base.yaml]\narms: {_delete_: true, only: {extractor: {_delete_: true, name: cam}}}\n",
    )
    assert load(child).config["arms"] == {"only": {"extractor": {"name": "cam"}}}


def test_private_names_imports_and_functions_are_no_options(tmp_path: Path) -> None:
    head = "import math\nfrom pathlib import Path\n_epochs = int(math.sqrt(9))\ndef double(n):\n    return 2 * n\n"
    path = written(tmp_path, text=head + PYTHON.replace("epochs=1", "epochs=double(_epochs)"))
    assert load(path).experiment.arms["plain"].trainer.epochs == 6


def test_paths_become_text(tmp_path: Path) -> None:
    text = "from pathlib import Path\n" + PYTHON + 'arms["plain"]["note"] = Path("a") / "b"\n'
    assert load(written(tmp_path, text=text)).config["arms"]["plain"]["note"] == "a/b"


def test_templates_and_environment_are_left_as_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "42")
    path = written(tmp_path, "a.yaml")
    path.write_text(path.read_text() + "about: '{{ fileBasename }} {{$SECRET:1}}'\n")
    assert load(path).experiment.about == "{{ fileBasename }} {{$SECRET:1}}"


def test_overrides(tmp_path: Path) -> None:
    sets = [
        "seed=5", "trainer.epochs=3", "fusers.0.normalise=none", "metrics.0={name: miou, threshold: 0.3}",
        "arms.two.trainer.backbone.widths=[8, 8, 8, 8]", "report.images=2", "arms.new={note: hello}",
    ]  # fmt: skip
    experiment = load(written(tmp_path), sets).experiment
    assert experiment.seed == 5
    assert [arm.trainer.epochs for arm in experiment.arms.values()] == [3, 2, 3]
    assert experiment.arms["plain"].fusers[0].normalise == "none"
    assert experiment.metrics[0].spec()["threshold"] == 0.3
    assert experiment.arms["two"].trainer.backbone.spec()["widths"] == [8, 8, 8, 8]
    assert experiment.report.images == 2
    assert experiment.arms["new"].note == "hello"


def test_an_override_inside_an_arm_touches_that_arm_alone(tmp_path: Path) -> None:
    text = PYTHON.replace("two=dict", "other=dict(),\n    two=dict")
    arms = load(written(tmp_path, text=text), ["arms.plain.trainer.epochs=9"]).experiment.arms
    assert [arms[name].trainer.epochs for name in ("plain", "other", "two")] == [9, 1, 2]
    assert arms["plain"].trainer.name == "single"


def test_numbers_written_like_yaml_has_them(tmp_path: Path) -> None:
    """YAML 1.1 takes 1e-4 for text; the option is a number all the same."""
    assert load(written(tmp_path), ["trainer.lr=1e-4"]).experiment.arms["plain"].trainer.lr == 1e-4


def test_places_of_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "base.py")
    child = written(tmp_path, "child.py", '_base_ = "base.py"\nname = "child"\n\ntrainer = dict(\n    epochs=7,\n)\n')
    places = {key: str(place) for key, _, place in values_with_places(child, ["seed=1", "arms.two.note=x"])}
    assert places["name"] == "child.py:2"
    assert places["trainer.epochs"] == "child.py:5"
    assert places["trainer.backbone.name"] == "base.py:7"
    assert places["metrics.1.threshold"] == "base.py:11"
    assert places["arms.two.trainer.epochs"] == "base.py:14"
    assert places["seed"] == places["arms.two.note"] == "--set"
