"""A real Dask scheduler and two workers on this machine: the numbers of one process, also where a worker is killed."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import camforge
from camforge import CamForgeError

pytest.importorskip("distributed", reason="needs Dask's scheduler and workers, which the dev extra brings")

pytestmark = pytest.mark.usefixtures("one_thread")


@contextmanager
def started(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    env = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-m", *command], env=env, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def cluster() -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a scheduler, and its two workers; one that is killed does not come back."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    where = ("--host", "127.0.0.1", "--port", port, "--no-dashboard")
    with ExitStack() as stack:
        stack.enter_context(started("distributed.cli.dask_scheduler", *where))
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard")
        workers = [
            stack.enter_context(started("distributed.cli.dask_worker", f"tcp://127.0.0.1:{port}", *options))
            for _ in range(2)
        ]
        _wait_for_workers(port, 2)
        yield f"dask://127.0.0.1:{port}", workers


def _wait_for_workers(port: str, count: int) -> None:
    from distributed import Client

    with Client(f"tcp://127.0.0.1:{port}", timeout=60, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)


def numbers(folder: Path) -> str:
    return (folder / "results.json").read_text()


@pytest.mark.slow
def test_two_workers_of_a_cluster_tell_what_one_process_tells(tiny: Path, tmp_path: Path) -> None:
    camforge.run(tiny, work_dir=tmp_path / "one", device="cpu", quiet=True)
    with cluster() as (address, _):
        camforge.run(tiny, work_dir=tmp_path / "two", device="cpu", quiet=True, cluster=address)
    assert numbers(tmp_path / "two") == numbers(tmp_path / "one")
    entries = {path.name for path in (tmp_path / "one/store").iterdir() if path.name[0] != "."}
    assert {path.name for path in (tmp_path / "two/store").iterdir() if path.name[0] != "."} == entries
    said = (tmp_path / "two/run.log").read_text().splitlines()
    assert sum(" train " in line and line.endswith(" s") and " images" not in line for line in said) == 4


@pytest.mark.slow
def test_the_work_of_a_killed_worker_goes_to_another(tiny: Path, tmp_path: Path) -> None:
    overrides = ["trainer.epochs=40", "report.images=0"]
    camforge.run(tiny, overrides=overrides, work_dir=tmp_path / "one", device="cpu", quiet=True)
    with cluster() as (address, workers):

        def kill() -> None:
            while not list((tmp_path / "two").glob("store/*.unfinished/checkpoint.pth")):
                time.sleep(0.01)
            workers[0].send_signal(signal.SIGKILL)

        thread = threading.Thread(target=kill, daemon=True)
        thread.start()
        camforge.run(
            tiny, overrides=overrides, work_dir=tmp_path / "two", device="cpu", quiet=True, cluster=address
        )  # fmt: skip
        thread.join()
        assert workers[0].wait() == -signal.SIGKILL
        assert workers[1].poll() is None
    assert numbers(tmp_path / "two") == numbers(tmp_path / "one")


def test_a_cluster_that_is_not_there_is_one_line(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(CamForgeError, match=r"cluster 'host:1': give dask://HOST:PORT"):
        camforge.run(tiny, work_dir=tmp_path / "w", cluster="host:1")
    with pytest.raises(CamForgeError, match=r"workers 2, cluster 'dask://h:1', launcher 'none': give one of the three"):
        camforge.run(tiny, work_dir=tmp_path / "w", workers=2, cluster="dask://h:1")
