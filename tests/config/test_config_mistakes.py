"""Every mistake of a file in one report: file and line, key, what was given, what is allowed."""

from pathlib import Path

import pytest
from experiments import PYTHON, complaint, written

from camforge.config.load import ConfigError, load


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def lines_of(path: Path, *overrides: str) -> list[str]:
    return [line.strip() for line in complaint(path, overrides).splitlines()]


def test_all_mistakes_at_once_each_with_its_line(tmp_path: Path) -> None:
    text = (
        PYTHON.replace("epochs=1,", "epoch=1, lr=-1,")
        .replace('name="mlev"', 'name="mlve"')
        .replace('axis="branch"', 'axis="brunch"')
        .replace("size=64", "size='big'")
    )
    found = lines_of(written(tmp_path, text=text))
    assert found[0] == "small.py: 5 mistakes"
    assert any(
        line.startswith("small.py:6: trainer.epoch: unknown option; did you mean 'epochs'? options: amp, backbone,")
        and line.endswith("(given: 1)")
        for line in found
    )
    assert "small.py:6: trainer.lr: should be greater than 0 (given: -1)" in found
    assert "small.py:11: metrics.1.name: unknown metric 'mlve'; did you mean 'mlev'?" in found[-2] + found[-1]
    assert (
        "small.py:10: fusers.0.axis: should be 'view', 'branch' or 'layer'; did you mean 'branch'? (given: 'brunch')"
        in found
    )
    assert any(line.startswith("small.py:3: images.size: should be a whole number") for line in found)


def test_a_shared_section_is_one_mistake_at_its_own_line(tmp_path: Path) -> None:
    text = PYTHON.replace('extractor = dict(name="gradcam")', 'extractor = dict(name="gradcam", layers=3)')
    assert len(lines_of(written(tmp_path, text=text))) == 1
    assert complaint(written(tmp_path, text=text)).startswith(
        "small.py:9: extractor.layers: should be 'last' or 'stages'"
    )


def test_what_one_arm_lacks_is_said_of_that_arm(tmp_path: Path) -> None:
    text = PYTHON.replace("trainer = dict(", "_trainer = dict(")
    assert complaint(written(tmp_path, text=text)) == "small.py:13: arms.plain.trainer: is required"


def test_a_variable_used_twice_is_one_mistake_where_it_is_written(tmp_path: Path) -> None:
    text = '_net = dict(\n  name="small",\n  stam=3)\n' + PYTHON.replace('dict(name="small")', "_net").replace(
        '"small")),', "_net)),"
    )
    assert complaint(written(tmp_path, text=text)).startswith("small.py:3: trainer.backbone.stam: unknown option")


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
def test_lines_of_yaml_and_json(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name)
    path.write_text(path.read_text().replace("epochs", "epoch"))
    numbers = [n for n, line in enumerate(path.read_text().splitlines(), 1) if "epoch" in line]
    found = lines_of(path)[1:]
    assert [line.split(": ")[0] for line in found] == [f"{name}:{n}" for n in numbers]
    assert [line.split(": ")[1] for line in found] == ["trainer.epoch", "arms.two.trainer.epoch"]


def test_mistakes_of_bases_and_overrides_name_their_places(tmp_path: Path) -> None:
    written(tmp_path, "base.py", PYTHON.replace("epochs=1", "epochs=0"))
    child = written(tmp_path, "child.py", '_base_ = "base.py"\nimages = dict(size=2)\n')
    found = lines_of(child, "arms.two.trainer.epochs=none", "sed=3")
    assert sorted(line.split(" should")[0].split(" unknown")[0] for line in found[1:]) == [
        "--set: arms.two.trainer.epochs:",
        "--set: sed:",
        "base.py:6: trainer.epochs:",
        "child.py:2: images.size:",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("metrics = ", "_metrics = "), "small.py:1: metrics: is required"),
        (("extractor = ", "_extractor = "), "small.py:1: extractor: is required, here for all arms or in each of them"),
        (
            ('name="partworld"', 'name="partwrold"'),
            "small.py:2: dataset.name: unknown dataset 'partwrold'; did you mean 'partworld'?",
        ),
        (
            ('dict(name="partworld"', 'dict(nam="partworld"'),
            "small.py:2: dataset.name: give the dataset a name; known: ",
        ),
        (
            ('dict(name="gradcam")', "7"),
            'small.py:9: extractor: give the extractor by name or as {"name": …, option: …} (given: 7)',
        ),
        (("plain=dict()", "plain=3"), "small.py:13: arms.plain: plain takes options by name"),
        (("images = dict(size=64)", "images = 64"), "small.py:3: images: images takes options by name"),
        (('name = "small"', "name = 5"), "small.py:1: name: should be text (given: 5)"),
        (
            ('name = "small"', 'name = "small"\nseed = float("nan")'),
            "small.py:2: seed: a number must be finite (given: nan)",
        ),
        (('name = "small"', 'name = "small"\nabout = object'), "small.py:2: about: not a plain value"),
        (('name = "small"', 'name = "small"\nhelper = 1'), "small.py:2: helper: unknown option; "),
        (('name = "small"', 'name = "small"\nreport = {1: 2}'), "small.py:2: report: keys are words (given: 1)"),
    ],
)
def test_one_mistake_is_one_line(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    found = complaint(written(tmp_path, text=PYTHON.replace(*change, 1)))
    assert expected in found
    assert "\n" not in found


def test_mistakes_are_there_for_programs_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path), ["seed=-1"])
    (mistake,) = caught.value.mistakes
    assert (mistake.path, mistake.given) == (("seed",), -1)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("seed=4294967296", "seed: should be less than 4294967296"),
        ("seed=-1", "seed: should be greater than or equal to 0"),
        ("seed=true", "seed: a number is needed, not true or false (given: True)"),
        ("images.std=[0.2, 0, 0.2]", "images.std.1: should be greater than 0"),
        ("images.std=[0.2, -0.1, 0.2]", "images.std.1: should be greater than 0"),
        ("images.mean=[0.2, true, 0.2]", "images.mean: a number is needed, not true or false"),
        ("trainer.epochs=true", "trainer.epochs: a number is needed, not true or false"),
        ("trainer.lr=true", "trainer.lr: a number is needed, not true or false"),
        ("batch_size=true", "batch_size: a number is needed, not true or false"),
        ("trainer.backbone={name: small, widths: [true, 8]}", "widths: a number is needed, not true or false"),
        ("paper={plain: {miou: true}}", "paper: a number is needed, not true or false"),
    ],
)
def test_numbers_that_are_none(tmp_path: Path, override: str, said: str) -> None:
    assert said in complaint(written(tmp_path), [override])


def test_truths_that_are_asked_for(tmp_path: Path) -> None:
    assert load(written(tmp_path), ["controls=false", "seed=4294967295"]).experiment.controls is False


def test_a_wrong_item_does_not_make_its_list_too_short(tmp_path: Path) -> None:
    path = written(tmp_path, text=PYTHON)
    (line,) = lines_of(path, "extractor.scales=[0]")
    assert "extractor.scales.0: should be greater than 0 (given: 0)" in line
    (line,) = lines_of(path, "extractor.scales=[]")
    assert "extractor.scales: should have at least 1 item, not 0 (given: [])" in line
