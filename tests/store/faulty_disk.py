"""A disk that fails on demand: every call below one folder is counted, and one of them, or all from it on, goes wrong.

Python's own calls are intercepted: ``os.*`` and ``open``, raw and buffered files alike, hence pathlib, shutil, json,
torch.save and torch.load of files. A killed process and a loss of power are calls that never return: nothing after
them reaches the disk, not even what ``finally`` would do.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BY_PATH = ("open", "rename", "replace", "link", "symlink", "unlink", "remove", "rmdir", "mkdir", "scandir", "listdir",
           "lstat", "stat")  # fmt: skip
BY_FILE = ("fsync", "read", "write")
WRITES = frozenset({"open for writing", "write", "mkdir", "rename", "replace", "link", "symlink", "fsync"})
"""What a full disk refuses."""
OPENS = frozenset({"open", "open for writing", "scandir", "listdir"})
"""What takes a file descriptor."""
REAL = {name: getattr(os, name) for name in (*BY_PATH, *BY_FILE)}
REAL_OPEN = io.open


class Killed(BaseException):
    """The process is no more."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong at call ``at``, counted from 0.

    error    an errno that is raised instead of the call; "short": half of the bytes; "kill": the process ends there
    lasting  later calls of the kind fail, too
    """

    at: int
    error: int | str
    lasting: bool = False

    def __str__(self) -> str:
        name = errno.errorcode[self.error] if isinstance(self.error, int) else self.error
        return f"{name} from then on" if self.lasting else name

    def hits(self, number: int, call: str) -> bool:
        """Whether the call goes wrong."""
        if number == self.at or not self.lasting:
            return number == self.at
        return number > self.at and call in {errno.ENOSPC: WRITES, errno.EMFILE: OPENS}.get(self.error, {call})  # type: ignore[arg-type]


@dataclass
class Disk:
    """Calls below ``root``, and what a loss of power would leave of them."""

    root: Path
    fault: Fault | None = None
    calls: list[str] = field(default_factory=list)
    dead: bool = False
    noting: bool = False
    platter: Platter | None = None

    def step(self, call: str) -> None:
        """Count a call. Raises what goes wrong with it."""
        if self.dead:
            raise Killed
        self.calls.append(call)
        if self.fault is not None and self.fault.hits(len(self.calls) - 1, call):
            if self.fault.error == "kill":
                self.dead = True
                raise Killed
            if isinstance(self.fault.error, int):
                raise OSError(self.fault.error, os.strerror(self.fault.error))

    def is_short(self) -> bool:
        """Whether the latest call does half of its work."""
        return self.fault is not None and self.fault.error == "short" and self.fault.at == len(self.calls) - 1

    def inside(self, path: Any, dir_fd: int | None = None) -> Path | None:
        """The path, if it lies below the root."""
        if self.noting:  # the platter's own calls are no run's
            return None
        try:
            if isinstance(path, int):
                found = os.readlink(f"/proc/self/fd/{path}")
            else:
                base = os.getcwd() if dir_fd is None else os.readlink(f"/proc/self/fd/{dir_fd}")
                found = os.path.normpath(os.path.join(base, os.fsdecode(path)))
        except (OSError, TypeError):
            return None
        return Path(found) if Path(found).is_relative_to(self.root) else None

    @contextmanager
    def mounted(self) -> Iterator[Disk]:
        """Within the block Python's calls go through this disk."""
        for name in (*BY_PATH, *BY_FILE):
            setattr(os, name, self._wrapped(name))
        builtins.open = io.open = self._open  # type: ignore[assignment]
        try:
            yield self
        finally:
            for name, real in REAL.items():
                setattr(os, name, real)
            builtins.open = io.open = REAL_OPEN

    @contextmanager
    def _noted(self, name: str, path: Path, target: Path | None = None) -> Iterator[None]:
        """Have the platter know of the call inside the block."""
        if self.platter is None:
            yield
            return
        self.noting = True
        try:
            was_there = os.path.lexists(path)
            yield
            self.platter.note(name, path, target, was_there)
        finally:
            self.noting = False

    def _wrapped(self, name: str) -> Callable[..., Any]:
        real = REAL[name]

        def call(path: Any = ".", *args: Any, **options: Any) -> Any:
            where = self.inside(path, options.get("dir_fd", options.get("src_dir_fd")))
            if where is None:
                return real(path, *args, **options)
            writing = name == "open" and bool(args and args[0] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            self.step("open for writing" if writing else name)
            if name == "write" and self.is_short():
                args = (args[0][: len(args[0]) // 2],)
            target = self.inside(args[0], options.get("dst_dir_fd")) if name in ("rename", "replace") else None
            with self._noted(name, where, target):
                return real(path, *args, **options)

        return call

    def _open(self, file: Any, mode: str = "r", buffering: int = -1, *args: Any, **options: Any) -> Any:
        where = self.inside(file)
        if where is None or options.get("opener") is not None:
            return REAL_OPEN(file, mode, buffering, *args, **options)
        if not isinstance(file, int):
            self.step("open" if mode.strip("bt") == "r" else "open for writing")
        with self._noted("open", where):
            raw = FaultyFile(self, file, mode.replace("t", "").replace("b", ""))
        if buffering == 0:
            return raw
        kind = io.BufferedRandom if "+" in mode else io.BufferedReader if "r" in mode else io.BufferedWriter
        buffered = kind(raw, buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *args, **options)


class FaultyFile(io.FileIO):
    """A raw file whose reads and writes are counted."""

    def __init__(self, disk: Disk, file: Any, mode: str) -> None:
        super().__init__(file, mode)
        self.disk = disk

    def write(self, data: Any) -> int:
        self.disk.step("write")
        data = memoryview(data).cast("B")
        return super().write(data[: max(1, len(data) // 2)] if self.disk.is_short() else data)

    def readinto(self, buffer: Any) -> int:
        self.disk.step("read")
        view = memoryview(buffer).cast("B")
        return super().readinto(view[: max(1, len(view) // 2)] if self.disk.is_short() else view)

    def readall(self) -> bytes:
        self.disk.step("read")
        return super().readall()

    def read(self, size: int = -1) -> bytes:
        self.disk.step("read")
        return super().read(size)


@dataclass(eq=False)
class Node:
    """A file with the bytes that surely reached the disk, or a folder (``synced`` None) with such names."""

    synced: bytes | None = None
    link: str | None = None
    names: dict[str, Node] = field(default_factory=dict)
    durable: dict[str, Node] = field(default_factory=dict)


Change = tuple[Node, dict[str, "Node | None"]]


@dataclass
class Platter:
    """What is on the disk for sure: contents since a file's fsync, names since their folder's.

    first    {id of a folder: its names at the start};  log  every change of names, in order
    flushed  how many of them an fsync, of whatever file, has taken to the disk: a journal is written in order
    """

    root: Path
    log: list[Change] = field(default_factory=list)
    flushed: int = 0

    def __post_init__(self) -> None:
        self.top = as_it_is(self.root)
        self.first = {id(node): dict(node.names) for node in walk(self.top)}

    def note(self, call: str, path: Path, target: Path | None, was_there: bool) -> None:
        """A call that has just been done."""
        if call == "fsync":
            self._flush(self._node(path), path)
        elif call in ("rename", "replace") and target is not None:
            self._change(target.parent, {path.name: None, target.name: self._node(path)})
        elif call in ("unlink", "remove", "rmdir"):
            self._change(path.parent, {path.name: None})
        elif call in ("mkdir", "symlink") or (call == "open" and not was_there and os.path.lexists(path)):
            self._change(path.parent, {path.name: as_it_is(path, new=True)})

    def _flush(self, node: Node, path: Path) -> None:
        self.flushed = len(self.log)
        if node.synced is None:
            node.durable = dict(node.names)
        else:
            node.synced = path.read_bytes()

    def _node(self, path: Path) -> Node:
        node = self.top
        for part in path.relative_to(self.root).parts:
            node = node.names[part]
        return node

    def _change(self, folder: Path, names: dict[str, Node | None]) -> None:
        """Renames stay within one folder: the store knows no others."""
        node = self._node(folder)
        self.log.append((node, names))
        apply(node.names, names)

    def crash(self, how: str, onto: Path) -> None:
        """Write into ``onto`` what a loss of power now may leave.

        "strict"  only what was flushed;  "names"  all names, but of contents only what was flushed;  "torn"  half of
        each unflushed content, too;  "whole"  everything;  a number seeds a choice: names up to some change, and
        each content flushed, half or whole
        """
        full = {id(node): content for node, content in contents(self.top, self.root)}
        draw = random.Random(how)
        if how == "strict":
            names = {id(node): node.durable for node in (self.top, *(n for change in self.log for n in nodes(change)))}
            names |= {id(node): node.durable for node in walk(self.top)}
        else:
            names = self._names_after(draw.randint(self.flushed, len(self.log)) if how.isdigit() else len(self.log))

        def left(node: Node) -> bytes:
            synced = node.synced or b""
            whole = full.get(id(node), synced)
            torn = whole if whole == synced else whole[: len(whole) // 2]
            kept = {"strict": synced, "names": synced, "torn": torn, "whole": whole}
            return kept[how] if how in kept else draw.choice((whole, synced, torn))

        shutil.rmtree(onto, ignore_errors=True)
        write(self.top, onto, names, left)

    def _names_after(self, changes: int) -> dict[int, dict[str, Node]]:
        """Every folder's names after the first changes."""
        names = {folder: dict(first) for folder, first in self.first.items()}
        for node, change in self.log[:changes]:
            apply(names.setdefault(id(node), {}), change)
        return names


def as_it_is(path: Path, new: bool = False) -> Node:
    """What lies at a path, taken as flushed; of a new file only that it is there."""
    if path.is_symlink():
        return Node(b"", link=os.readlink(path))
    if not path.is_dir():
        return Node(b"" if new else path.read_bytes())
    names = {child.name: as_it_is(child) for child in path.iterdir()}
    return Node(None, None, names, dict(names))


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    for child in node.names.values():
        yield from walk(child)


def nodes(change: Change) -> Iterator[Node]:
    """The folder of a change and what got a name by it, with all below."""
    yield change[0]
    for node in change[1].values():
        if node is not None:
            yield from walk(node)


def apply(names: dict[str, Node], change: dict[str, Node | None]) -> None:
    """Change a folder's names."""
    for name, node in change.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def contents(node: Node, path: Path) -> Iterator[tuple[Node, bytes]]:
    """The content of every file that is there now."""
    if node.synced is not None and node.link is None and path.is_file():  # what C removed was never seen to go
        yield node, path.read_bytes()
    for name, child in node.names.items():
        yield from contents(child, path / name)


def write(node: Node, path: Path, names: dict[int, dict[str, Node]], left: Callable[[Node], bytes]) -> None:
    """A node as files and folders."""
    if node.link is not None:
        path.symlink_to(node.link)
    elif node.synced is not None:
        path.write_bytes(left(node))
    else:
        path.mkdir()
        for name, child in names.get(id(node), {}).items():
            write(child, path / name, names, left)
