"""``camforge config``: files checked, shown and described by a schema."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from camforge.config.json_schema import experiment_schema
from camforge.config.load import load, read
from camforge.config.show import shown_values
from camforge.host.registry import registry
from camforge.types import CamForgeError

Camforge = Callable[..., "tuple[int, str, str]"]
CONFIGS = Path(__file__).resolve().parents[2] / "configs"

SMALL = """\
name: small
dataset: partworld
trainer: {name: single, backbone: small}
extractor: {name: gradcam, layers: [stage1, stage2], merge: sum}
metrics: [miou]
arms: {a: , b: {note: hello, trainer: {name: single, epochs: 2, backbone: {name: small}}}}
"""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    return Path("small.yaml")


def test_check_of_a_right_file(camforge: Camforge, small: Path) -> None:
    assert camforge("config", "check", small) == (0, "small.yaml: no mistakes. Experiment 'small', arms: a, b\n", "")


def test_check_of_a_wrong_file(camforge: Camforge, small: Path) -> None:
    code, out, err = camforge("config", "check", small, "--set", "seed=-1", "--set", "sed=1")
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "camforge: small.yaml: 2 mistakes",
        "  --set: seed: should be greater than or equal to 0 (given: -1)",
        "  --set: sed: unknown option; did you mean 'seed'? options: about, arms, batch_size, controls, cost, dataset, "
        "extraction, extractor, fusers, grouper, images, measure_on, metrics, name, paper, report, seed, trainer "
        "(given: 1)",
    ]


def test_a_missing_file(camforge: Camforge, small: Path) -> None:
    code, _, err = camforge("config", "check", small.with_name("smal.yaml"))
    assert code == 2
    assert err == "camforge: smal.yaml: no such file; did you mean 'small.yaml'? in that folder: small.yaml\n"


def test_show_tells_where_each_value_came_from(camforge: Camforge, small: Path) -> None:
    Path("child.yaml").write_text(f"_base_: {small}\n\nseed: 3\n")
    _, out, _ = camforge("config", "show", "child.yaml", "--set", "arms.b.trainer.lr=0.5")
    lines = out.splitlines()
    assert "seed = 3  # child.yaml:3" in lines
    assert 'trainer.backbone.name = "small"  # small.yaml:3' in lines
    assert 'extractor.layers = ["stage1", "stage2"]  # small.yaml:4' in lines
    assert "arms.b.trainer.lr = 0.5  # --set" in lines


def test_show_tells_every_default_and_whose_it_is(camforge: Camforge, small: Path) -> None:
    lines = camforge("config", "show", small)[1].splitlines()
    for line in (
        "batch_size = null  # default",
        'images.fit = "crop"  # default',
        "trainer.epochs = 100  # default of single",
        "trainer.backbone.non_local = []  # default of small",
        "arms.b.trainer.epochs = 2  # small.yaml:6",
        'arms.b.grouper.name = "none"  # default',
        'metrics.0.name = "miou"  # small.yaml:5',
        "metrics.0.per_image = false  # default of miou",
    ):
        assert line in lines, line
    keys = [line.partition(" = ")[0] for line in lines]
    assert len(keys) == len(set(keys))
    assert not any(key.startswith(("arms.a.trainer", "arms.a.extractor")) for key in keys)  # told at the top


def test_what_show_tells_is_the_whole_experiment(small: Path) -> None:
    """Set one after another on an empty file, the values make the same experiment."""
    bare = small.with_name("bare.json")
    values = [value for value in shown_values(small) if "." not in value.key or not value.key.split(".")[1].isdigit()]
    bare.write_text(json.dumps({"arms": {"a": {}, "b": {}}, "metrics": ["miou"]}))
    sets = [f"{value.key}={json.dumps(value.value)}" for value in values]
    assert load(bare, sets).experiment == load(small).experiment


def test_differences_of_two_files(camforge: Camforge, small: Path) -> None:
    Path("child.yaml").write_text(f"_base_: {small}\n\nseed: 3\ntrainer: {{epochs: 100}}\n")
    assert camforge("config", "show", "child.yaml", "--diff", small)[1].splitlines() == [
        "- seed = 0  # default",
        "+ seed = 3  # child.yaml:3",
    ]
    assert camforge("config", "show", small, "--diff", small)[1] == "no difference\n"


def test_what_only_one_file_has_is_told_without_its_defaults(camforge: Camforge, small: Path) -> None:
    Path("child.yaml").write_text(
        f"_base_: {small}\n\nextractor: {{_delete_: true, name: cam}}\narms: {{c: {{note: new}}}}\n"
    )
    found = camforge("config", "show", "child.yaml", "--diff", small)[1].splitlines()
    assert '+ extractor.name = "cam"  # child.yaml:3' in found
    assert '- extractor.layers = ["stage1", "stage2"]  # small.yaml:4' in found
    assert '+ arms.c.note = "new"  # child.yaml:4' in found
    assert not any("default of" in line for line in found)


def test_schema_is_a_schema(camforge: Camforge) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="checks the schema with an independent reader")
    _, out, _ = camforge("config", "schema")
    jsonschema.Draft202012Validator.check_schema(json.loads(out))


@pytest.fixture(scope="module")
def complaints() -> Callable[[Any], list[str]]:
    jsonschema = pytest.importorskip("jsonschema", reason="checks the schema with an independent reader")
    validator = jsonschema.Draft202012Validator(experiment_schema(registry()))
    return lambda config: [error.message for error in validator.iter_errors(config)]


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.py")), ids=lambda p: p.stem)
def test_schema_accepts_the_shipped_experiments(complaints: Callable[[Any], list[str]], path: Path) -> None:
    if "_base_" in path.parts:
        pytest.skip("a base is no whole experiment")
    assert complaints(read(path)[0]) == []


@pytest.mark.parametrize(
    "change",
    [
        {"seed": -1},
        {"sed": 1},
        {"dataset": {"name": "partwrold"}},
        {"metrics": []},
        {"extractor": {"name": "gradcam", "truncate": 100}},
        {"extractor": {"name": "gradcam", "layer": "last"}},
        {"trainer": {"name": "single"}},
        {"trainer": {"name": "single", "backbone": {"name": "small", "stem": "wide"}}},
        {"fusers": [{"name": "mean", "axis": "brunch"}]},
        {"arms": {"a": {"extracter": "cam"}}},
    ],
)
def test_schema_refuses_what_the_check_refuses(
    complaints: Callable[[Any], list[str]], small: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    config = load(small).config
    assert complaints(config) == []
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(config | change))
    with pytest.raises(CamForgeError):
        load(wrong)
    assert complaints(config | change) != []
