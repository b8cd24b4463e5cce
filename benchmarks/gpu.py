"""Everything that a GPU is to reach, in one command of a few minutes: passes beside the peers, extraction, training.

    python benchmarks/gpu.py --out gpu.md
    python benchmarks/gpu.py --device cpu --quick     # does it start? The numbers say nothing

ResNet-50 with random weights, images of 224 pixels. The contenders of a table take turns, and a ratio is taken within a
round, to a bare forward of the same images in the same precision; on a GPU each run ends with a wait for the device.
A part that fails is told in its place. Peers take part where ``pip install camforge[bench]`` has put them. The last
table has every goal beside what was measured.
"""

from __future__ import annotations

import argparse
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from gpu_parts import PARTS, memory
from gpu_tables import Given, measure


def reports(given: Given, only: list[str], seconds: float) -> Iterator[str]:
    """The tables as they come, the goals at the end. When the time is up, what is left is named."""
    end = time.perf_counter() + seconds
    goals: list[str] = []
    for name, (part, share) in PARTS.items():
        if name not in only:
            continue
        try:
            for table in part(given):
                if time.perf_counter() > end:
                    yield f"### {table.title}\n\nNot measured: the time was up.\n"
                    goals += [f"| {goal.work} | | | the time was up |" for goal in table.goals]
                else:
                    told, reached = measure(table, given, max(1, int(share * given.rounds)))
                    goals += reached
                    yield told
        except Exception:
            yield f"### {name}\n\nFailed:\n\n```\n{traceback.format_exc(limit=-4)}```\n"
            goals.append(f"| {name} | | | failed |")
    yield memory(given)
    yield "\n".join(["### Goals", "", "| work | goal | measured | |", "|---|---|---|---|", *goals]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=300, help="no table is begun after that")
    parser.add_argument("--quick", action="store_true", help="tiny images and one round")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--out", type=Path, help="write the tables there as they come")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    given = Given(torch.device(asked.device), asked.quick, 1 if asked.quick else asked.rounds)
    name = torch.cuda.get_device_name() if given.device.type == "cuda" else "CPU"
    parts = [f"torch {torch.__version__}, {name}\n"]
    print(parts[0])
    for part in reports(given, asked.only, asked.seconds):
        parts.append(part)
        print(part, flush=True)
        if asked.out:
            asked.out.write_text("\n".join(parts))


if __name__ == "__main__":
    main()
