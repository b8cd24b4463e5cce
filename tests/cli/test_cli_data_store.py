"""``camforge data`` and ``camforge store``, on real folders and on damaged ones."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from test_cli_run import TINY

from camforge.pictures import save

Camforge = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes with three images each in both splits, and an experiment on them."""
    for split in ("train", "val"):
        for name in ("cat", "dog"):
            for i in range(3):
                (tmp_path / "pets" / split / name).mkdir(parents=True, exist_ok=True)
                save(tmp_path / "pets" / split / name / f"{i}.png", torch.full((3, 20, 24), 40 * i, dtype=torch.uint8))
    text = TINY.replace(
        "{name: partworld, size: 32, train: 24, val: 8}", f"{{name: image_folder, root: {tmp_path}/pets}}"
    )
    (tmp_path / "pets.yaml").write_text(text)
    return tmp_path


def test_check_says_every_problem(camforge: Camforge, folder: Path) -> None:
    code, out, _ = camforge("data", "check", folder / "pets.yaml")
    assert (code, out.splitlines()) == (
        0, ["train: 6 images: cat 3, dog 3", "val: 6 images: cat 3, dog 3", "no problems"],
    )  # fmt: skip
    whole = (folder / "pets/train/cat/1.png").read_bytes()
    (folder / "pets/train/cat/1.png").write_bytes(whole[: len(whole) // 2])
    (folder / "pets/val/dog/2.png").write_bytes(b"no picture")
    code, out, _ = camforge("data", "check", folder / "pets.yaml")
    lines = out.splitlines()
    assert code == 1
    assert lines[-1] == "2 problems"
    assert "train/cat/1.png" in lines[1]
    assert "val/dog/2.png" in lines[3]


def test_check_says_what_is_missing_and_what_is_broken_at_once(camforge: Camforge, tmp_path: Path) -> None:
    """What the listing finds does not hide what only decoding finds."""
    for split in ("train", "test"):
        (tmp_path / "ksdd" / split).mkdir(parents=True)
        for i in range(3):
            save(tmp_path / "ksdd" / split / f"{i}.png", torch.full((3, 20, 24), 90, dtype=torch.uint8))
            mask = Image.new("L", (24, 20))
            mask.putpixel((3, 4), 255)
            mask.save(tmp_path / "ksdd" / split / f"{i}_GT.png")
    (tmp_path / "ksdd/train/0_GT.png").unlink()
    Image.new("L", (7, 5), 255).save(tmp_path / "ksdd/train/1_GT.png")
    text = TINY.replace("{name: partworld, size: 32, train: 24, val: 8}", f"{{name: ksdd2, root: {tmp_path}/ksdd}}")
    (tmp_path / "ksdd.yaml").write_text(text)
    code, out, _ = camforge("data", "check", tmp_path / "ksdd.yaml")
    assert code == 1
    assert "0_GT.png is missing" in out
    assert "1_GT.png: the mask is 7x5, its image 24x20" in out


def test_show_writes_a_sheet(camforge: Camforge, folder: Path) -> None:
    code, out, _ = camforge("data", "show", folder / "pets.yaml", "--out", folder / "sheet.png", "--split", "val")
    assert (code, out) == (0, f"{folder / 'sheet.png'}\n")
    with Image.open(folder / "sheet.png") as sheet:
        assert sheet.size == (8 + 6 * (192 + 8), 8 + 24 + 160 + 8)
    assert camforge("data", "show", folder / "pets.yaml", "--split", "test")[0] == 2


def test_a_store_is_listed_verified_and_pruned(camforge: Camforge, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    run = ("run", tmp_path / "tiny.yaml", "--work-dir", tmp_path / "w", "--device", "cpu", "--quiet")
    assert camforge(*run)[0] == 0
    store = (tmp_path / "w" / "store",)
    results = (tmp_path / "w" / "results.json").read_bytes()
    code, out, _ = camforge("store", "ls", *store)
    assert code == 0
    assert "trainer single" in out
    assert "extractor cam" in out
    finished = len([path for path in store[0].iterdir() if path.is_dir()])
    assert camforge("store", "verify", *store)[:2] == (0, f"all {finished} whole\n")

    (network,) = (tmp_path / "w" / "store").glob("network-*")
    damaged = bytearray((network / "weights.pt").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (network / "weights.pt").write_bytes(damaged)
    code, out, _ = camforge("store", "verify", *store)
    assert (code, out.splitlines()) == (1, [f"{network.name}: checksum of weights.pt", "1 damaged"])

    left = tmp_path / "w" / "store" / f"{network.name}.unfinished"
    left.mkdir()
    os.utime(left, (time.time() - 2 * 86400,) * 2)
    code, out, _ = camforge("store", "prune", *store, "--yes")
    assert (code, out.splitlines()[:-1]) == (0, [network.name, left.name])
    assert not network.exists()
    assert not left.exists()
    assert camforge(*run)[0] == 0
    assert (tmp_path / "w" / "results.json").read_bytes() == results
    assert camforge("store", "prune", *store)[:2] == (0, "nothing to remove\n")
    assert camforge("store", "ls", tmp_path / "none")[0] == 2
    code, _, err = camforge("store", "prune", *store, "--yes", "--older-than", "-1")
    assert (code, "greater than or equal to 0" in err) == (2, True)
    (tmp_path / "empty").mkdir()
    assert camforge("store", "verify", tmp_path / "empty")[:2] == (0, f"no finished stages in {tmp_path / 'empty'}\n")
