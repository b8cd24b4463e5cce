"""Load each plugin in a process of its own, with a time limit: ``camforge plugins check``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from camforge.host.discovery import PluginEntryPoint, RejectedPlugin, ask, plugin_entry_points
from camforge.host.registry import Registry
from camforge.types import CamForgeError

READY = "camforge: ready\n"
"""What a process says on stderr when it has imported CamForge and turns to the plugin."""


@dataclass(frozen=True)
class Verdict:
    """What one entry point came to: the plugins it gives as ``kind name``, and what is wrong with it."""

    distribution: str
    entry: str
    gives: tuple[str, ...]
    wrong: tuple[str, ...]


def check_all(seconds: float, only: Collection[str] = (), at_once: int = 2) -> Iterator[Verdict]:
    """A verdict for every entry point, or for those of the distributions ``only``; a name can be taken only once."""
    entries, rejected = plugin_entry_points()
    if unknown := set(only) - {e.distribution for e in entries} - {a.distribution for a in rejected}:
        raise CamForgeError(f"no installed distribution {', '.join(sorted(unknown))} has a plugin")
    entries = [entry for entry in entries if not only or entry.distribution in only]
    rejected = [gone for gone in rejected if not only or gone.distribution in only]
    for gone in rejected:
        yield Verdict(gone.distribution, gone.entry, (), (f"{gone.step}: {gone.reason}",))
    taken: dict[str, str] = {}
    with ThreadPoolExecutor(at_once) as pool:
        for verdict in pool.map(lambda entry: _check(entry, seconds), entries):
            clashes = [f"name: {plugin} is taken by {taken[plugin]}" for plugin in verdict.gives if plugin in taken]
            gives = tuple(plugin for plugin in verdict.gives if plugin not in taken)
            taken |= dict.fromkeys(gives, verdict.distribution)
            yield Verdict(verdict.distribution, verdict.entry, gives, (*verdict.wrong, *clashes))


def _check(entry: PluginEntryPoint, seconds: float) -> Verdict:
    """The time that the process takes to import CamForge, and torch with it, is not the plugin's."""
    command = [sys.executable, "-m", "camforge.host.checkup", json.dumps(asdict(entry))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        any(line == READY for line in process.stderr)
        try:
            out, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return Verdict(entry.distribution, entry.name, (), (f"import: not done after {seconds:g} s, stopped",))
    last = out.strip().rpartition("\n")[2]
    if process.returncode or not last.startswith('{"gives"'):
        reason = f"import: the process ended with code {process.returncode}"
        return Verdict(entry.distribution, entry.name, (), (reason,))
    answer = json.loads(last)
    return Verdict(entry.distribution, entry.name, tuple(answer["gives"]), tuple(answer["wrong"]))


def _report(entry: PluginEntryPoint) -> dict[str, list[str]]:
    """Load one entry point here and say what it gives."""
    registry = Registry()
    found = ask(entry)
    if isinstance(found, RejectedPlugin):
        return {"gives": [], "wrong": [f"{found.step}: {found.reason}"]}
    for plugin_class in found:
        registry.register(plugin_class)
    gives = [f"{kind} {name}" for kind, plugin_classes in registry.plugins.items() for name in plugin_classes]
    return {"gives": gives, "wrong": [f"{a.step}: {a.reason}" for a in registry.rejected]}


if __name__ == "__main__":
    print(READY, end="", file=sys.stderr, flush=True)
    print("\n" + json.dumps(_report(PluginEntryPoint(**json.loads(sys.argv[1])))))
