"""A thousand damaged versions of the shipped experiments: each passes the check or gets a clear error, no traceback."""

import copy
import json
import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from camforge.config.load import load, read
from camforge.types import CamForgeError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SHIPPED = sorted(CONFIGS.rglob("*.py"))
ROUNDS, PER_ROUND = 20, 50

Container = dict[str, Any] | list[Any]

ODD_TEXTS = ["", " ", "x", "none", "1e-4", "nan", "../../etc/passwd", "<script>alert(1)</script>", "a'b\"c", "ÄÖ💥"]
ODD_TEXTS += ["line\nbreak", "{{ fileBasename }}", "$HOME", "gradcam", "partworld", "x" * 5000]
ODD_NUMBERS = [0, -1, 1, 7, 10**30, -0.5, 1e308, 1e-320, True, False, None]
ODD_TREES: list[Any] = [[], {}, [[]], [None], {"": 1}, {"name": "gradcam"}, {"name": None}, {"name": []}, ["gradcam"]]
ODD_TREES += [{"_delete_": True}, {"name": "small", "name ": 1}, [1, "x", {}], {"a": {"b": {"c": {}}}}]
VALUES: list[Any] = [*ODD_TEXTS, *ODD_NUMBERS, *ODD_TREES]


@cache
def shipped(path: Path) -> dict[str, Any]:
    """The plain values of a shipped experiment."""
    return read(path)[0]


def containers(value: Any) -> list[Container]:
    """Every dict and list of a config that holds something."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [container for member in inner for container in containers(member)]
    return [value, *found] if isinstance(value, dict | list) and value else found


def mutate(config: dict[str, Any], chance: random.Random) -> None:
    """Damage one place."""
    container = chance.choice(containers(config))
    key = chance.choice(list(container) if isinstance(container, dict) else range(len(container)))
    other = chance.choice(containers(config))
    deed = chance.choice(["replace", "delete", "misspell", "move", "wrap", "repeat", "add"])
    if deed == "replace":
        container[key] = copy.deepcopy(chance.choice(VALUES))
    elif deed == "delete":
        del container[key]
    elif deed == "misspell" and isinstance(container, dict):
        place = chance.randrange(len(key) + 1)
        container[key[:place] + chance.choice("aexyz_. ") + key[place + 1 :]] = container.pop(key)
    elif deed == "move" and isinstance(other, dict):
        other[chance.choice(list(other))] = copy.deepcopy(container[key])
    elif deed == "wrap":
        container[key] = [container[key]] if chance.random() < 0.5 else {"name": container[key]}
    elif deed == "repeat" and isinstance(container, list):
        container.append(copy.deepcopy(container[key]))
    elif isinstance(container, dict):
        container[chance.choice(["x", "name", "layers", "axis", "trainer"])] = copy.deepcopy(chance.choice(VALUES))


def outcome(path: Path) -> str:
    """The experiment's name, or what is wrong with the file; anything but CamForgeError fails the test."""
    try:
        return f"fine: {load(path).experiment.name}"
    except CamForgeError as error:
        message = str(error)
    assert message.strip()
    assert "Traceback" not in message
    for line in message.splitlines():
        if not line.strip().endswith("mistakes"):
            assert re.match(rf"(  )?(--set|.*{re.escape(path.name)})(:\d+)?: \S", line), line
    return message


def test_every_shipped_experiment_is_damaged_several_times() -> None:
    assert len(SHIPPED) > 60
    assert max(1000, 10 * len(SHIPPED)) <= ROUNDS * PER_ROUND


@pytest.mark.slow
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_damaged_values(round_: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CONFIGS)
    write: Callable[[Any], str] = json.dumps if round_ % 2 else lambda value: yaml.safe_dump(value, allow_unicode=True)
    path = tmp_path / ("a.json" if round_ % 2 else "a.yaml")
    refused = 0
    for seed in range(PER_ROUND):
        chance = random.Random(1000 * round_ + seed)
        config = copy.deepcopy(shipped(SHIPPED[(PER_ROUND * round_ + seed) % len(SHIPPED)]))
        for _ in range(chance.choice([1, 1, 2, 4])):
            mutate(config, chance)
        path.write_text(write(config))
        refused += not outcome(path).startswith("fine: ")
    assert refused > PER_ROUND / 3, "mutations that nobody notices test nothing"


TOKENS = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "=",
    "'",
    '"',
    "#",
    "dict(",
    "None",
    "0",
    "-",
    "*",
    "&a",
    "\t",
    "\n",
    "!!",
    "x",
    "\\",
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:invalid escape sequence")
@pytest.mark.parametrize("suffix", [".py", ".yaml", ".json"])
def test_damaged_text(suffix: str, tmp_path: Path) -> None:
    source = CONFIGS / "quickstart.py"
    values = read(source)[0]
    whole = {".py": source.read_text(), ".yaml": yaml.safe_dump(values), ".json": json.dumps(values, indent=1)}[suffix]
    path = tmp_path / f"a{suffix}"
    for seed in range(100):
        chance = random.Random(seed)
        text = whole
        for _ in range(chance.choice([1, 2, 5])):
            start = chance.randrange(len(text))
            stop = start + chance.choice([0, 1, 1, 3, 30, 300])
            text = text[:start] + chance.choice(["", *TOKENS, text[stop : stop + 20]]) + text[stop:]
        path.write_text(text)
        outcome(path)


def test_damaged_bytes(tmp_path: Path) -> None:
    for suffix in (".py", ".yaml", ".json"):
        for seed in range(30):
            path = tmp_path / f"a{suffix}"
            path.write_bytes(random.Random(seed).randbytes(200))
            assert not outcome(path).startswith("fine: ")


@pytest.mark.parametrize(
    "change", [{"about": "\ud800"}, {"arms": {"\udfff": {}}}, {"arms": {"a": {"note": "x\udc80"}}}]
)
def test_text_that_no_file_could_hold(change: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(shipped(CONFIGS / "quickstart.py") | change))
    assert re.search("a text must be valid UTF-8|keys are words", outcome(path))
