"""Every metric on one page: source, bounds, direction, how far from what it is held against, the time beside Quantus.

    python benchmarks/metrics.py [--maps 20] [--write | --differences]

Processor time of one thread for 100 maps: Grad-CAM of a small convolutional network with ten outputs on pictures of one
colour, 28 x 28. Quantus 0.6 is asked the same question with as many samples, where it is installed (pip install
quantus). The network has one colour since Quantus removes colours of pixels one by one. ``--write`` puts the table into
docs/reference/metrics.md; ``--differences`` measures the column of differences there again and leaves the times.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import io
import re
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import yaml
from differences import measured_differences
from torch import Tensor, nn

import camforge
from camforge.api import Metric, MetricInput
from camforge.host.registry import build, registry

APART = "largest difference"
HEAD = ("metric", "family", "source", "bounds", "better", "held against", APART, "s", "Quantus, s", "the two")
PAGE = Path(__file__).resolve().parents[1] / "docs/reference/metrics.md"
SIDE = 28


@dataclass(frozen=True)
class Peer:
    """What Quantus has for a metric. ``scale``: our number over theirs; 0: the two do not ask the same."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    ours: Mapping[str, Any] = field(default_factory=dict)
    scale: float = 0.0
    why: str = ""


CASES: Mapping[str, Mapping[str, Any]] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
PEERS = {name: Peer(**case["quantus"]) for name, case in CASES.items() if "quantus" in case}


class Grab(Metric):
    """Keeps what metrics are given."""

    name = "grab"
    seen: ClassVar[list[MetricInput]] = []

    def update(self, metric_input: MetricInput) -> Tensor:
        self.seen.append(metric_input)
        return torch.zeros(1, dtype=torch.float64)

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> dict[str, float]:
        return {"grab": float(total) + 0 * len(classes)}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(7), nn.Flatten(), nn.Linear(32 * 49, 10),
    ).eval()  # fmt: skip


