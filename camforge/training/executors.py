"""Where tasks run side by side: processes of this machine, or a Dask cluster; any executor of concurrent.futures."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from joblib.externals.loky import get_reusable_executor

from camforge.types import CamForgeError

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
IDLE = 300  # seconds that a worker without work is kept for the next experiment of a suite
SCHEME = "dask://"
PATIENCE = 10  # seconds to reach a scheduler


@dataclass(frozen=True, eq=False)
class Pool:
    """Workers.

    size    tasks at once
    per_machine  processes of one machine, at most
    device  where a worker computes, None: where the run does
    kill    end what is at work
    broken  what a task's result raises where its worker died and nobody took over
    """

    executor: Executor
    size: int
    per_machine: int
    device: str | None
    kill: Callable[[], None]
    broken: tuple[type[Exception], ...] = (BrokenExecutor,)


@contextmanager
def open_pool(workers: int, cluster: str | None) -> Iterator[Pool | None]:
    """The workers asked for; None for one process alone. Raises CamForgeError where a cluster cannot be reached."""
    if cluster is not None:
        with _dask_pool(cluster) as pool:
            yield pool
    elif workers > 1:
        share = str(max(1, torch.get_num_threads() // workers))
        executor = get_reusable_executor(
            workers, timeout=IDLE, initializer=end_with, initargs=(os.getpid(),), env=dict.fromkeys(THREADS, share)
        )
        yield Pool(executor, workers, workers, None, lambda: executor.shutdown(kill_workers=True))
    else:
        yield None


def end_with(parent: int) -> None:
    """In a worker, of systems that give an orphan another parent: end with the run, which may have been killed.

    It would go on with its task, and then hold its memory as long as a worker is kept.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _dask_pool(address: str) -> Iterator[Pool]:
    """Every thread of the cluster's workers takes a task; each worker computes on its own GPU where it has one."""
    if not address.startswith(SCHEME):
        raise CamForgeError(f"cluster {address!r}: give {SCHEME}HOST:PORT, where `dask scheduler` listens")
    try:
        library: Any = import_module("distributed")
    except ImportError:
        raise CamForgeError("cluster: this needs the package distributed: pip install 'camforge[cluster]'") from None
    try:
        client = library.Client(address.replace(SCHEME, "tcp://"), timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise CamForgeError(f"cluster {address!r}: no scheduler answers there ({error})") from None
    try:
        size = sum(client.nthreads().values())
        if not size:
            raise CamForgeError(f"cluster {address!r}: it has no worker; start `dask worker` on each machine")
        hosts = Counter(worker["host"] for worker in client.scheduler_info()["workers"].values())
        executor = client.get_executor(pure=False)
        yield Pool(executor, size, max(hosts.values()), "auto", client.close, (library.scheduler.KilledWorker,))
    finally:
        client.close()
