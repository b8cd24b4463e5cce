"""Files that are written are whole, nobody else's, and JSON that everybody reads."""

import json
import math
import os
from pathlib import Path

import pytest

from camforge.files import append_line, make_folder, write_atomically, write_strict_json
from camforge.types import CamForgeError


def strict(path: Path) -> object:
    """As a reader in another language does."""

    def refused(name: str) -> None:
        raise ValueError(name)

    return json.loads(path.read_text(), parse_constant=refused)


def test_numbers_that_json_does_not_know_are_null_with_a_reason(tmp_path: Path) -> None:
    value = {"arms": {"a.b": {"x": math.nan, "y": 1.5}}, "curve": [1.0, math.inf, (-math.inf, 2)], "n": 3, "t": True}
    write_strict_json(tmp_path / "a.json", value)
    assert strict(tmp_path / "a.json") == {
        "arms": {"a.b": {"x": None, "y": 1.5}}, "curve": [1.0, None, [None, 2]], "n": 3, "t": True,
        "not_finite": {
            "arms": {"a.b": {"x": "not a number"}}, "curve": {"1": "infinite", "2": {"0": "minus infinite"}},
        },
    }  # fmt: skip
    write_strict_json(tmp_path / "b.json", {"x": 1.0})
    assert strict(tmp_path / "b.json") == {"x": 1.0}


def test_a_file_is_replaced_whole_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "link").symlink_to("precious")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").read_text() == "new"
    assert (tmp_path / "precious").read_text() == "precious"
    with pytest.raises(CamForgeError, match=r"cannot write .*folder: Is a directory"):
        make_folder(tmp_path / "folder") or write_atomically(tmp_path / "folder", b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "link", "precious"]


def test_a_log_is_a_file_of_its_own(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    append_line(log, "one")
    append_line(log, "two \ud800")
    assert log.read_text() == "one\ntwo ?\n"
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "link").symlink_to("precious")
    with pytest.raises(CamForgeError, match=r"cannot write .*link: is a link, which is not followed"):
        append_line(tmp_path / "link", "three")
    assert (tmp_path / "precious").read_text() == "precious"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CamForgeError, match=r"cannot write .*pipe: "):
        append_line(tmp_path / "pipe", "nobody reads")