def maps_of(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Grad-CAM, with a faint slope so that no two pixels are equal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        maps = camforge.explain(model, images, targets.tolist(), {"name": "gradcam", "layers": ["4"]}).maps
    return maps + 1e-4 * torch.rand(SIDE, SIDE, generator=torch.Generator().manual_seed(1)) + 1e-5


def for_quantus(model: nn.Module, inputs: Any, targets: Any, **_: Any) -> np.ndarray:
    tensors = torch.as_tensor(np.asarray(inputs)).float(), torch.as_tensor(np.asarray(targets)).long().reshape(-1)
    return maps_of(model, *tensors)[:, None].numpy()


def given(count: int) -> tuple[nn.Module, MetricInput]:
    """The network, and its maps of blobs for the highest output, as metrics are given them."""
    model, generator = network(), torch.Generator().manual_seed(2)
    images, masks = 0.2 * torch.randn(count, 1, SIDE, SIDE, generator=generator), torch.zeros(count, SIDE, SIDE).bool()
    for i in range(count):
        top, left = torch.randint(2, 14, (2,), generator=generator).tolist()
        images[i, :, top : top + 11, left : left + 11] += 1
        masks[i, top : top + 11, left : left + 11] = True
    camforge.measure(model, images, None, maps_of, metrics=Grab(), masks=masks, batch_size=count)
    return model, Grab.seen[-1]


def seconds(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        found = run()
    return time.process_time() - start, found


def by_quantus(peer: Peer, model: nn.Module, seen: MetricInput) -> tuple[float, Any]:
    """Seconds, and the scores of every image; (NaN, the reason) where it fails."""
    import quantus

    np.trapz = getattr(np, "trapz", np.trapezoid)  # it asks for what NumPy 2.4 no longer has
    own = seen.batch.masks[seen.images] == (1 + seen.classes)[:, None, None]
    softmax = peer.ours.get("score") == "softmax"
    targets = seen.model.score(seen.batch.images).argmax(1)  # in the order that measure() gave the classes
    outputs = torch.stack([model(image[None]).argmax(1)[0] for image in seen.batch.images])
    assert len(targets) == len(outputs)
    try:
        metric = getattr(quantus, peer.name)(**peer.options, disable_warnings=True, display_progressbar=False)
        return seconds(
            lambda: metric(
                model=model, x_batch=seen.batch.images.numpy(), y_batch=outputs.numpy(),
                a_batch=seen.maps[:, None].numpy(), s_batch=own[:, None].numpy(), explain_func=for_quantus,
                softmax=softmax, device="cpu", channel_first=True,
            )
        )  # fmt: skip
    except Exception as error:
        return float("nan"), f"Quantus fails here: {type(error).__name__}, {' '.join(str(error).split())[:80]}"


def theirs(name: str, scores: Any, seen: MetricInput) -> float:
    """Quantus' scores as one number as ours is: the mean over classes of the means over a class's images."""
    rows = np.asarray(scores, dtype=float).reshape(len(seen.maps), -1)
    if name == "selectivity":
        start = seen.model.score(seen.batch.images).softmax(1)[torch.arange(len(rows)), seen.classes].numpy()
        rows = np.column_stack([start, rows])
        rows = np.trapezoid(rows, axis=1)[:, None] / (rows.shape[1] - 1)
    classes = seen.classes.numpy()
    return float(np.mean([rows[classes == c, 0].mean() for c in np.unique(classes)]))


def row(name: str, model: nn.Module, seen: MetricInput, peers: bool, apart: float) -> tuple[str, ...]:
    """One line of the table."""
    cls, peer = registry().plugins["metric"][name].cls, PEERS.get(name)
    metric = build("metric", {"name": name} | dict(peer.ours if peer else {}))
    per = 100 / len(seen.maps)
    own, verdict, other = "–", "", "–"
    try:
        spent, total = seconds(lambda: metric.update(replace(seen)))
        own = f"{per * spent:.2g}"
    except camforge.CamForgeError:
        total = None
    if peer and peers:
        spent, scores = by_quantus(peer, model, seen)
        other, verdict = ("–", scores) if spent != spent else (f"{per * spent:.2g}", peer.why)
        if spent == spent and peer.scale and total is not None:
            number = next(iter(metric.compute(total, tuple(map(str, range(10)))).values()))
            beside = abs(number - peer.scale * theirs(name, scores, seen))
            verdict = ("equal" if beside < 1e-12 else f"{beside:.0e} apart") + (f": {peer.why}" if peer.why else "")
    facts = (f"`{name}`", cls.family, source(cls), bounds(cls), direction(cls), held(name))
    return *facts, difference(apart), own, other, verdict


def difference(apart: float) -> str:
    """The largest difference of the tests as the table says it."""
    return f"{apart:.0e}" if apart else "none"


def source(cls: type[Metric]) -> str:
    """What the first sentence of the docstring has in its last brackets with a year."""
    found = re.findall(r"\(([^()]*\d{4}[^()]*)\)", (inspect.getdoc(cls) or ""))
    return found[0].replace("\n", " ") if found else "CamForge"


def bounds(cls: type[Metric]) -> str:
    least, most = (f"{bound:g}".replace("inf", "∞") for bound in cls.bounds)
    return f"{least} … {most}"


def direction(cls: type[Metric]) -> str:
    lower = sorted(cls.lower_is_better)
    return (
        "higher"
        if not lower
        else "lower"
        if cls.name in lower or len(lower) > 3
        else f"higher; lower: {', '.join(lower)}"
    )


def held(name: str) -> str:
    told: str = CASES.get(name, {}).get("held", "loops, 1e-6")
    return told


def table(count: int) -> str:
    model, seen = given(count)
    try:
        import quantus  # noqa: F401

        peers = True
    except ImportError:
        peers = False
    apart = measured_differences()
    names = [name for name, p in registry().plugins["metric"].items() if p.distribution == "camforge"]
    order = sorted(names, key=lambda name: (registry().plugins["metric"][name].cls.family, name))
    return as_text([HEAD, ("---",) * len(HEAD), *(row(name, model, seen, peers, apart[name]) for name in order)])


def as_text(lines: Iterable[Sequence[str]]) -> str:
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def with_differences(made: str) -> str:
    """The table with the differences of today."""
    lines, found = [line[2:-2].split(" | ") for line in made.splitlines()], measured_differences()
    for cells in lines[2:]:
        cells[HEAD.index(APART)] = difference(found[cells[0].strip("`")])
    return as_text(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=int, default=20)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--differences", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    before, start, rest = PAGE.read_text().partition("<!-- made: metrics -->\n\n")
    now, end, after = rest.partition("\n<!-- end -->")
    made = with_differences(now) if options.differences else table(options.maps)
    print(made)
    if options.write or options.differences:
        PAGE.write_text(before + start + made + end + after)


if __name__ == "__main__":
    main()
