"""Broken plugins are set aside, with the step and the reason; every other plugin works."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from broken_distributions import BROKEN
from tiny_distributions import EXTRACTOR, write_distribution

from camforge.host.discovery import RejectedPlugin, discover
from camforge.host.registry import Registry

Install = Callable[..., None]


def registry_now() -> Registry:
    """The registry that a new process would have."""
    found = Registry()
    plugin_classes, found.rejected[:] = discover()
    for plugin_class in plugin_classes:
        found.register(plugin_class)
    return found


def names(registry: Registry) -> set[tuple[str, str]]:
    return {(kind, name) for kind, plugin_classes in registry.plugins.items() for name in plugin_classes}


def aside_of(registry: Registry, distribution: str) -> list[RejectedPlugin]:
    return [rejected for rejected in registry.rejected if rejected.distribution == distribution]


@pytest.fixture(scope="module")
def undisturbed() -> set[tuple[str, str]]:
    return names(registry_now())


def test_twelve_broken_distributions_at_once(
    install: Install, undisturbed: set[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMFORGE_PLUGIN_SECONDS", "2")  # what only waits; a busy machine imports slowly
    assert len(BROKEN) == 12
    for name, source, entry_points, _, _ in BROKEN:
        install(name, source, entry_points)
    install("healthy", EXTRACTOR.format(name="healthy"))
    registry = registry_now()
    assert names(registry) == undisturbed | {("extractor", "healthy")}
    for name, _, _, step, reason in BROKEN:
        (rejected,) = aside_of(registry, name)
        assert (rejected.step, reason in rejected.reason) == (step, True), rejected
    assert len(registry.rejected) == 12


def test_the_command_line_shows_them(tmp_path: Path) -> None:
    for name, source, entry_points, _, _ in BROKEN:
        write_distribution(tmp_path, name, source, entry_points)
    write_distribution(tmp_path, "healthy", EXTRACTOR.format(name="healthy"))
    environment = os.environ | {"PYTHONPATH": _path(tmp_path), "CAMFORGE_PLUGIN_SECONDS": "0.5"}
    command = [sys.executable, "-m", "camforge", "plugins", "list", "extractor"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "healthy" in done.stdout
    for name, _, _, step, reason in BROKEN:
        (line,) = [line for line in done.stdout.splitlines() if f" {name} " in line]
        assert step in line
        assert reason.split()[0] in line


def check(site: Path, *arguments: str) -> tuple[int, list[str]]:
    """``camforge plugins check`` with the distributions of ``site``: its exit code and lines."""
    command = [sys.executable, "-m", "camforge", "plugins", "check", *arguments]
    environment = os.environ | {"PYTHONPATH": _path(site)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


def test_check_loads_each_in_a_process_of_its_own(tmp_path: Path) -> None:
    write_distribution(tmp_path, "killed", "import os\nos._exit(9)\n")
    write_distribution(tmp_path, "healthy", EXTRACTOR.format(name="healthy"))
    chatty = 'print(\'{"gives": ["extractor everything"]}\')\n'
    write_distribution(tmp_path, "late", chatty + EXTRACTOR.format(name="healthy"))
    write_distribution(tmp_path, "asks", EXTRACTOR.format(name="asks").replace("extractors()", "extractors(extra)"))
    assert check(tmp_path, "killed", "healthy", "late", "asks") == (
        1,
        [
            "WRONG asks:asks: hooks: PluginValidationError: Plugin 'asks' for hook 'camforge_extractors' hookimpl "
            "definition: camforge_extractors(extra) Argument(s) {'extra'} are declared in the hookimpl but can not be "
            "found in the hookspec",
            "ok    healthy:healthy: gives extractor healthy",
            "WRONG killed:killed: import: the process ended with code 9",
            "WRONG late:late: name: extractor healthy is taken by healthy",
        ],
    )


def test_check_ends_what_hangs(tmp_path: Path) -> None:
    """Also what a time limit inside the process cannot stop."""
    mask = "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})\ntime.sleep(600)\n"
    write_distribution(tmp_path, "stuck", mask)
    expected = (1, ["WRONG stuck:stuck: import: not done after 0.5 s, stopped"])
    assert check(tmp_path, "stuck", "--seconds", "0.5") == expected


@pytest.mark.parametrize("named", ["first", "first:first", " other , first"])
def test_plugins_are_switched_off_by_name(install: Install, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    install("first", EXTRACTOR.format(name="first"))
    install("second", EXTRACTOR.format(name="second"))
    monkeypatch.setenv("CAMFORGE_DISABLED_PLUGINS", named)
    registry = registry_now()
    assert {"first", "second"} & registry.plugins["extractor"].keys() == {"second"}
    assert aside_of(registry, "first") == [
        RejectedPlugin("first", "first", "switched off", "named in CAMFORGE_DISABLED_PLUGINS")
    ]


@pytest.mark.parametrize(
    ("source", "step", "reason"),
    [
        ("x = 1\n", "hooks", "TypeError: no hook in this module"),
        (EXTRACTOR.format(name="n").replace("[Zero]", "None"), "hooks", "must return a list of classes, got NoneType"),
        (EXTRACTOR.format(name="n").replace("[Zero]", "[3]"), "interface", "3 does not implement Extractor"),
        (EXTRACTOR.format(name="n").replace("[Zero]", "[dict]"), "interface", "dict does not implement Extractor"),
        (EXTRACTOR.format(name="a b"), "name", "Zero needs a name of letters, digits and underscores, not 'a b'"),
        (
            EXTRACTOR.format(name="n").replace('name = "n"', ""),
            "name",
            "Zero needs a name of letters, digits and underscores, not None",
        ),
        (
            EXTRACTOR.format(name="n").replace('name = "n"', 'name = "n"; api = "3.0"'),
            "interface",
            "Zero needs version 3.0 of camforge.api",
        ),
        (
            EXTRACTOR.format(name="n").replace('name = "n"', 'name = "n"; api = "2.99"'),
            "interface",
            "Zero needs version 2.99 of camforge.api",
        ),
        (
            EXTRACTOR.format(name="n").replace('name = "n"', 'name = "n"; x: "Nowhere" = 1'),
            "interface",
            "the types of its options cannot be resolved",
        ),
        ("raise KeyError\n", "import", "KeyError"),
        ("class Odd(BaseException): ...\nraise Odd('x')\n", "import", "Odd: x"),
    ],
)
def test_what_else_is_set_aside(
    install: Install, request: pytest.FixtureRequest, source: str, step: str, reason: str
) -> None:
    name = f"odd_{abs(hash(request.node.name))}"
    install(name, source)
    (rejected,) = aside_of(registry_now(), name)
    assert rejected.step == step
    assert reason in rejected.reason


def test_an_interface_version_that_fits(install: Install) -> None:
    install("fits", EXTRACTOR.format(name="fits").replace('name = "fits"', 'name = "fits"; api = "2.0"'))
    assert "fits" in registry_now().plugins["extractor"]


@pytest.mark.parametrize("bytes_", [b"[camforge]\n\xff\xfe = x\n", b"[camforge]\nno equals sign"])
def test_unreadable_entry_points(install: Install, bytes_: bytes) -> None:
    install("unreadable", "", bytes_)
    (rejected,) = aside_of(registry_now(), "unreadable")
    assert rejected.step == "entry_points.txt"


def test_a_target_that_is_no_target(install: Install) -> None:
    install("badtarget", "", "[camforge]\nbadtarget = not a target!\n")
    (rejected,) = aside_of(registry_now(), "badtarget")
    assert rejected.step == "import"


def test_the_same_distribution_further_down_the_path_counts_once(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("twice", EXTRACTOR.format(name="twice"))
    (tmp_path / "old").mkdir()
    write_distribution(tmp_path / "old", "twice", EXTRACTOR.format(name="old"))
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "old")])
    registry = registry_now()
    assert "twice" in registry.plugins["extractor"]
    assert aside_of(registry, "twice") == []


def _path(*folders: Path) -> str:
    return os.pathsep.join([*map(str, folders), os.environ.get("PYTHONPATH", "")])
