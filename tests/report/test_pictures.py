"""Pictures against a transcription pixel by pixel."""

from io import BytesIO

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from camforge.files import write_atomically
from camforge.pictures import OPACITY, encode, heat_colours, overlay, save, save_overlay, sheet
from camforge.report.contact import ARMS, contact_sheet
from camforge.report.data import ArmReport, GalleryImage, ReportData
from camforge.types import CamForgeError


def _pixel(photo: list[int], value: float, peak: float) -> list[float]:
    share = max(value, 0.0) / peak
    blue, green, red = cv2.applyColorMap(np.array([[round(share * 255)]], np.uint8), cv2.COLORMAP_TURBO)[0, 0].tolist()
    cover = OPACITY * min(1.0, 2 * share)
    return [p * (1 - cover) + c * cover for p, c in zip(photo, (red, green, blue), strict=True)]


def test_overlay_mixes_photograph_and_colour_by_the_value() -> None:
    image = torch.randint(0, 256, (3, 4, 5), dtype=torch.uint8)
    values = torch.randn(4, 5)
    expected = torch.tensor(
        [
            [_pixel(image[:, y, x].tolist(), values[y, x].item(), values.max().item()) for x in range(5)]
            for y in range(4)
        ]
    ).permute(2, 0, 1)
    assert (overlay(image, values).float() - expected).abs().max() <= 0.51


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_an_overlay_of_a_map_that_is_nowhere_positive_is_the_photograph(value: float) -> None:
    image = torch.randint(0, 256, (3, 6, 6), dtype=torch.uint8)
    assert torch.equal(overlay(image, torch.full((2, 3), value)), image)


def test_heat_runs_from_dark_blue_to_dark_red() -> None:
    colours = heat_colours().int()
    assert colours[0, 2] > colours[0, 0]
    assert colours[255, 0] > 100 > colours[255, 2]
    assert colours[128, 1] == colours[128].max()


def test_png_comes_back_exactly_and_other_formats_are_named(tmp_path) -> None:
    image = torch.randint(0, 256, (3, 9, 7), dtype=torch.uint8)
    back = torch.from_numpy(np.array(Image.open(save(tmp_path / "new" / "a.PNG", image)))).permute(2, 0, 1)
    assert torch.equal(back, image)
    for suffix, name in ((".jpg", "JPEG"), (".webp", "WEBP")):
        assert Image.open(BytesIO(encode(image, suffix))).format == name
    with pytest.raises(CamForgeError, match=r"'\.bmp': allowed are \.png, \.jpg"):
        save(tmp_path / "a.bmp", image)


def test_saved_overlay_is_the_overlay(tmp_path) -> None:
    image, values = torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8), torch.rand(2, 2)
    path = save_overlay(tmp_path / "o.png", image, values)
    assert torch.equal(torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1), overlay(image, values))


def test_sheet_keeps_every_tile_whole_and_cuts_long_captions() -> None:
    tiles = [torch.full((3, 30, 40), v, dtype=torch.uint8) for v in (10, 100, 200)]
    long, short = sheet([[("word " * 30, tiles[0]), ("b", tiles[1])], [("c", tiles[2])]]), sheet([[("", tiles[0])]])
    for tile in tiles:
        assert (long == tile[0, 0, 0]).all(0).sum() >= 30 * 40
    assert long.shape[2] - short.shape[2] == 40 + 8  # the caption made nothing wider


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch) -> None:
    path = write_atomically(tmp_path / "a.txt", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CamForgeError, match=r"cannot write .*a\.txt: No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_contact_sheet_of_many_arms_says_how_many_it_leaves_out() -> None:
    def sheet_of(count: int) -> torch.Tensor:
        arms = tuple(ArmReport(f"arm {i}", {"miou": 0.5}) for i in range(count))
        maps = {arm.name: {0: torch.rand(4, 4)} for arm in arms}
        image = GalleryImage("one", torch.zeros(3, 16, 16, dtype=torch.uint8), torch.tensor([True]), maps)
        picture = contact_sheet(ReportData("sheet", ("cat",), arms, gallery=(image,)))
        assert picture is not None
        return picture

    few, most, more = (sheet_of(count).shape[2] for count in (ARMS - 1, ARMS, ARMS + 20))
    column = most - few
    assert column > 128
    assert more == most + column


def test_an_arms_parts_stand_before_what_they_are_fused_to(monkeypatch: pytest.MonkeyPatch) -> None:
    arms = tuple(ArmReport(name, {"miou": 0.5}) for name in ("one", "two", "levels"))
    values = {0: torch.rand(4, 4)}
    parts = {
        "two": {"classes, branch 1": values, "classes, branch 2": values},
        "levels": {"classes, branch 1": values, "level 1, branch 1": values},
    }
    pixels, maps = torch.zeros(3, 16, 16, dtype=torch.uint8), {arm.name: values for arm in arms}
    image = GalleryImage("one", pixels, torch.tensor([True]), maps, before_fusion=parts)
    rows: list[list[tuple[str, torch.Tensor]]] = []
    monkeypatch.setattr("camforge.report.contact.sheet", rows.extend)
    contact_sheet(ReportData("sheet", ("cat",), arms, gallery=(image,)), before_fusion=True)
    expected = ["cat", "one", "branch 1", "branch 2", "= two", "classes, branch 1", "level 1, branch 1", "= levels"]
    assert [caption for caption, _ in rows[0]] == expected
