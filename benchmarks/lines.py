"""The blocks of docs/peers.md, timed: every way of a task in turn, in units of a forward pass.

    OMP_WAIT_POLICY=passive python benchmarks/lines.py

Needs ``pip install camforge[bench,timm]``. Prints the table that stands on the page. Nothing is downloaded: published
weights are random ones of the same shapes, which take as long.
"""

from __future__ import annotations

import argparse
import re
import statistics
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torchvision
from contenders import Row
from peers import measure
from torchvision.models import WeightsEnum

PAGE = Path(__file__).resolve().parents[1] / "docs" / "peers.md"
PEERS = ("CamForge", "pytorch-grad-cam", "torch-cam", "Captum")
_BLOCK = re.compile(r'^```python(?: title="([^"]+)")?\n(.*?)^```$', re.M | re.S)
Ways = dict[str, Callable[[], Any]]


def tasks(names: dict[str, Any]) -> dict[str, Ways]:
    """{task: {library: what it runs}}; blocks that only prepare a task are run at once."""
    intro, *sections = re.split(r"^## ", PAGE.read_text(), flags=re.M)
    exec(_BLOCK.search(intro)[2], names)  # type: ignore[index]
    found: dict[str, Ways] = {}
    for section in sections:
        blocks = _BLOCK.findall(section)
        ours = [text for title, text in blocks if not title]
        for text in ours[:-1]:
            exec(text, names)
        model = names["vit" if "vit" in "".join(ours) else "model"]
        if ours:
            ways: Ways = {
                "forward": lambda model=model: _forward(model, names["images"]),
                "CamForge": _way(ours[-1], names),
            }
            found[section.partition("\n")[0]] = ways | {title: _way(text, names) for title, text in blocks if title}
    return found


def _way(text: str, names: dict[str, Any]) -> Callable[[], Any]:
    code = compile(text, str(PAGE), "exec")
    return lambda: exec(code, dict(names))


def _forward(model: torch.nn.Module, images: torch.Tensor) -> None:
    with torch.no_grad():
        model(images)


def ratios(ways: Ways, rounds: int) -> dict[str, float]:
    """Medians of the ratios to the forward pass of the same round, in processor time."""
    times = measure(Row("", ways, rounds, ""))
    return {
        name: statistics.median(a / b for a, b in zip(taken.cpu, times["forward"].cpu, strict=True))
        for name, taken in times.items()
    }


def _random_weights(weights: WeightsEnum, *_arguments: object, **_options: object) -> dict[str, torch.Tensor]:
    arch = type(weights).__name__.removesuffix("_Weights").lower()
    return torchvision.models.get_model(arch, weights=None).state_dict()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    WeightsEnum.get_state_dict = _random_weights  # type: ignore[method-assign]
    print(f"| processor time, in forwards | {' | '.join(PEERS)} |\n|---|{'---|' * len(PEERS)}")
    for task, ways in tasks({}).items():
        found = ratios(ways, given.rounds)
        cells = [f"{found[peer]:.2f}" if peer in found else "-" for peer in PEERS]
        print(f"| {task} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
