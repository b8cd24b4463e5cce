"""What an experiment file says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from camforge.interfaces import Dataset, Extractor, Fuser, Grouper, Metric, Split, Trainer
from camforge.interfaces.base import Options
from camforge.types import Shown

FolderName = Annotated[str, Field(pattern=r"^\w[\w .,-]*$")]
"""Letters, digits, spaces and ``_ . , -``: it names a folder."""
Size = Annotated[int, Field(ge=8, le=4096)]
Positive = Annotated[float, Field(gt=0)]
Logger = Literal["tensorboard", "wandb", "mlflow", "clearml", "neptune", "dvclive", "aim"]
SHARED = ("grouper", "trainer", "extractor", "fusers")
"""The sections that, at the top level, stand for every arm that has none of its own."""
CONTROL_NAMES = (GAUSSIAN, EVERYTHING) = ("control: centred Gaussian", "control: everything")
"""The rows that look at no image; no arm may have one of these names."""


def _val_among(splits: tuple[Split, ...]) -> tuple[Split, ...]:
    if "val" not in splits or len(set(splits)) < len(splits):
        raise ValueError('give ["val"] or ["val", "train"]')
    return splits


class Images(Options):
    """How photographs become network inputs; the same geometry moves masks and boxes."""

    size: Size | tuple[Size, Size] = 224
    """Pixels of a square's side, or (height, width), which only "squash" makes."""
    fit: Literal["crop", "squash"] = "crop"
    """"crop": short side to ``size``, then the centre; "squash": both sides to ``size``."""
    train_size: Size | None = None
    """Training images are fitted to this larger size, and a random square of ``size`` is cut out at every use."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225)
    decoder: Literal["cpu", "gpu"] = "cpu"
    """"gpu": JPEGs are decoded by nvJPEG and resized on the GPU, by threads of the run; pixels differ by a little."""
    memory: Annotated[float, Field(ge=0)] | None = None
    """GiB that the decoded images of a split may take, None: a quarter of what is free when it is read. Workers of one
    machine share it. What is larger lies in a file beside the store, which vanishes with the run."""
    disk: Annotated[float, Field(ge=0)] | None = None
    """GiB that this file may take, None: half of what is free there. What is larger is decoded anew at each use."""

    @model_validator(mode="after")
    def _crops_are_squares(self) -> Self:
        if isinstance(self.size, tuple) and (self.fit == "crop" or self.train_size is not None):
            raise ValueError('a crop is a square: a (height, width) goes with fit="squash" and without train_size')
        return self


class Extraction(Options):
    """How networks run when maps are extracted from them."""

    autocast: Literal["off", "bf16", "fp16"] = "off"
    """Convolutions and products in bfloat16 or float16; maps are float32. A gradient below 6e-8 is 0 in float16."""
    channels_last: bool | None = None
    """Whether networks and images have a pixel's channels side by side. None: on a GPU, which is quicker so; on the CPU
    a pass lays out the images by itself."""


class Arm(Options):
    """One line of plugins, measured as one row of the table. What it leaves out comes from the experiment."""

    grouper: Grouper
    trainer: Trainer
    extractor: Extractor
    fusers: tuple[Fuser, ...] = ()
    note: str = ""

    @property
    def targets(self) -> Literal["present", "all"]:
        """Which classes' maps the fusers need: those of the image's label, or every class."""
        return target_classes(self.fusers)


def target_classes(fusers: Sequence[Fuser]) -> Literal["present", "all"]:
    """Which classes' maps the fusers need."""
    return "all" if any(fuser.targets == "all" for fuser in fusers) else "present"


class Report(Options):
    """What the page shows."""

    images: Annotated[int, Field(ge=0, le=500)] = 24
    loggers: tuple[Logger, ...] = ()
    """Also write every training's losses and rates for these, into ``logs`` of the work directory (mmengine's back
    ends; each needs its own package)."""


class Experiment(Shown, Options):
    """A whole experiment. A ``grouper``, ``trainer``, ``extractor`` or ``fusers`` stands for each arm without one."""

    name: FolderName
    """Letters, digits, spaces and ``_ . , -``: it names a folder."""
    about: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    dataset: Dataset
    images: Images = Images()
    arms: Annotated[dict[str, Arm], Field(min_length=1)]
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)]
    measure_on: Annotated[tuple[Split, ...], AfterValidator(_val_among)] = ("val",)
    """The splits that maps are measured on. With "train" every number has a second one, such as ``miou@train``, of the
    training images as the validation's geometry shows them. Pictures are of "val"."""
    controls: bool = True
    """Add a centred Gaussian and everything-is-foreground as rows of the table."""
    batch_size: Annotated[int, Field(ge=1)] | None = None
    """Images per batch when maps are extracted and measured, None: 16 on the CPU; on a GPU as many as have the pixels
    of 128 images of 224 x 224, 16 at least. Where memory runs out, a batch goes through in parts."""
    extraction: Extraction = Extraction()
    cost: str = ""
    """What a run takes, such as "4 minutes on 2 cores": told where experiments are listed."""
    paper: dict[str, dict[str, float]] = {}
    """What a published table says, {arm: {metric: number}}: it stands beside the measured numbers."""
    report: Report = Report()

    @classmethod
    def options(cls) -> list[str]:
        return [*super().options(), *SHARED]

    def save(self, path: str | Path) -> Path:
        """Write the experiment, every option spelt out, as a .yaml or .json file that ``camforge.run`` takes."""
        written: Path = self.render("save", path)
        return written

    @model_validator(mode="before")
    @classmethod
    def _fill_arms(cls, value: Any) -> Any:
        return filled(value) if isinstance(value, dict) else value


def filled(config: Mapping[str, Any]) -> dict[str, Any]:
    """Give each arm what the experiment says for all; an arm of which nothing is said has just that.

    An arm without a grouper has the classes as they are.
    """
    shared = {key: config[key] for key in SHARED if key in config}
    rest = {key: value for key, value in config.items() if key not in SHARED}
    if isinstance(rest.get("arms"), dict):
        rest["arms"] = {
            name: {"grouper": {"name": "none"}, **shared, **(arm or {})} if isinstance(arm, dict | None) else arm
            for name, arm in rest["arms"].items()
        }
    return rest
