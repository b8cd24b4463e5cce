"""What a file may be: bases, formats, damage; and that yaml and json never execute anything."""

import json
from pathlib import Path

import pytest
from experiments import PYTHON, VALUES, complaint, written

from camforge.config.load import load


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.py", "name = 'x'\ntrainer = dict(\n", "a.py:2: python does not understand this: '(' was never closed"),
        ("a.py", "name = 'x'\n1 / 0\n", "a.py:2: ZeroDivisionError: division by zero"),
        ("a.py", "import sys\nsys.exit(3)\n", "a.py:2: SystemExit: 3"),
        ("a.py", "import no_such_module\n", "a.py:1: ModuleNotFoundError: No module named 'no_such_module'"),
        (
            "a.py",
            "from mmengine.config import read_base\nwith read_base():\n    from .b import *\n",
            "a.py:2: 'with read_base()' is not supported",
        ),
        ("a.py", "from .b import *\n", "a.py:1: a config is not a package"),
        ("a.py", "_base_ = ['b' + '.py']\n", "a.py:1: _base_ must be written out"),
        ("a.py", "if True:\n    _base_ = 'b.py'\n", "a.py:2: _base_ is set once, at the top level"),
        ("a.py", "_base_ = 3\n", "a.py:1: _base_ is a list of file names, not 3"),
        ("a.py", "_base_ = 'mmdet::b.py'\n", "a.py:1: mmdet::b.py: bases are files beside this one"),
        ("a.py", "_base_ = 'nothing.py'\n", "nothing.py: no such file; in that folder: a.py"),
        ("a.py", "text = 'x'\n", "a.py:1: 'text' cannot be the name of an option"),
        ("a.py", "name = 'x'\nabout = '{{ _base_.name }}'\n", "a.py:2: cannot stand in a config: {{ _base_.… }}"),
        ("a.py", "name = 'x\0'\n", "a.py:1: cannot stand in a config: a zero byte"),
        ("a.yaml", "name: [x\n", "a.yaml:2: not valid yaml: "),
        ("a.yaml", "- name\n", "a.yaml: an experiment is a mapping of options to values, not list"),
        ("a.yaml", "", "a.yaml: an experiment is a mapping of options to values, not NoneType"),
        ("a.yaml", "name: x\nseed: 1\nname: y\n", "a.yaml:3: 'name' is given twice"),
        (
            "a.yaml",
            "name: x\nabout: 2024-01-01\n",
            "a.yaml:2: only plain values may stand here, not a date (put it in quotes)",
        ),
        ("a.yaml", "1: x\n", "a.yaml:1: option names are words, not 1"),
        ("a.yaml", "a: &a [*a]\n", "a.yaml:1: values are nested without end"),
        ("a.yaml", "--- {}\n--- {}\n", "a.yaml:2: not valid yaml: "),
        ("a.json", '{"name": "x",\n "seed": }', "a.json:2: not valid json: Expecting value"),
        ("a.json", '{"seed": 1, "seed": 2}', "a.json: 'seed' is given twice"),
        ("a.json", '{"seed": NaN}', "a.json: NaN is not a number in json"),
        ("a.json", "[1]", "a.json: an experiment is a mapping"),
        ("a.toml", "name = 'x'\n", "a.toml: an experiment is a file that ends in .py, .yaml, .yml, .json"),
    ],
)
def test_damaged_file(tmp_path: Path, name: str, text: str, expected: str) -> None:
    found = complaint(written(tmp_path, name, text))
    assert found.startswith(expected)
    assert "\n" not in found


def test_what_is_no_file(tmp_path: Path) -> None:
    written(tmp_path, "quickstart.py")
    assert complaint(tmp_path / "quikstart.py") == (
        "quikstart.py: no such file; did you mean 'quickstart.py'? in that folder: quickstart.py"
    )
    (tmp_path / "folder.py").mkdir()
    assert complaint(tmp_path / "folder.py").startswith("folder.py: is a folder")


@pytest.mark.parametrize("name", ["a.py", "a.yaml", "a.json"])
def test_binary_junk(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    assert complaint(tmp_path / name) == f"{name}: not a text file in utf-8: byte 0 is 0x89"


def test_a_file_far_too_large(tmp_path: Path) -> None:
    path = written(tmp_path, "a.yaml", "a: 1\n" * 300_000)
    assert complaint(path) == "a.yaml: 1500000 bytes are too many for a config (at most 1000000)"


def test_bases_that_lead_back(tmp_path: Path) -> None:
    written(tmp_path, "a.py", "_base_ = 'b.py'\n")
    written(tmp_path, "b.py", "_base_ = ['c.yaml']\n")
    written(tmp_path, "c.yaml", "_base_: a.yaml\n")
    written(tmp_path, "a.yaml", "_base_: c.yaml\n")
    assert complaint(tmp_path / "a.py") == "c.yaml: its base files lead back to itself: c.yaml → a.yaml → c.yaml"


def test_two_bases_for_one_name(tmp_path: Path) -> None:
    written(tmp_path, "a.py", "\nseed = 1\n")
    written(tmp_path, "b.py", "seed = 2\n")
    child = written(tmp_path, "c.py", "_base_ = ['a.py', 'b.py']\n")
    assert complaint(child) == "b.py:1: 'seed' is already set by another base (a.py:2); a name has one base"


def test_dict_over_something_else_in_a_base(tmp_path: Path) -> None:
    written(tmp_path, "a.yaml", "trainer: single\n")
    child = written(tmp_path, "c.yaml", "_base_: a.yaml\nseed: 1\ntrainer: {epochs: 3}\n")
    assert complaint(child) == (
        "c.yaml:3: trainer: cannot merge: the base value is not a dict; "
        "give all of them, and _delete_=True to replace it"
    )


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system ['touch ran']",
        "!!python/object/new:subprocess.Popen [['touch', 'ran']]",
        "!!python/name:os.system",
        "!!python/module:os",
    ],
)
def test_yaml_executes_nothing(tmp_path: Path, value: str) -> None:
    """mmengine's own loader would call any function."""
    path = written(tmp_path, "a.yaml", f"name: x\nabout: {value}\n")
    assert complaint(path).startswith("a.yaml:2: only plain values may stand here, not !!python/")
    assert complaint(written(tmp_path), [f"about={value}"]).startswith(f"--set about={value}: only plain values")
    assert not (tmp_path / "ran").exists()


