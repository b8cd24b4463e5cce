"""What a person sees while an experiment runs."""

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from camforge.progress import progress as told
from camforge.progress.progress import Progress
from camforge.progress.terminal import Count, TerminalView, clock, memory, written

TIME = r"\d:\d\d:\d\d"
STAGES = ("train", "extract", "measure")


def terminal() -> Console:
    """A terminal of 90 columns whose output is kept."""
    return Console(file=StringIO(), force_terminal=True, width=90, _environ={"TERM": "xterm"})


def text_of(console: Console) -> str:
    """What was written, without the terminal's commands."""
    assert isinstance(console.file, StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())


def drawn(view: TerminalView) -> list[str]:
    """The view's lines as they stand."""
    page = Console(file=StringIO(), width=90)
    page.print(view.drawn())
    assert isinstance(page.file, StringIO)
    return [line.rstrip() for line in page.file.getvalue().splitlines()]


def test_a_terminal_shows_stages_and_the_task_in_one_view() -> None:
    console = terminal()
    progress = Progress(console=console)
    with progress.experiment("zoo", STAGES):
        view = progress._view
        assert view is not None
        for arm in progress.track("train", ["a", "b"]):
            with progress.task(f"train {arm}") as tick:
                tick(16, 64)
                tick(32, 64, {"loss": 0.3125})
                assert progress._view is view, "one view for all"
                lines = drawn(view)
        measured = drawn(view)
    heading, train, extract, measure, label, bar = lines
    assert re.match(rf"zoo  {TIME}, \d+\.\d GiB", heading)
    assert re.fullmatch(rf"train +━+╺?━* +1/2 +about {TIME} left", train)
    assert [extract.split()[0], measure.split()[0]] == ["extract", "measure"]
    assert label == "train b"
    assert re.fullmatch(rf"━+.* +32/64, \S+ images/s, {TIME} left, loss 0.312", bar)
    assert re.search(rf"2/2 +{TIME}", measured[1]), "a stage that is over tells what it took"
    assert len(measured) == 4
    assert re.search(r"train a: \d+\.\d s\n", text_of(console)), "the lines that stay stand above"
    assert not progress.is_live


def test_a_task_alone_has_a_bar_and_a_failed_one_none() -> None:
    progress = Progress(console=terminal())
    views: list[TerminalView] = []

    def fail() -> None:
        with progress.task("decode") as tick:
            tick(1, 2)
            assert progress._view is not None
            views.append(progress._view)
            assert drawn(views[0])[0] == "decode"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not progress.is_live
    assert drawn(views[0]) == []
    assert progress.seconds == {}


def test_elsewhere_plain_lines_now_and_then(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = StringIO()
    progress = Progress(console=Console(file=file, width=90), log=tmp_path / "run.log")
    with progress.experiment("zoo", STAGES), progress.task("read") as tick:
        tick(1, 4)
        monkeypatch.setattr(told, "LINE_EVERY", 0.0)
        tick(2, 4)
        monkeypatch.setattr(told, "LINE_EVERY", 60.0)
        tick(3, 4)
    first, second = file.getvalue().splitlines()
    assert re.fullmatch(rf"read: 2/4, \S+ images/s, {TIME} left", first)
    assert re.fullmatch(r"read: \d+\.\d s", second)
    logged = (tmp_path / "run.log").read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in logged] == [first, second]


def test_quiet_writes_nothing_on_a_terminal() -> None:
    console = terminal()
    console.quiet = True
    progress = Progress(console=console)
    with progress.experiment("zoo", STAGES), progress.task("read") as tick:
        tick(1, 2)
    assert text_of(console) == ""
    assert list(progress.seconds) == ["read"]


def test_pace_and_time_left_count_what_was_made_now() -> None:
    """A training that goes on: 600 of 1000 were done before; then 100 in 4 seconds."""
    count = Count(0.0, unit="images")
    count.update(600, 1000, now=10.0)
    assert count.rate(10.0) is None
    count.update(700, 1000, now=14.0)
    assert count.rate(14.0) == 25.0
    assert count.left(14.0) == 12.0
    assert list(written(count, 14.0)) == ["700/1000", "25 images/s", "0:00:12 left"]
    assert clock(3661.4) == "1:01:01"


def test_memory_is_what_the_system_tells_of_this_process() -> None:
    kib = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert kib is not None
    assert float(next(memory()).split()[0]) == pytest.approx(int(kib[1]) / 2**20, abs=0.11)
