"""What cannot work although every value by itself is allowed: said before anything runs."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from camforge.capture import ModelLayers
from camforge.capture.model.borrowing import WithoutWeights
from camforge.config.schema import CONTROL_NAMES, Arm, Experiment
from camforge.host.errors import KeyPath, Mistake, message_of
from camforge.interfaces import Axis, LayerExtractor, Trainer
from camforge.types import CamForgeError, Network


def check(experiment: Experiment) -> list[Mistake]:
    """Every contradiction between the plugins of an arm, without data and without weights."""
    found = [
        Mistake(("arms", name), "reserved: the name of a control") for name in experiment.arms if name in CONTROL_NAMES
    ]
    names = [metric.name for metric in experiment.metrics]
    found += [
        Mistake(("metrics", place), "the same metric stands here twice: its numbers would have the same names", name)
        for place, name in enumerate(names)
        if name in names[:place]
    ]
    found += [
        Mistake(("paper", name), f"no arm has this name; arms: {', '.join(experiment.arms)}", name)
        for name in experiment.paper.keys() - experiment.arms.keys()
    ]
    outlines = Outlines()
    for name, arm in experiment.arms.items():
        found += [Mistake(("arms", name, *m.path), m.problem, m.given) for m in _check_arm(arm, outlines)]
    return found


def _check_arm(arm: Arm, outlines: Outlines) -> Iterator[Mistake]:
    fused = [fuser.axis for fuser in arm.fusers]
    for place, axis in enumerate(fused):
        if axis is not None and axis in fused[:place]:
            yield Mistake(("fusers", place, "axis"), f"an earlier fuser already reduced the {axis!r} axis", axis)
    for option, trainer in arm.grouper.trainers().items():
        yield from _unregistered(trainer, ("grouper", option))
        yield from _refusal(outlines.of(trainer), trainer, ("grouper", option))
    yield from _unregistered(arm.trainer, ("trainer",))
    networks = outlines.of(arm.trainer)
    yield from _refusal(networks, arm.trainer, ("trainer",))
    if arm.grouper.name != "none" and "view" not in fused:
        yield _left("view", f"grouper {arm.grouper.name!r} makes several views")
    if isinstance(networks, CamForgeError):
        return
    if len(networks) > 1 and "branch" not in fused:
        yield _left("branch", f"trainer {arm.trainer.name!r} makes {len(networks)} branches")
    if networks:
        yield from _check_layers(arm, networks[0], "layer" in fused)


def _unregistered(trainer: Trainer, path: KeyPath) -> Iterator[Mistake]:
    """Optimisers, schedulers and hooks that mmengine does not know, or that refuse their options."""
    if trainer.hooks or not (isinstance(trainer.optimizer, str) and isinstance(trainer.schedule, str)):
        from camforge.training.vocabulary import mistakes  # mmengine takes a second to import

        for place, problem, given in mistakes(trainer):
            yield Mistake((*path, *place), problem, given)


def _refusal(networks: list[Network] | CamForgeError, trainer: Trainer, path: KeyPath) -> Iterator[Mistake]:
    if isinstance(networks, CamForgeError):
        yield Mistake(path, str(networks), trainer.name)


def _check_layers(arm: Arm, network: Network, fused: bool) -> Iterator[Mistake]:
    """Layers that the network does not have, and several that nothing brings together."""
    extractor = arm.extractor
    model_layers = ModelLayers(network, (torch.zeros(1, 3, 8, 8),))
    try:
        extractor.needs(model_layers)
    except CamForgeError as error:
        layers = extractor.spec().get("layers")
        yield Mistake(
            ("extractor",) if layers is None else ("extractor", "layers"), str(error), layers or extractor.name
        )
        return
    if isinstance(extractor, LayerExtractor) and extractor.merge is None and not fused:
        count = len(model_layers.resolve(extractor.layers))
        if count > 1:
            yield _left("layer", f"extractor {extractor.name!r} reads {count} layers")


def _left(axis: Axis, because: str) -> Mistake:
    return Mistake(("fusers",), f"{because}: add a fuser with axis={axis!r}, or the maps cannot become one")


class Outlines:
    """Networks without memory behind them, each trainer's built once."""

    def __init__(self) -> None:
        self._made: dict[str, list[Network] | CamForgeError] = {}

    def of(self, trainer: Trainer) -> list[Network] | CamForgeError:
        """One network per branch; none where they cannot be built like that; what the trainer says is wrong."""
        key = trainer.model_dump_json()
        if key not in self._made:
            self._made[key] = _outline(trainer)
        return self._made[key]


def _outline(trainer: Trainer) -> list[Network] | CamForgeError:
    try:
        with torch.device("meta"):
            learner = trainer.learner(2, pretrained=False)
    except (WithoutWeights, RuntimeError, NotImplementedError):  # a network that computes with its weights when built
        return []
    except CamForgeError as error:
        return error
    except Exception as error:  # a plugin may raise anything
        return CamForgeError(f"its network cannot be built: {type(error).__name__}: {message_of(error)}")
    return [network for network in learner.networks if isinstance(network, Network)]
