"""A split is decoded once, by processes that write where it is read from, in memory and in a file alike."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from camforge.data import rows as rows_module
from camforge.data.decoding import read_image
from camforge.data.geometry import Geometry
from camforge.data.on_demand import OnDemandRows
from camforge.data.prepared import Prepared, prepare
from camforge.data.rows import FileRows, MemoryRows, Room, Rows, free_memory, make_rows
from camforge.types import CamForgeError, ImageSet, Sample

SQUARE = Geometry(8, "squash", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
CPU = torch.device("cpu")


def sample(i: int, masked: bool = True) -> Sample:
    """Every pixel and every box of its own."""
    chance = np.random.default_rng(i)
    values = torch.from_numpy(chance.integers(0, 255, (5, 8, 8), dtype=np.uint8))
    boxes = torch.tensor([[j, 1.0, j + 2, 4] for j in range(i % 3)]).reshape(-1, 4)
    classes = torch.arange(i % 3) % 2
    mask = values[3] % 3 if masked else None
    return Sample(f"img{i}", values[:3], torch.tensor([True, i % 2 == 0]), mask, boxes, classes, values[4] % 3)


def image_set(count: int, load: object = sample) -> ImageSet:
    labels = torch.stack([sample(i).labels for i in range(count)])
    return ImageSet(("a", "b"), tuple(f"img{i}" for i in range(count)), labels, load, "test")  # type: ignore[arg-type]


def check(split: Prepared, places: list[int]) -> None:
    batch = split.batch(places, CPU)
    for row, place in enumerate(places):
        expected = sample(int(split.indices[place]))
        assert batch.ids[row] == expected.id
        assert torch.equal(split.pixels([place])[0], expected.image)
        torch.testing.assert_close(batch.images[row], (expected.image / 255 - 0.5) / 0.25, atol=1e-6, rtol=0)
        assert torch.equal(batch.masks[row], expected.mask)
        assert torch.equal(batch.parts[row], expected.parts)
        assert torch.equal(batch.boxes[row], expected.boxes)
        assert torch.equal(batch.box_classes[row], expected.box_classes)
        assert torch.equal(batch.labels[row], expected.labels)


@pytest.mark.parametrize("count", [7, 200])  # 200: in other processes
@pytest.mark.parametrize("kind", [MemoryRows, FileRows, OnDemandRows])
def test_rows_of_each_kind_hold_what_was_read(count: int, kind: type[Rows], tmp_path: Path) -> None:
    memory, disk = {MemoryRows: (None, None), FileRows: (0, None), OnDemandRows: (0, 0)}[kind]
    split = prepare(image_set(count), SQUARE, room=Room(memory, disk, tmp_path))
    assert type(split.store) is kind
    assert split.is_kept == (kind is not OnDemandRows)
    check(split, [5, 0, 6, 2])
    found = [places for places, _ in split.batches(3, CPU)]
    assert found == [list(range(i, min(i + 3, count))) for i in range(0, count, 3)]
    assert list(tmp_path.iterdir()) == []  # a file without a name is left by no run, however it ends


def test_one_sample_is_as_in_the_batch() -> None:
    split = prepare(image_set(4), SQUARE)
    one, expected = split.sample(2), sample(2)
    for name in ("image", "mask", "parts", "boxes", "box_classes", "labels"):
        assert torch.equal(getattr(one, name), getattr(expected, name)), name


def test_a_batch_has_masks_only_where_all_of_its_images_have() -> None:
    split = prepare(image_set(4, lambda i: sample(i, masked=i != 2)), SQUARE)
    assert split.batch([0, 1], CPU).masks is not None
    assert split.batch([1, 2], CPU).masks is None
    assert split.sample(2).mask is None
    assert split.sample(3).mask is not None


def test_the_number_of_readers_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = prepare(image_set(130), SQUARE)
    monkeypatch.setattr("camforge.data.reading.cpu_count", lambda: 3)
    shared = prepare(image_set(130), SQUARE)
    assert torch.equal(alone.pixels(range(130)), shared.pixels(range(130)))
    assert torch.equal(alone.known.boxes, shared.known.boxes)


def killed(i: int) -> Sample:
    if i == 150:
        os.kill(os.getpid(), signal.SIGKILL)
    return sample(i)


def test_a_reader_that_is_killed_ends_the_run_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("camforge.data.reading.cpu_count", lambda: 3)
    before = set(threading.enumerate())
    with pytest.raises(CamForgeError, match=r"a process that read images died .*, of 3 that read 200 images"):
        prepare(image_set(200, killed), SQUARE)
    assert not [thread for thread in set(threading.enumerate()) - before if "Executor" in thread.name]


@pytest.mark.parametrize("count", [5, 200])
def test_a_data_set_that_fails_is_told_with_the_image(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(i: int) -> Sample:
        return sample(i) if i != 3 else {}["no such key"]

    monkeypatch.setattr("camforge.data.reading.cpu_count", lambda: 3)
    with pytest.raises(CamForgeError, match=r"the data set cannot load image 'img3' \(KeyError: 'no such key'\)") as e:
        prepare(image_set(count, load), SQUARE)
    assert "in load" in e.value.__notes__[0]  # where, for who writes the data set


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_rows_keep_bytes_at_their_places(kind: str, tmp_path: Path) -> None:
    rows: Rows = MemoryRows(3, 10) if kind == "memory" else FileRows(3, 10, tmp_path)
    rows.write(2, 4, torch.arange(6, dtype=torch.uint8).view(2, 3).T)
    rows.write(0, 0, torch.full((10,), 9, dtype=torch.uint8))
    read = rows.read([2, 0, 2], 4, torch.empty(3, 3, 2, dtype=torch.uint8))
    assert read.tolist() == [[[0, 3], [1, 4], [2, 5]], [[9, 9]] * 3, [[0, 3], [1, 4], [2, 5]]]
    assert rows.read([1], 0, torch.ones(1, 10, dtype=torch.uint8)).sum() == 0


@pytest.mark.parametrize("room", [(110, 110, 1), (None, 0, 1), (None, 220, 2)])
def test_rows_are_where_there_is_room(
    room: tuple[float | None, float, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "free_memory", lambda: 400)
    memory, disk, shared = room
    here = Room(memory, disk, tmp_path, shared)
    most = int(here.memory_bytes)
    assert most == (110 if memory else 100) // shared  # a quarter of what is free, shared out
    assert type(make_rows(most, 1, here)) is MemoryRows
    assert type(make_rows(most + 1, 1, here)) is (FileRows if disk / shared > most else type(None))
    assert make_rows(111, 1, here) is None  # neither memory nor the disk


def test_a_file_takes_half_of_the_disk_at_most(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    assert Room(folder=tmp_path).disk_bytes(tmp_path) == pytest.approx(free / 2, rel=0.05)
    assert Room(disk=1e30).disk_bytes(tmp_path) == pytest.approx(free, rel=0.05)


def readers(monkeypatch: pytest.MonkeyPatch, load: object, scratch: int) -> Prepared:
    """200 images that three processes decode at each use, so many rows at a time."""
    monkeypatch.setattr("camforge.data.reading.cpu_count", lambda: 3)
    monkeypatch.setattr("camforge.data.on_demand.SCRATCH", scratch * 5 * 64)
    return prepare(image_set(200, load), SQUARE, room=Room(0, 0))


@pytest.mark.parametrize("scratch", [0, 3, 500])
def test_batches_larger_than_what_is_decoded_at_a_time(scratch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    split = readers(monkeypatch, sample, scratch)
    check(split, [150, 3, 77, 3, 0, 199, 12])
    assert torch.equal(split.pixels(range(200)), prepare(image_set(200), SQUARE).pixels(range(200)))


def test_broken_images_keep_others_at_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(i: int) -> Sample:
        if i % 4 == 1:
            raise CamForgeError("broken")
        return sample(i)

    check(readers(monkeypatch, load, 10), [0, 1, 2, 99, 140])


def test_an_image_that_is_gone_at_its_next_use_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def load(i: int) -> Sample:
        if i == 150 and list(tmp_path.iterdir()):
            raise CamForgeError("img150.jpg: no such file")
        return sample(i)

    split = readers(monkeypatch, load, 10)
    split.pixels([150])
    (tmp_path / "gone").touch()
    with pytest.raises(CamForgeError, match=r"could be read before cannot be read now: img150\.jpg: no such file"):
        split.pixels([149, 150, 151])
    assert torch.equal(split.pixels([151])[0], sample(151).image)  # others still come


def test_a_reader_killed_between_two_uses_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def load(i: int) -> Sample:
        if list(tmp_path.iterdir()):
            os.kill(os.getpid(), signal.SIGKILL)
        return sample(i)

    split = readers(monkeypatch, load, 10)
    (tmp_path / "now").touch()
    with pytest.raises(CamForgeError, match=r"a process that read images died .*, of 3 that read 200 images"):
        split.pixels(range(8))


@pytest.mark.parametrize("room", [Room(), Room(0), Room(0, 0)])
def test_jpegs_of_another_decoder(tmp_path: Path, room: Room) -> None:
    """torchvision's on the CPU stands for nvJPEG: threads fill the same rows, with what it cannot take among them.

    Both are libjpeg: pixels are equal. A photograph to be rotated, and one cut short, are left to the CPU's way.
    """
    chance = np.random.default_rng(0)
    for i in range(70):
        small = Image.fromarray(chance.integers(0, 255, (4, 5, 3), dtype=np.uint8))
        exif = Image.Exif()
        if i % 7 == 0:
            exif[0x0112] = 6  # to be turned by a quarter
        small.resize((25, 20)).save(tmp_path / f"{i}.jpg", quality=95, exif=exif)
    (tmp_path / "3.jpg").write_bytes((tmp_path / "3.jpg").read_bytes()[:200])
    load = lambda i: replace(sample(i), image=read_image(tmp_path / f"{i}.jpg"))  # noqa: E731
    expected = prepare(image_set(70, load), SQUARE)
    found = prepare(image_set(70, load), SQUARE, room=room, decoder=CPU)
    assert found.skipped.keys() == expected.skipped.keys() == {"img3"}
    assert torch.equal(found.pixels(range(69)), expected.pixels(range(69)))


def test_free_memory_is_a_part_of_the_machine_s() -> None:
    assert 0 < free_memory() < 2**50


def test_objects_by_mask_and_by_box() -> None:
    def load(i: int) -> Sample:
        one = sample(i, masked=i != 1)
        if i != 1:
            one.mask[0, :3] = torch.tensor([255, 0, 2])
            return one
        boxes = torch.tensor([[1.0, 2, 3, 4], [2, 3, 6, 7.5]])
        return replace(one, boxes=boxes, box_classes=torch.tensor([0, 1]))

    split = prepare(image_set(3, load), SQUARE)
    found = split.objects([1, 2])
    assert found.shape == (2, 1, 8, 8)
    expected = torch.zeros(8, 8)
    expected[2:4, 1:3] = 1
    expected[3:7, 2:6] = 1  # of row 7 the middle lies outside
    assert torch.equal(found[0, 0], expected)
    assert found[1, 0, 0, :3].tolist() == [0.5, 0, 1]
    mask = load(2).mask
    assert torch.equal(found[1, 0] > 0.5, (mask > 0) & (mask != 255))


def test_of_an_image_without_mask_and_box_no_object_is_known() -> None:
    bare = prepare(image_set(1, lambda i: replace(sample(i, masked=False), boxes=torch.zeros(0, 4))), SQUARE)
    assert (bare.objects([0]) == 0.5).all()
