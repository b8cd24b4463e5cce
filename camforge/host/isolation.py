"""What a stranger's plugin does while it is imported: it cannot hold the process, and what it changes is put back."""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from types import FrameType

import numpy as np
import torch

SWITCH = "switch it off with CAMFORGE_DISABLED_PLUGINS"


class _TooLong(BaseException):
    """No Exception: a plugin's own ``except Exception`` must not swallow it."""


def trial(step: Callable[[], object], seconds: float) -> str:
    """Take a step in a copy of this process, which is killed after ``seconds``; why it must not be taken here, or "".

    Only hanging and dying count: an exception is told where it is raised again. Where processes cannot be copied
    safely (elsewhere than on Linux, in a thread, with a GPU in use) nothing is tried.
    """
    in_thread = threading.current_thread() is not threading.main_thread()
    if sys.platform != "linux" or in_thread or torch.cuda.is_initialized():
        return ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads: the child starts none of its own
        child = os.fork()
    if child == 0:
        _take(step)
    ended = _wait(child, seconds)
    if ended is None:
        return f"TooLong: took more than {seconds:g} s; {SWITCH}"
    if os.WIFSIGNALED(ended):
        return f"the process was ended by signal {os.WTERMSIG(ended)}"
    return f"the process ended with code {os.WEXITSTATUS(ended)}" if ended else ""


def _take(step: Callable[[], object]) -> None:
    """In the child: silent, on one thread, and gone at the end."""
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for file in (0, 1, 2):
            os.dup2(nowhere, file)
        sys.stdout = sys.stderr = os.fdopen(nowhere, "w")
        torch.set_num_threads(1)  # OpenMP's threads did not come along
        step()
    finally:
        os._exit(0)


def _wait(child: int, seconds: float) -> int | None:
    """Its status, as of ``os.waitpid``; None: it had to be killed."""
    handle, in_time = os.pidfd_open(child), False
    try:
        in_time = bool(select.select([handle], [], [], seconds or None)[0])
    finally:  # Ctrl-C ends it, too
        os.close(handle)
        if not in_time:
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
    return status if in_time else None


@contextmanager
def untouched() -> Iterator[None]:
    """Put back what an import inside the block changes for everybody; what it prints goes to stderr."""
    restore = _restorers()
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr):
            yield
    finally:
        for put_back in restore:
            put_back()


def _restorers() -> list[Callable[[], object]]:
    """What sets the process to how it is now."""
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    restore: list[Callable[[], object]] = [
        partial(torch.set_default_dtype, torch.get_default_dtype()),
        partial(torch.set_num_threads, torch.get_num_threads()),
        partial(torch.set_grad_enabled, torch.is_grad_enabled()),
        partial(torch.use_deterministic_algorithms, torch.are_deterministic_algorithms_enabled(), warn_only=warn_only),
        partial(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision()),
        partial(torch.set_rng_state, torch.get_rng_state()),
        partial(random.setstate, random.getstate()),
        partial(np.random.set_state, np.random.get_state()),
        partial(sys.path.__setitem__, slice(None), list(sys.path)),
        partial(_set_environment, dict(os.environ)),
        partial(os.chdir, os.getcwd()),
        partial(setattr, sys, "excepthook", sys.excepthook),
        partial(sys.setrecursionlimit, sys.getrecursionlimit()),
    ]
    if threading.current_thread() is threading.main_thread():
        restore += [
            partial(signal.signal, number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)
        ]
    return restore


def _set_environment(environment: dict[str, str]) -> None:
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise _TooLong inside the block; 0: never. Only a main thread where there are alarms can be stopped so."""
    if not seconds or threading.current_thread() is not threading.main_thread() or os.name != "posix":
        yield
        return

    def stop(_signum: int, _frame: FrameType | None) -> None:
        raise _TooLong(f"took more than {seconds:g} s; {SWITCH}")

    handler = signal.signal(signal.SIGALRM, stop)
    waiting, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, waiting)
        signal.signal(signal.SIGALRM, handler)
