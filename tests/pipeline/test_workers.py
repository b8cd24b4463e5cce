"""Views and arms trained side by side: the same numbers, nothing trained twice, and a worker may die."""

import json
import os
import select
import signal
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace as Namespace

import pytest
from pydantic import PrivateAttr

import camforge
from camforge import CamForgeError, build
from camforge.host.failure import Failure
from camforge.pipeline.parallel import Task, TaskQueue, TaskResult, _check_pickles
from camforge.training.executors import end_with
from camforge.types import View

pytestmark = pytest.mark.usefixtures("one_thread")


def numbers(folder: Path) -> str:
    return (folder / "results.json").read_text()


def test_two_workers_tell_what_one_process_tells_and_train_nothing_twice(tiny: Path, tmp_path: Path) -> None:
    camforge.run(tiny, work_dir=tmp_path / "one", device="cpu", quiet=True)
    two = camforge.run(tiny, work_dir=tmp_path / "two", device="cpu", quiet=True, workers=2)
    assert numbers(tmp_path / "two") == numbers(tmp_path / "one")
    said = (tmp_path / "two/run.log").read_text().splitlines()
    assert sum(": " in line and " train " in line and " images" not in line for line in said) == 4
    assert sum(label.startswith("train ") for label in two.report_data.recipe["seconds"]) == 4


def test_an_arm_that_fails_in_a_worker_ends_alone(tiny: Path, tmp_path: Path) -> None:
    overrides = ["arms.both.trainer.lr=1e30", "report.images=0"]
    one = camforge.run(tiny, overrides=overrides, work_dir=tmp_path / "one", device="cpu", quiet=True)
    two = camforge.run(tiny, overrides=overrides, work_dir=tmp_path / "two", device="cpu", quiet=True, workers=2)
    assert list(one.failures) == list(two.failures) == ["both"]
    assert numbers(tmp_path / "two") == numbers(tmp_path / "one")


def views(*keys: str) -> tuple[tuple[str, View], ...]:
    return tuple((key, View(key, ("a", "b"), (0, 1))) for key in keys)


def test_the_views_of_one_arm_are_shared_out_and_what_two_arms_need_is_made_once() -> None:
    queue = TaskQueue([Task(0, "pairs", "groups"), Task(0, "plain", "one group"), Task(0, "again", "groups")])
    groups = queue.take([])
    assert groups is not None
    assert queue.take(["groups"]).arm == "plain"  # nobody waits for the grouping that is being made
    queue.settle(groups, TaskResult({}, views("ab", "ac", "bc")))
    taken = [queue.take([]), queue.take(["ab"]), queue.take(["ab", "ac"])]
    assert [(task.arm, task.key) for task in taken] == [("pairs", "ab"), ("pairs", "ac"), ("pairs", "bc")]
    queue.settle(Task(0, "plain", "one group"), TaskResult({}, views("bc", "classes")))
    assert queue.take(["ab", "ac", "bc"]).key == "classes"
    queue.settle(taken[2], TaskResult({}))
    assert queue.take(["ab", "ac", "classes"]) is None
    assert queue.waiting == []  # the second arm's grouping and its "bc" are there


def test_an_arm_fails_at_the_view_at_which_one_process_would_fail() -> None:
    queue = TaskQueue([Task(0, "pairs", "groups"), Task(0, "plain", "one group")])
    queue.settle(queue.take([]), TaskResult({}, views("ab", "ac", "ad", "bc")))
    first, second, third = (queue.take(busy) for busy in ([], ["ab"], ["ab", "ac"]))
    queue.settle(third, TaskResult({}, failure=Failure("ad")))
    queue.settle(second, TaskResult({}, failure=Failure("ac")))
    queue.settle(first, TaskResult({}))
    assert queue.failed == {(0, "pairs"): (1, Failure("ac"))}
    assert queue.take([]).arm == "plain"  # "bc" would be in vain


@pytest.mark.skipif(sys.platform != "linux", reason="finds the worker by /proc")
def test_a_worker_that_is_killed_loses_nothing(tiny: Path, tmp_path: Path) -> None:
    overrides = ["trainer.epochs=60", "report.images=0"]
    camforge.run(tiny, overrides=overrides, work_dir=tmp_path / "whole", device="cpu", quiet=True)
    cut, killed = tmp_path / "cut", []

    def kill() -> None:
        deadline = time.monotonic() + 120
        while not list(cut.glob("store/*.unfinished/checkpoint.pth")) and time.monotonic() < deadline:
            time.sleep(0.01)
        for pid in _children():
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    thread = threading.Thread(target=kill)
    thread.start()
    camforge.run(tiny, overrides=overrides, work_dir=cut, device="cpu", quiet=True, workers=2)
    thread.join()
    assert killed
    assert "a worker died" in (cut / "run.log").read_text()
    assert json.loads(numbers(cut)) == json.loads(numbers(tmp_path / "whole"))


def _children() -> list[int]:
    """The workers: this process's children that loky started."""
    found = []
    for line in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(line.read_text().rpartition(")")[2].split()[1])
            command = (line.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == os.getpid() and b"popen_loky_posix" in command:
            found.append(int(line.parent.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and an orphan gets another parent")
def test_a_worker_ends_with_its_run() -> None:
    """A run that is killed cannot end its workers, which hold a network and the images."""
    from_worker, to_test = os.pipe()
    run = os.fork()
    if run == 0:
        worker = os.fork()
        if worker == 0:
            end_with(os.getppid())
            os.write(to_test, b"!")
        time.sleep(60)  # both at work: the worker alone holds the pipe's end, once the run is killed
        os._exit(0)
    os.close(to_test)
    assert os.read(from_worker, 1) == b"!"
    os.kill(run, signal.SIGKILL)
    os.waitpid(run, 0)
    ended, _, _ = select.select([from_worker], [], [], 60)
    assert ended, "the worker is still there"
    assert os.read(from_worker, 1) == b""
    os.close(from_worker)


def test_a_plugin_that_cannot_be_sent_is_named() -> None:
    class Locked(type(build("extractor", "gradcam"))):  # type: ignore[misc]
        """It holds what no other process can have."""

        name = "locked"
        _lock = PrivateAttr(default_factory=threading.Lock)

    plain = build("grouper", "none")
    arm = Namespace(grouper=plain, trainer=plain, extractor=Locked(), fusers=())
    experiment = Namespace(dataset=build("dataset", "partworld"), metrics=(), arms={"a": arm})
    said = r"workers: extractor 'locked' of this process cannot be sent to another process \(TypeError: cannot pickle"
    with pytest.raises(CamForgeError, match=said):
        _check_pickles(experiment)  # type: ignore[arg-type]


def test_no_worker_at_all(tiny: Path) -> None:
    with pytest.raises(CamForgeError, match="workers: at least 1, not 0"):
        camforge.run(tiny, workers=0)
