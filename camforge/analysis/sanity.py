"""``camforge sanity``: do the maps change when the network forgets what it learned? (Adebayo et al., NeurIPS 2018)."""

from __future__ import annotations

import copy
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from camforge.analysis.finished import Finished
from camforge.data.prepared import Prepared
from camforge.files import write_atomically
from camforge.measuring.randomised import initialise
from camforge.pipeline.arms import TrainedArm, fused_maps, train_arm
from camforge.pipeline.extract import extract
from camforge.pipeline.fuse import FusedMaps
from camforge.progress.progress import Progress
from camforge.similarity import rank_correlation, structural_similarity
from camforge.store.store import digest
from camforge.types import CamForgeError, Network, TrainedModel

MEASURES = {"rank correlation": rank_correlation, "SSIM": structural_similarity}


@dataclass(frozen=True)
class Sanity:
    """How alike the maps of a trained network and of one that lost its parameters are: 1 the same, 0 unrelated.

    steps    what was lost: the head, the head and the last stage … all
    arms     {arm: {measure: a mean over the maps per step}}; an arm with fewer stages has fewer steps
    """

    steps: tuple[str, ...]
    arms: Mapping[str, Mapping[str, tuple[float, ...]]]

    def rows(self) -> Iterator[tuple[str, str, tuple[float, ...]]]:
        """(arm, measure, numbers)."""
        for arm, measures in self.arms.items():
            for measure, numbers in measures.items():
                yield arm, measure, numbers


def sanity(
    folder: str | Path, arms: Sequence[str] = (), *, seed: int = 0, device: str = "auto", quiet: bool = False
) -> Sanity:
    """The parameter randomisation test of a finished experiment, on its validation images.

    Parameters are initialised anew from the head down, stage by stage (Adebayo et al. 2018, sec. 4.1, "cascading"), and
    the arm's fused maps are compared with those before: Spearman's rank correlation, and SSIM. A method whose numbers
    stay near 1 shows the photograph, not what the network learned.

    folder  the experiment's work directory;  arms  their names, none for all;  seed  of the new parameters
    Writes ``sanity.csv`` there. Raises CamForgeError where the experiment is not finished or an arm is unknown.
    """
    finished = Finished.open(Path(folder), device, Progress(quiet))
    names = [finished.arm(name) for name in arms] or list(finished.experiment.arms)
    trained_arms = {name: train_arm(name, finished.session) for name in names}
    images = finished.session.val
    before = _fused(trained_arms, finished, images)
    depth = {name: _depth(p) for name, p in trained_arms.items()}
    found: dict[str, dict[str, list[float]]] = {name: {measure: [] for measure in MEASURES} for name in names}
    for step in range(1 + max(depth.values())):
        lost = {name: _lost(p, step, seed) for name, p in trained_arms.items() if step <= depth[name]}
        for name, after in _fused(lost, finished, images).items():
            for measure, number in _alike(before[name], after, finished).items():
                found[name][measure].append(number)
    arms_found = {name: {m: tuple(numbers) for m, numbers in of_arm.items()} for name, of_arm in found.items()}
    result = Sanity(_told(max(depth.values())), arms_found)
    write_atomically(Path(folder) / "sanity.csv", _csv(result).encode())
    return result


def without(network: Network, step: int, seed: int) -> Network:
    """A copy that lost the parameters of the head and of the last ``step`` stages; all, where it has no more stages.

    Modules are taken in the order in which the network registers them, the last first; each draws its parameters as
    when it was made (batch normalisation forgets its statistics too), one that cannot has its values shuffled.
    """
    device = next(network.parameters()).device
    forgetful = copy.deepcopy(network).cpu()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for module in _lost_modules(forgetful, step):
            initialise(module)
    return forgetful.to(device).eval()


def _lost_modules(network: Network, step: int) -> list[nn.Module]:
    modules = list(network.body.named_modules())
    first = 0
    if step < len(network.stages):
        kept = network.stages[-1 - step]
        first = 1 + max(i for i, (name, _) in enumerate(modules) if f"{name}.".startswith(f"{kept}."))
    return [module for _, module in reversed(modules[first:]) if list(module.parameters(recurse=False))]


def _lost(trained_arm: TrainedArm, step: int, seed: int) -> TrainedArm:
    """The arm with networks that lost their parameters, under keys of their own."""
    models = tuple(
        TrainedModel(
            model.view, tuple(without(network, step, seed) for network in model.networks), (),
            digest({"network": model.key, "lost": step, "seed": seed}),
        )
        for model in trained_arm.models
    )  # fmt: skip
    requests = tuple(replace(request, model=model) for request, model in zip(trained_arm.requests, models, strict=True))
    return replace(trained_arm, models=models, requests=requests)


def _fused(trained_arms: Mapping[str, TrainedArm], finished: Finished, images: Prepared) -> dict[str, FusedMaps]:
    """Every arm's fused maps; arms share the passes of a network."""
    requests = [request for p in trained_arms.values() for request in p.requests]
    entries = extract(requests, finished.session, images)
    return {name: fused_maps(p, entries, images, finished.session) for name, p in trained_arms.items()}


def _alike(before: FusedMaps, after: FusedMaps, finished: Finished) -> dict[str, float]:
    """Each measure's mean over all maps."""
    found: dict[str, list[Tensor]] = {measure: [] for measure in MEASURES}
    size, device = finished.session.batch_size, finished.session.device
    for (_, first), (_, second) in zip(before.batches(size, device), after.batches(size, device), strict=True):
        old, new = first.maps, second.maps
        for measure, compare in MEASURES.items():
            found[measure].append(compare(old, new))
    means = {measure: float(torch.cat(values).mean()) for measure, values in found.items()}
    if any(value != value for value in means.values()):
        raise CamForgeError(f"{after.label}: the network that lost its parameters has maps with NaN or infinity")
    return means


def _depth(trained_arm: TrainedArm) -> int:
    """The number of stages."""
    return min(len(network.stages) for model in trained_arm.models for network in model.networks)


def _told(depth: int) -> tuple[str, ...]:
    last = [f"and the last {count} stages" if count > 1 else "and the last stage" for count in range(1, depth)]
    return ("the head", *last, "all")


def _csv(found: Sanity) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["arm", "measure", *found.steps])
    writer.writerows([arm, measure, *(f"{n:.4f}" for n in numbers)] for arm, measure, numbers in found.rows())
    return text.getvalue()
