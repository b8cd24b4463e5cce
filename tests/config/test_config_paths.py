"""Files and folders that a config names."""

import json
from pathlib import Path

import pytest

from camforge.config.load import load, read
from camforge.config.paths import absent_files
from camforge.config.shipped import experiment_file, named, shipped
from camforge.pipeline.run import run
from camforge.types import CamForgeError

TEXT = """\
name: pets
dataset: {name: image_folder, root: pets, masks: ../masks}
trainer: {name: single, backbone: {name: torchvision, arch: resnet18, weights: IMAGENET1K_V1}}
extractor: Grad-CAM
arms: {a: , b: {trainer: {name: single, backbone: {name: torchvision, arch: resnet18, weights: best.pt}}}}
metrics: [miou]
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config in one folder, read from another."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = tmp_path / "configs" / "pets.yaml"
    path.write_text(TEXT)
    return path


def test_paths_are_relative_to_the_config(config: Path, tmp_path: Path) -> None:
    for spelt in (config, Path("../configs/pets.yaml")):
        experiment = load(spelt).experiment
        assert experiment.dataset.root == tmp_path / "configs" / "pets"  # type: ignore[attr-defined]
        assert experiment.dataset.masks == tmp_path / "masks"  # type: ignore[attr-defined]
        a, b = (arm.trainer.spec()["backbone"]["weights"] for arm in experiment.arms.values())
        assert (a, b) == ("IMAGENET1K_V1", str(tmp_path / "configs" / "best.pt"))
        assert experiment.arms["a"].extractor.name == "gradcam"


def test_what_the_command_line_sets_is_relative_to_the_current_folder(config: Path, tmp_path: Path) -> None:
    values, _ = read(config, ["dataset.root=pets"])
    assert values["dataset"]["root"] == str(tmp_path / "elsewhere" / "pets")


@pytest.mark.usefixtures("config")
def test_a_base_keeps_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "child.yaml").write_text("_base_: configs/pets.yaml\ndataset: {boxes: boxes.csv}\n")
    values, _ = read(tmp_path / "child.yaml")
    assert values["dataset"]["root"] == str(tmp_path / "configs" / "pets")
    assert values["dataset"]["boxes"] == str(tmp_path / "boxes.csv")


def test_variables_and_the_home_folder(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PETS", "/data")
    values, _ = read(config, ["dataset.root=${PETS}/cats", "dataset.masks=~/masks"])
    assert values["dataset"]["root"] == "/data/cats"
    assert values["dataset"]["masks"] == str(tmp_path / "home" / "masks")
    config.write_text(TEXT.replace("root: pets", "root: $NOWHERE/pets"))
    with pytest.raises(CamForgeError, match=r"pets.yaml:2: dataset.root: the environment variable NOWHERE is not set"):
        load(config)


def test_the_folder_of_data_sets(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(TEXT.replace("root: pets", "root: $CAMFORGE_DATA/pets"))
    monkeypatch.delenv("CAMFORGE_DATA", raising=False)
    assert read(config)[0]["dataset"]["root"] == str(tmp_path / "elsewhere" / "data" / "pets")
    monkeypatch.setenv("CAMFORGE_DATA", "/sets")
    assert read(config)[0]["dataset"]["root"] == "/sets/pets"


def test_the_paths_of_seeds_are_those_of_their_plugins(config: Path, tmp_path: Path) -> None:
    backbone = "{name: torchvision, arch: resnet18, weights: best.pt}"
    seeds = f"{{trainer: {{name: single, backbone: {backbone}}}, extractor: {{name: cam}}}}"
    text = "".join(line for line in TEXT.splitlines(keepends=True) if not line.startswith("trainer:"))
    config.write_text(text + f"trainer: {{name: pixels, backbone: {backbone}, seeds: {seeds}}}\n")
    trainer = read(config)[0]["trainer"]
    assert trainer["backbone"]["weights"] == str(tmp_path / "configs" / "best.pt")
    assert trainer["seeds"]["trainer"]["backbone"]["weights"] == str(tmp_path / "configs" / "best.pt")


def test_weights_that_are_not_there_are_told_before_anything_runs(config: Path, tmp_path: Path) -> None:
    (tmp_path / "seen.pt").touch()
    config.write_text(TEXT.replace("IMAGENET1K_V1", "../seen.pt"))
    loaded = load(config)
    line = f"pets.yaml:5: arms.b.trainer.backbone.weights: no such file: {tmp_path}/configs/best.pt"
    (found,) = absent_files(loaded.config, loaded.location)
    assert found.endswith(line)
    with pytest.raises(CamForgeError, match=r"no such file: .*best\.pt"):
        run(config, work_dir=tmp_path / "work", quiet=True)


@pytest.mark.parametrize("weights", ["DEFAULT", "tag.v2", "https://x.org/best.pth", "''"])
def test_names_and_addresses_of_weights_are_no_files(config: Path, weights: str) -> None:
    config.write_text(TEXT.replace("best.pt", weights))
    values, location = read(config)
    assert values["arms"]["b"]["trainer"]["backbone"]["weights"] == weights.strip("'")
    assert absent_files(values, location) == []


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        ("BEST.PT", "no such file"),
        ("best.pth.tar", "no such file"),
        ("last.pt:ema", "no such file"),
        ("whole.pt", "a folder, not a file"),
    ],
)
def test_what_is_no_file_of_weights(config: Path, weights: str, problem: str) -> None:
    (config.parent / "whole.pt").mkdir()
    config.write_text(TEXT.replace("best.pt", weights))
    values, location = read(config)
    (line,) = absent_files(values, location)
    assert line.endswith(f"arms.b.trainer.backbone.weights: {problem}: {config.parent}/{weights}")


@pytest.mark.parametrize("name", sorted(name for name, file in named().items() if file.parent.name != "suites"))
def test_no_shipped_experiment_keeps_a_variable(name: str) -> None:
    assert "$" not in json.dumps(read(name)[0], default=str)


@pytest.mark.usefixtures("config")
def test_shipped_experiments_have_names_everywhere() -> None:
    assert load("quickstart").experiment.name == "quickstart"
    assert experiment_file("voc_animals") == experiment_file("voc-animals") == named()["voc-animals"]
    with pytest.raises(CamForgeError, match="no experiment is called 'quikstart'; did you mean 'quickstart'"):
        load("quikstart")
    with pytest.raises(CamForgeError, match="'paper001' is a suite of experiments: camforge bench paper001"):
        load("paper001")


def test_nothing_shipped_names_a_folder_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every data set and weight lies below CAMFORGE_DATA, is published by a library, or is drawn."""
    monkeypatch.setenv("CAMFORGE_DATA", "/sets")
    for path in sorted(shipped().rglob("*.py")):
        assert "../shared" not in path.read_text()
        if "_base_" not in path.parts:
            assert "$" not in json.dumps(read(path)[0]), path  # however deep a plugin lies in another
            dataset = read(path)[0].get("dataset")
            root = dataset.get("root") if isinstance(dataset, dict) else None
            assert root is None or root.startswith("/sets/"), path
