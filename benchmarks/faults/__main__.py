"""Faults, tried for real on a tiny experiment: what was tried, and what was lost.

    OMP_NUM_THREADS=1 python benchmarks/faults [--times 10] [--only kills disks …]

A run is a process of its own that is killed, interrupted, or given a full disk or little memory; then the same run is
started again. Nothing is lost where its results.json has the bytes of an undisturbed run and no stage in its store is
damaged. Linux; a full and a read-only disk are tmpfs mounts, which only root may make.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from lab import TINY, Lab
from processes import company, interrupts, kills, moments, twins, worker_moments, workers
from resources import damage, disks, memory
from surroundings import clocks, files, homes, locks

FAULTS = {
    "kills": kills, "moments": moments, "interrupts": interrupts, "disks": disks, "damage": damage, "company": company,
    "twins": twins, "workers": workers, "worker_moments": worker_moments, "memory": memory, "homes": homes,
    "files": files, "clocks": clocks, "locks": locks,
}  # fmt: skip


def main() -> None:
    """Print the table of the faults that the command line asks for."""
    parser = argparse.ArgumentParser(description="Faults, tried for real.")
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print("| fault | tried | lost |\n|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        lab = Lab(Path(folder), asked.times)
        lab.config.write_text(TINY)
        lab.undisturbed()
        for name in asked.only:
            for row in FAULTS[name](lab):
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
