"""The documentation as a program: its pages' code blocks, and a reader who runs them from top to bottom."""

from __future__ import annotations

import io
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

import camforge
from camforge.cli import main
from camforge.host.registry import registry

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LANGUAGES = {"python", "console", "toml", "yaml", "text"}
"""Every block is of one of these; all but ``text`` without a title are run, or written for others to run."""
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```[^\S\n]*$", re.M | re.S)
_TITLE = re.compile(r'title="([^"]+)"')
_FRAME = re.compile(r"[│┃━─┏┓┗┛┡╇┩├┼┤└┴┘┌┬┐┳┻╋\s]+")


@dataclass(frozen=True)
class Block:
    """One fenced block. ``title``: the file it is, or "prints" for what the Python block before it prints."""

    language: str
    title: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text()
    found = []
    for fence in _FENCE.finditer(text):
        words, title = fence["info"].split(), _TITLE.search(fence["info"])
        body = re.sub(rf"^{fence['indent']}", "", fence["body"], flags=re.M)
        line = text[: fence.start()].count("\n") + 2
        found.append(Block(words[0] if words else "", title[1] if title else "", body, line))
    return found


def front_matter(page: Path) -> dict[str, Any]:
    """What a page says about itself; ``tiny`` are the overrides with which its experiments run here."""
    found = re.match(r"---\n(.*?)\n---\n", page.read_text(), re.S)
    return yaml.safe_load(found[1]) if found else {}


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """(command, lines it is said to print) of a console block; a backslash joins lines."""
    joined = text.replace("\\\n", " ")
    for part in re.split(r"^\$ ", joined, flags=re.M)[1:]:
        command, *printed = part.splitlines()
        yield command, [line for line in printed if line.strip()]


@dataclass
class Reader:
    """Someone who follows a page in an empty folder, from the first block to the last."""

    page: Path
    monkeypatch: pytest.MonkeyPatch
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    printed: str = ""

    @property
    def tiny(self) -> list[str]:
        return front_matter(self.page).get("tiny", [])

    def read(self) -> None:
        """Follow every block; an error tells the page and the line."""
        real = camforge.run

        def tiny_run(config: Any, *, overrides: Any = (), **rest: Any) -> Any:
            return real(config, overrides=[*overrides, *self.tiny], **{"device": "cpu", "quiet": True, **rest})

        self.monkeypatch.setattr(camforge, "run", tiny_run, raising=False)
        for block in blocks(self.page):
            try:
                self.follow(block)
            except Exception as error:
                raise AssertionError(f"{self.page.relative_to(ROOT)}:{block.line}: {error}") from error

    def follow(self, block: Block) -> None:
        if block.title == "prints":
            must_hold(self.printed, block.text.splitlines())
        elif block.title:
            Path(block.title).parent.mkdir(parents=True, exist_ok=True)
            Path(block.title).write_text(block.text)
        elif block.language == "python":
            with redirect_stdout(io.StringIO()) as out:
                exec(compile(block.text, str(self.page), "exec"), self.names)
            self.printed = out.getvalue()
        elif block.language == "console":
            for command, printed in commands(block.text):
                self.run(command, printed)
        elif block.language != "text":
            raise AssertionError(f"a block of {block.language} needs a title: the file that it is")

    def run(self, command: str, printed: list[str]) -> None:
        program, *rest = shlex.split(command)
        if program == "camforge":
            out, code = self.camforge(rest)
            may_fail = any(line.startswith("camforge: ") for line in printed)
            assert code == (2 if may_fail else 0), f"{command}: exit code {code}\n{out}"
            must_hold(out, printed)
        elif command.startswith("pip install -e "):
            self.install(Path(rest[-1]))
        elif program == "make":
            assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(), re.M), f"no target {rest[0]!r}"
        elif command.startswith("python -m pytest"):
            pass  # the pages' own tests run together, in test_contracts
        elif program == "python":
            runpy.run_path(rest[0], run_name="__main__")
        else:
            raise AssertionError(f"what is {command!r}?")

    def camforge(self, arguments: list[str]) -> tuple[str, int]:
        """The command line in this process: what it prints, and its exit code."""
        runs = arguments[0] == "run" or (arguments[0] == "bench" and not {"--list", "--row"} & {*arguments})
        tiny = [part for setting in self.tiny for part in ("--set", setting)] if runs else []
        self.monkeypatch.setattr(sys, "argv", ["camforge", *arguments, *tiny])
        out = io.StringIO()
        try:
            with redirect_stdout(out), redirect_stderr(out):
                main()
        except SystemExit as end:
            return out.getvalue(), int(end.code or 0)
        return out.getvalue(), 0

    def install(self, folder: Path) -> None:
        """What an installer leaves of an editable installation: the folder on the path, and entry points beside it."""
        project = tomllib.loads((folder / "pyproject.toml").read_text())
        name, version = project["project"]["name"], project["project"]["version"]
        info = folder.resolve() / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        entries = project["project"]["entry-points"]["camforge"]
        (info / "entry_points.txt").write_text("[camforge]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items()))
        self.monkeypatch.syspath_prepend(str(folder.resolve()))
        registry.cache_clear()


def must_hold(output: str, expected: list[str]) -> None:
    """Every expected line stands in the output, in order; frames and spaces aside, and ``…`` for anything."""
    lines = iter([_FRAME.sub(" ", line).strip() for line in output.splitlines()])
    for line in expected:
        parts = [re.escape(_FRAME.sub(" ", part).strip()) for part in line.split("…")]
        pattern = re.compile(r".*".join(parts))
        assert any(pattern.search(one) for one in lines), f"not printed: {line!r}\n{output}"