def test_data_files_cannot_bring_in_python(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    written(tmp_path, "evil.py", f"open({str(marker)!r}, 'w')\n")
    json_file = written(tmp_path, "a.json", json.dumps({"_base_": "evil.py"}))
    assert (
        complaint(json_file)
        == "a.json:1: evil.py: a yaml or json config runs no python, so its base must be yaml or json too"
    )
    yaml_file = written(
        tmp_path, "a.yaml", "custom_imports: {imports: [evil]}\n" + written(tmp_path, "b.yaml").read_text()
    )
    assert "a.yaml:1: custom_imports: unknown option" in complaint(yaml_file)
    assert not marker.exists()


def test_aliases_that_blow_up(tmp_path: Path) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{here}: &{here} [{', '.join([f'*{before}'] * 10)}]\n" for before, here in zip("abcdef", "bcdefg", strict=True)
    )
    assert "aliases blow this up to more than 100000 values" in complaint(written(tmp_path, "a.yaml", bomb))


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mmengine works on temporary copies."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "tmp").mkdir()
    load(written(tmp_path))
    complaint(written(tmp_path, "broken.py", PYTHON + "1 / 0\n"))
    assert list((tmp_path / "tmp").iterdir()) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.py", "small.py", "tmp"]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seed", "--set seed: write --set key.of.option=value"),
        ("a..b=1", "--set a..b=1: write --set key.of.option=value"),
        ("seed=[1", "--set seed=[1: not valid yaml: did not find expected"),
        ("fusers.3.name=sum", "--set fusers.3.name=sum: fusers is a list; its places are 0 to 0"),
        ("fusers.x=1", "--set fusers.x=1: fusers is a list; its places are 0 to 0"),
        (
            "arms.plian.note=x",
            "--set arms.plian.note=x: there is no arm 'plian'; did you mean 'plain'? arms: plain, two",
        ),
        ("images.size.x=1", "--set images.size.x=1: images.size is 64, it holds no options"),
        ("trainr.epochs=3", "--set: trainr: unknown option; did you mean 'trainer'?"),
        ("about=2024-01-01", "--set about=2024-01-01: only plain values may stand here, not a date"),
        ("_base_=x.py", "--set: _base_: unknown option"),
    ],
)
def test_wrong_override(tmp_path: Path, override: str, expected: str) -> None:
    assert complaint(written(tmp_path), [override]).startswith(expected)


def test_json_with_tabs_has_lines(tmp_path: Path) -> None:
    text = json.dumps(VALUES | {"sed": 1}, indent="\t")
    line = text.splitlines().index('\t"sed": 1') + 1
    assert complaint(written(tmp_path, "a.json", text)).startswith(
        f"a.json:{line}: sed: unknown option; did you mean 'seed'?"
    )


@pytest.mark.parametrize("name", ["a.py", "a.yaml", "a.json"])
def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path, name: str) -> None:
    """As editors on Windows write it; the places of mistakes stay."""
    plain = load(written(tmp_path, f"plain{name[1:]}")).config
    path = written(tmp_path, name)
    marked = path.read_text("utf-8").encode("utf-8-sig")
    path.write_bytes(marked)
    assert load(path).config == plain
    path.write_bytes(marked.replace(b"epochs", b"epochz"))
    assert f"{name}:" in complaint(path)
    assert "trainer.epochz: unknown option; did you mean 'epochs'?" in complaint(path)


def test_a_base_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "bases").mkdir()
    written(tmp_path / "bases", "b.py").write_bytes(PYTHON.encode("utf-8-sig"))
    (tmp_path / "a.py").write_text("_base_ = ['bases/b.py']\nseed = 1 // 1\n")
    assert load("a.py").experiment.seed == 1
    (tmp_path / "a.py").write_text("_base_ = ['bases/b.py']\nseed = 1 / 0\n")
    assert complaint(tmp_path / "a.py") == "a.py:2: ZeroDivisionError: division by zero"


@pytest.mark.parametrize("method", ["__repr__", "__str__"])
@pytest.mark.parametrize("raised", ["ValueError('no')", "SystemExit(3)", "RecursionError", "1 / 0"])
def test_objects_that_do_not_want_to_be_shown(tmp_path: Path, method: str, raised: str) -> None:
    does = raised if raised == "1 / 0" else f"raise {raised}"
    head = f"class Odd(Exception):\n    def {method}(self):\n        {does}\n"
    (tmp_path / "a.py").write_text(f"{head}{PYTHON}seed = Odd()\n")
    assert ": seed: not a plain value" in complaint(tmp_path / "a.py")
    (tmp_path / "a.py").write_text(f"{head}raise Odd()\n")
    assert complaint(tmp_path / "a.py").startswith("a.py:4: Odd: ")
