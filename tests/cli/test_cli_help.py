"""Every help has examples that are right and fits 80 columns; shells complete."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from camforge.cli import app, completion
from camforge.host.registry import registry

APP = typer.main.get_command(app)


def commands(
    command: click.Command = APP, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


COMMANDS = dict(commands())


def context(path: tuple[str, ...]) -> click.Context:
    """The command's context, as wide as a small terminal."""
    made = click.Context(APP, info_name="camforge", terminal_width=80, max_content_width=80)
    for depth in range(1, len(path) + 1):
        made = click.Context(COMMANDS[path[:depth]], parent=made, info_name=path[depth - 1], terminal_width=80)
    return made


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_help_has_examples_and_fits(path: tuple[str, ...]) -> None:
    text = COMMANDS[path].get_help(context(path))
    assert max(map(len, text.splitlines())) <= 80
    assert "..." not in text.partition("Commands:")[2]  # no line about a command is cut
    assert "[[" not in text
    joined = text.replace("\\\n", " ")
    examples = [shlex.split(line) for line in re.findall(r"^ {4}(camforge .*)$", joined, re.M)]
    assert examples
    for program, *arguments in examples:
        assert program == "camforge"
        arguments = arguments[: arguments.index(">")] if ">" in arguments else arguments
        parsed(arguments)


def parsed(arguments: list[str]) -> None:
    """Click takes the arguments; nothing runs."""
    command: click.Command = APP
    while name := next(iter(set(getattr(command, "commands", {})) & set(arguments[:1])), None):
        command, arguments = command.commands[name], arguments[1:]  # type: ignore[attr-defined]
    command.make_context("camforge", list(arguments))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("camforge run quick", {"quickstart"}),
        ("camforge explain a.jpg --method gradcam,layer", {"gradcam,layercam"}),
        ("camforge explain a.jpg --model torchvision:vgg11", {"torchvision:vgg11", "torchvision:vgg11_bn"}),
        ("camforge plugins show kmeans", {"kmeans_hierarchy"}),
        ("camforge plugins new extr", {"extractor"}),
        ("camforge bench all-", {"all-small"}),
        ("camforge plugins sh", {"show"}),
    ],
)  # fmt: skip
def test_shells_complete(
    words: str, expected: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The way that the script of --show-completion asks for bash."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("_CAMFORGE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    with pytest.raises(SystemExit) as end:
        app(prog_name="camforge")
    assert not end.value.code
    assert set(capsys.readouterr().out.split()) == expected


def test_files_are_completed_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").touch()
    Path("mind").mkdir()
    assert completion.experiments("mi") == ["mind/", "mine.yaml"]
    assert completion.models("hf") == ["hf:"]
    assert completion.models("timm:") == []


@pytest.mark.parametrize("spelt", ["GradCAM", "Grad-CAM", "grad_cam", "GRADCAM"])
def test_a_method_is_found_however_it_is_spelt(spelt: str) -> None:
    assert registry().build("extractor", spelt).name == "gradcam"
    assert registry().build("extractor", {"name": "Grad-CAM++"}).name == "gradcampp"
