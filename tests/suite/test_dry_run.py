"""Every experiment at the papers' own scale starts: on data in the published layout, up to the first training."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from published_layouts import LAYOUTS

from camforge.api import Dataset, ImageSet, SeedTrainer, Split, Trainer
from camforge.config.load import load, read
from camforge.config.schema import Experiment
from camforge.config.shipped import named, shipped
from camforge.data.geometry import Geometry
from camforge.data.inspection import opened
from camforge.suite.catalogue import open_suite

FULL = [
    path for name in (f"paper00{number}" for number in range(5)) for path in open_suite(str(named()[name])).experiments
]
SEEDS = sorted((shipped() / "seeds").glob("*.py"))  # VOC's published recipes of seeds

WSOL = [named()[f"wsol-{name}{end}"] for name in ("cub", "ilsvrc", "openimages") for end in ("", "-few-shot")]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder ``data`` with every data set, as the experiments name it."""
    root = tmp_path_factory.mktemp("published") / "data"
    for layout in LAYOUTS.values():
        layout(root)
    return root


_SETS: dict[str, ImageSet] = {}


def image_set(dataset: Dataset, split: Split) -> ImageSet:
    """Opened once, whatever the number of experiments on it."""
    key = f"{dataset.spec()} {split}"
    if key not in _SETS:
        _SETS[key] = opened(dataset, split)
    return _SETS[key]


def trainers(experiment: Experiment) -> Iterator[tuple[Trainer, int]]:
    """Every trainer with the number of outputs it gets, those of groupers as well."""
    classes = len(image_set(experiment.dataset, "train").classes)
    for arm in experiment.arms.values():
        yield arm.trainer, 2 if arm.trainer.name == "binary_pair" else classes
        if isinstance(arm.trainer, SeedTrainer):
            yield arm.trainer.seeds.trainer, classes
        own = getattr(arm.grouper, "trainer", None) or getattr(getattr(arm.grouper, "like", None), "trainer", None)
        if own is not None:
            yield own, classes


@pytest.mark.slow
@pytest.mark.parametrize("path", [*FULL, *WSOL, *SEEDS], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_it_starts(path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data.parent)
    experiment = load(path).experiment
    train, val = (image_set(experiment.dataset, split) for split in ("train", "val"))
    assert len(train) > 0
    assert train.classes == val.classes
    labels = train.labels
    assert labels.any(0).all()
    for name, arm in experiment.arms.items():
        assert arm.grouper.check(train.classes, labels) == [], name
    settings = experiment.images
    geometry = Geometry(settings.size, settings.fit, settings.mean, settings.std)
    sample = geometry.place(val.load(int(val.labels.any(1).nonzero()[0])))  # surfaces may show nothing
    assert len(sample.boxes) == len(sample.box_classes)
    assert len(sample.boxes) or sample.mask is not None or experiment.dataset.name == "stl10"  # it has neither
    built: set[str] = set()
    with torch.device("meta"):
        for trainer, outputs in trainers(experiment):
            spec = f"{trainer.name} {trainer.backbone.spec()} {outputs}"
            if spec not in built:
                built.add(spec)
                for network in trainer.learner(outputs, pretrained=False).networks:
                    assert network.eval()(torch.zeros(2, *sample.image.shape)).shape == (2, outputs)


def test_the_experiments_are_there() -> None:
    assert len(set(FULL)) > 20
    assert len(SEEDS) == 5
    used = {read(path)[0]["dataset"]["name"] for path in FULL}
    of_no_paper = {"image_folder", "openimages", "wsol_cub"}  # the last two are layouts of the reader "wsol"
    assert used == set(LAYOUTS) - of_no_paper
