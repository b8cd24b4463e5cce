"""The host's part of a pass: (pass - forward) / forward where kernels cost nearly nothing.

    OMP_NUM_THREADS=1 python benchmarks/host.py [--rounds 300] [--profile]

ResNet-50 with random weights on one 32x32 image on the CPU. The forward is a bare one in inference mode. Forward
and pass take turns, and each ratio is taken within a round: a machine that slows down slows both. The clock is that
of the process, which other programs disturb less than the wall's.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import random
import statistics
import time

import torch
from contenders import Bench, Run

Times = dict[str, list[float]]


def passes(bench: Bench) -> dict[str, Run]:
    """What is measured beside the forward, the first of them."""
    layercam = {"name": "layercam", "layers": "stages"}
    return {
        "forward": bench.forward(channels_last=False),
        "Grad-CAM": bench.camforge("gradcam"),
        "Grad-CAM of twenty classes": bench.camforge("gradcam", targets=bench.twenty),
        "Layer-CAM, all stages": bench.camforge(layercam),
    }


def measure(runs: dict[str, Run], rounds: int) -> Times:
    """Seconds of every run in every round, in a new order each round; ten rounds before do not count."""
    times: Times = {name: [] for name in runs}
    for number in range(rounds + 10):
        order = random.Random(number).sample(list(runs), len(runs))
        for name in order:
            start = time.process_time()
            runs[name]()
            times[name].append(time.process_time() - start)
    return {name: seconds[10:] for name, seconds in times.items()}


def table(times: Times) -> str:
    """Median milliseconds, and the median of (pass - forward) / forward with its quartiles."""
    lines = ["| | ms | (pass - forward) / forward |", "|---|---|---|"]
    for name, seconds in times.items():
        shares = [one / forward - 1 for one, forward in zip(seconds, times["forward"], strict=True)]
        low, middle, high = statistics.quantiles(shares)
        lines.append(f"| {name} | {1000 * statistics.median(seconds):.2f} | {middle:.3f} ({low:.3f} to {high:.3f}) |")
    return "\n".join(lines)


def profile(run: Run, times: int) -> None:
    """Where the pass's own time goes."""
    with cProfile.Profile() as found:
        for _ in range(times):
            run()
    pstats.Stats(found).sort_stats("tottime").print_stats(30)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--profile", action="store_true", help="profile the Grad-CAM pass")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    runs = passes(Bench.of(1, given.size))
    print(table(measure(runs, given.rounds)))
    if given.profile:
        profile(runs["Grad-CAM"], given.rounds)


if __name__ == "__main__":
    main()
