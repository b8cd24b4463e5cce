"""What an experiment file says."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from camforge.interfaces import Dataset, Extractor, Fuser, Grouper, Metric, Trainer

Size = Annotated[int, Field(ge=8, le=4096)]


class Images(BaseModel):
    """How photographs become network inputs; the same geometry moves masks and boxes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Size = 224
    fit: Literal["crop", "squash"] = "crop"
    """"crop": short side to ``size``, then the centre; "squash": both sides to ``size``."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


class Arm(BaseModel):
    """One line of plugins, measured as one row of the table. What it leaves out comes from the experiment."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    grouper: Grouper
    trainer: Trainer
    extractor: Extractor
    fusers: tuple[Fuser, ...] = ()
    note: str = ""


class Report(BaseModel):
    """What the page shows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: Annotated[int, Field(ge=0, le=500)] = 24


class Experiment(BaseModel):
    """A whole experiment. ``grouper``, ``trainer``, ``extractor`` and ``fusers`` stand for every arm that names none."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: str
    about: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    dataset: Dataset
    images: Images = Images()
    arms: Annotated[dict[str, Arm], Field(min_length=1)]
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)]
    controls: bool = True
    """Add a centred Gaussian and everything-is-foreground as rows of the table."""
    batch_size: Annotated[int, Field(ge=1)] = 16
    """Images per batch when maps are extracted."""
    report: Report = Report()

    @model_validator(mode="before")
    @classmethod
    def _fill_arms(cls, value: Any) -> Any:
        """Give each arm what the experiment says for all."""
        if not isinstance(value, dict) or not isinstance(value.get("arms"), dict):
            return value
        value = dict(value)
        shared = {key: value.pop(key) for key in ("grouper", "trainer", "extractor", "fusers") if key in value}
        value["arms"] = {
            name: {"grouper": {"name": "none"}, **shared, **arm} if isinstance(arm, dict) else arm
            for name, arm in value["arms"].items()
        }
        return value
