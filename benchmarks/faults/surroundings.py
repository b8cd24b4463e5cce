"""Runs where home, open files, the clock or the locks of a disk are not what they usually are."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from typing import NoReturn

from lab import Lab, Row, remount, tmpfs

DAY = 86400
HOMES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TORCH_HOME", "HF_HOME")


def homes(lab: Lab) -> Iterator[Row]:
    """HOME unset, not there, and on a read-only disk."""
    with tmpfs(lab.folder / "home", 1 << 20) as home:
        remount(home, "ro")
        for name, value in (("unset", None), ("not there", "/nonexistent"), ("read-only", str(home))):
            lost = 0
            for _ in range(lab.times):
                run = lab.fresh(lab.new(), environment=dict.fromkeys(HOMES) | {"HOME": value})
                lost += run.end() != 0 or lab.lost(run.work)
            yield lab.row(f"HOME {name}", f"{lab.times} runs", lost)


def files(lab: Lab) -> Iterator[Row]:
    """Few files that may be open; afterwards as many as usual."""
    for allowed in (64, 32, 16):
        run = lab.fresh(lab.new(), before=_open_files(allowed))
        code = run.end()
        last = (run.said.splitlines() or [""])[-1]
        told = "finished" if code == 0 else f"exit code {code}: {last[:120]}"
        lab.finish(run.work)
        yield lab.row(f"ulimit -n {allowed}", told, lab.lost(run.work), 1)


def _open_files(allowed: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))


def clocks(lab: Lab) -> Iterator[Row]:
    """The clock is set back, or forward, between a run that is killed and the next; then every file's time moves."""
    faketime = shutil.which("faketime")
    for name, shift in (("back", "-400d"), ("forward", "+400d")):
        if not faketime:
            yield f"clock set {name}", "not tried: needs Debian's faketime", "unknown"
            continue
        lost = 0
        for _ in range(lab.times):
            run = lab.start(lab.new())
            lab.reach(run, "extract")
            run.process.kill()
            run.end()
            lab.fresh(run.work, wrapper=(faketime, "-f", shift)).end()
            lost += lab.lost(run.work)
        yield lab.row(f"clock set {name} by 400 days", f"{lab.times} runs, killed before", lost)
    work = lab.finish(lab.new()).work
    for name, shift in (("earlier", -400 * DAY), ("later", 400 * DAY)):
        for path in work.rglob("*"):
            status = path.stat()
            os.utime(path, (status.st_atime + shift, status.st_mtime + shift))
        made = lab.finish(work, "--quiet").said.count("train ")
        yield lab.row(f"files of another machine, {name}", f"{made} networks trained again", lab.lost(work), 1)


def locks(lab: Lab) -> Iterator[Row]:
    """A disk that has no locks, as some network file systems; afterwards one that has."""
    for code in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
        run = lab.finish(lab.new(), before=_without_locks(code))
        told = "one line" if run.in_one_line("cannot lock", "lock") else f"exit code {run.process.exitcode}"
        lab.finish(run.work)
        yield lab.row(f"no locks: {errno.errorcode[code]}", told, lab.lost(run.work), 1)


def _without_locks(code: int) -> Callable[[], None]:
    def refuse(_file: int, _operation: int) -> NoReturn:
        raise OSError(code, os.strerror(code))

    def replace() -> None:
        fcntl.flock = refuse

    return replace
