"""Whatever is written, it is read as written, found where it stands, or refused with a clear error."""

import json
from keyword import iskeyword
from pathlib import Path
from typing import Any

import pytest
import yaml
from experiments import values_with_places
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from camforge.config.load import load
from camforge.types import CamForgeError

KEYS = st.text("abcdefgh", min_size=1, max_size=4).filter(lambda key: not iskeyword(key))
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
OPTIONS = st.sampled_from(
    ["name", "about", "seed", "dataset", "images", "arms", "metrics", "grouper", "trainer", "extractor", "fusers", "_x"]
)
RELAXED = settings(
    max_examples=40, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],  # a busy machine is no failure
)  # fmt: skip


@RELAXED
@given(config=st.dictionaries(OPTIONS, ANYTHING, min_size=1))
def test_any_json_is_read_or_refused(tmp_path: Path, config: dict[str, Any]) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(config))
    with pytest.raises(CamForgeError):  # no random config is a whole experiment
        load(path)


@RELAXED
@given(override=st.text(max_size=30) | st.tuples(OPTIONS, st.text(max_size=20)).map("=".join))
def test_any_override_is_read_or_refused(tmp_path: Path, override: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("name: x\n")
    with pytest.raises(CamForgeError):
        load(path, [override])


def numbered(shape: Any, counter: list[int]) -> Any:
    """The shape with a number of its own in every leaf."""
    if isinstance(shape, dict):
        return {key: numbered(value, counter) for key, value in shape.items()}
    if isinstance(shape, list):
        return [numbered(value, counter) for value in shape]
    counter[0] += 1
    return counter[0]


def python_text(value: Any, indent: str = "") -> str:
    """Python with every member on a line of its own; dicts with words as keys alternate between dict() and {}."""
    inner = indent + " "
    if isinstance(value, dict) and len(indent) % 2:
        return "dict(\n" + "".join(f"{inner}{k}={python_text(v, inner)},\n" for k, v in value.items()) + indent + ")"
    if isinstance(value, dict):
        return "{\n" + "".join(f"{inner}{k!r}: {python_text(v, inner)},\n" for k, v in value.items()) + indent + "}"
    if isinstance(value, list):
        return "[\n" + "".join(f"{inner}{python_text(v, inner)},\n" for v in value) + indent + "]"
    return repr(value)


def text_of(config: dict[str, Any], suffix: str) -> str:
    if suffix == ".py":
        return "".join(f"{name} = {python_text(value)}\n" for name, value in config.items())
    return json.dumps(config, indent=1) if suffix == ".json" else yaml.safe_dump(config, sort_keys=False)


SHAPES = st.recursive(
    st.just(0),
    lambda inner: (
        st.lists(st.dictionaries(KEYS, inner, min_size=1, max_size=3), min_size=1, max_size=3)
        | st.dictionaries(KEYS, inner, min_size=1, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("suffix", [".py", ".yaml", ".json"])
@RELAXED
@given(shape=st.dictionaries(KEYS.map("v{}".format), SHAPES, min_size=1, max_size=3))
def test_every_value_is_found_where_it_stands(tmp_path: Path, suffix: str, shape: dict[str, Any]) -> None:
    config = numbered(shape, [1000])
    path = tmp_path / f"a{suffix}"
    path.write_text(text_of(config, suffix))
    lines = path.read_text().splitlines()
    found = list(values_with_places(path))
    assert [value for _, value, _ in found] == leaves(config)
    for key, value, place in found:
        assert place.line is not None
        assert str(value) in lines[place.line - 1], key


def leaves(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if inner is None else [leaf for member in inner for leaf in leaves(member)]


def clash(base: Any, child: Any) -> bool:
    """Whether the child has a dict where the base has something else."""
    if not isinstance(child, dict):
        return False
    return not isinstance(base, dict) or any(clash(base[key], child[key]) for key in base.keys() & child.keys())


@RELAXED
@given(base=st.dictionaries(KEYS.map("v{}".format), SHAPES, min_size=1, max_size=3), data=st.data())
def test_a_child_over_a_base_is_found_where_it_stands(
    tmp_path: Path, base: dict[str, Any], data: st.DataObject
) -> None:
    """The values that stay are the base's, those that the child gives are the child's."""
    below = numbered(base, [1000])
    over = numbered(data.draw(st.dictionaries(st.sampled_from(sorted(base)), SHAPES, min_size=1)), [2000])
    (tmp_path / "base.yaml").write_text(text_of(below, ".yaml"))
    (tmp_path / "child.yaml").write_text("_base_: base.yaml\n" + text_of(over, ".yaml"))
    if clash(below, over):
        with pytest.raises(CamForgeError, match="cannot merge"):
            list(values_with_places(tmp_path / "child.yaml"))
        return
    found = list(values_with_places(tmp_path / "child.yaml"))
    for key, value, place in found:
        child = isinstance(value, int) and value > 2000
        assert place.file.endswith("child.yaml" if child else "base.yaml"), key
        assert str(value) in Path(place.file).read_text().splitlines()[place.line - 1]  # type: ignore[operator]
