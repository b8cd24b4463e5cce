"""Disks that are full, read-only or damaged, and too little memory."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from lab import Lab, Row, little_memory, remount, tmpfs
from processes import wait_for_a_checkpoint

LARGER = [
    "images.size=96", "dataset.train=40", "dataset.val=96", "batch_size=96",
    "trainer.backbone.widths=[64,64]", "trainer.batch_size=4", "trainer.epochs=1",
]  # fmt: skip


def disks(lab: Lab) -> Iterator[Row]:
    """Disks that are too small and then large enough; a disk that is read-only, after a kill and after the end."""
    if os.geteuid():
        yield "full disk, read-only disk", "not tried: only root may mount a tmpfs", "unknown"
        return
    need = sum(path.stat().st_blocks * 512 for path in lab.finish(lab.new()).work.rglob("*"))
    lost = clear = 0
    for i in range(lab.times):
        with tmpfs(lab.folder / f"full-{i}", int(need * (i + 0.5) / lab.times)) as place:
            run = lab.finish(place / "w")
            clear += run.in_one_line("No space left on device")
            remount(place, f"size={8 * need}")
            lab.finish(place / "w")
            lost += lab.lost(place / "w")
    tried = f"{lab.times} sizes up to what is needed, {clear} runs ended with the reason in one line"
    yield lab.row("full disk", tried, lost)
    with tmpfs(lab.folder / "read-only", 8 * need) as place:
        run = lab.start(place / "w")
        lab.reach(run, "extract")
        run.process.kill()
        run.end()
        remount(place, "ro")
        clear = lab.finish(place / "w").in_one_line("Read-only file system")
        remount(place, "rw")
        lab.finish(place / "w")
        lost = int(lab.lost(place / "w"))
        remount(place, "ro")
        clear += lab.finish(place / "w").in_one_line("Read-only file system")
        lost += lab.lost(place / "w")
        yield lab.row("read-only disk", f"2 runs, {clear} ended with the reason in one line", lost, 2)


def damage(lab: Lab) -> Iterator[Row]:
    """Every file of a finished store, then a checkpoint: one byte flipped, or the end cut off."""
    for name, harm in HARMS.items():
        work = lab.finish(lab.new()).work
        files = [path for path in work.glob("store/*-*/*") if path.parent.suffix != ".unfinished"]
        for path in files:
            harm(path)
        told = lab.finish(work).said.count("is damaged")
        yield lab.row(f"store: {name}", f"{len(files)} files, {told} stages made anew", lab.lost(work), 1)
        run = lab.start(lab.new())
        checkpoints = wait_for_a_checkpoint(run)
        run.process.kill()
        run.end()
        for path in checkpoints:
            harm(path)
        lab.finish(run.work)
        yield lab.row(f"checkpoint: {name}", f"{len(checkpoints)} file", lab.lost(run.work), 1)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[random.randrange(len(content))] ^= 0xFF
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: -random.randint(1, path.stat().st_size)])


HARMS: dict[str, Callable[[Path], None]] = {"a byte flipped": _flip, "cut short": _cut}


def memory(lab: Lab) -> Iterator[Row]:
    """An address space that a whole batch does not fit into, in extraction and in training."""
    wide = [word for one in LARGER for word in ("--set", one)]
    whole = json.loads((lab.finish(lab.new(), *wide).work / "results.json").read_text())["arms"]
    for allowed in (400, 300, 200):
        run = lab.finish(lab.new(), *wide, before=little_memory(allowed))
        if fits := re.findall(r"memory ran out with (\d+) images at a time, (\d+) fit", run.said):
            break
    results = run.work / "results.json"
    arms = json.loads(results.read_text())["arms"] if results.is_file() else {}
    apart = max((abs(arms[arm][name] - whole[arm][name]) for arm in arms for name in arms[arm]), default=float("nan"))
    tried = f"{allowed} MiB; images at a time: {', '.join(f'{many} -> {few}' for many, few in fits) or 'never less'}"
    lost = "nothing" if arms.keys() == whole.keys() else "**an arm**"
    yield "memory runs out in extraction", tried, f"{lost}: numbers differ by {apart:.2g} percent at most"
    work = lab.new()
    run = lab.finish(work, *wide, "--set", "trainer.batch_size=40", before=little_memory(100))
    told = "memory ran out with batch_size 40 on cpu" in run.said
    lab.finish(work)
    tried = "the error names batch_size" if told else f"**{run.said[-300:]}**"
    yield lab.row("memory runs out in training", tried, lab.lost(work), 1)
