"""Image files of every kind come out as the RGB they show; broken ones are named."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from camforge.api import CamForgeError, read_image, read_mask
from camforge_plugins.datasets.files import SHOWN, fingerprint, read_lines, refuse


def shown(path: Path) -> np.ndarray:
    image = read_image(path)
    assert image.dtype == torch.uint8
    return image.permute(1, 2, 0).numpy()


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8)


def test_a_png_comes_out_to_the_digit(tmp_path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(shown(tmp_path / "a.png"), pixels)


@pytest.mark.parametrize(
    ("tag", "turned"), [(3, lambda p: p[::-1, ::-1]), (6, lambda p: np.rot90(p, -1)), (8, np.rot90)]
)
def test_exif_rotation_is_applied(tag: int, turned: object, tmp_path: Path, pixels: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = tag
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(shown(tmp_path / "a.png"), turned(pixels))  # type: ignore[operator]


def test_boxes_annotated_on_the_stored_pixels_keep_them(tmp_path: Path, pixels: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    assert read_image(tmp_path / "a.png", (5, 7)).shape == (3, 5, 7)
    assert read_image(tmp_path / "a.png", (7, 5)).shape == (3, 7, 5)


def test_grey_alpha_palette_and_bits_become_rgb(tmp_path: Path, pixels: np.ndarray) -> None:
    grey = pixels[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    assert np.array_equal(shown(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, -1))
    Image.fromarray(np.dstack([pixels, grey])).save(tmp_path / "alpha.png")
    assert np.array_equal(shown(tmp_path / "alpha.png"), pixels)
    Image.fromarray(grey > 99).save(tmp_path / "bits.png")
    assert np.array_equal(shown(tmp_path / "bits.png")[..., 1], np.where(grey > 99, 255, 0))
    few = (pixels // 128) * 255
    Image.fromarray(few.astype(np.uint8)).convert("P").save(tmp_path / "palette.png")
    assert np.array_equal(shown(tmp_path / "palette.png"), few)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.array([[0, 255, 256], [32768, 40000, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    assert np.array_equal(shown(tmp_path / "deep.png")[..., 0], values >> 8)


@pytest.mark.parametrize("colour", [(250, 10, 10), (10, 240, 20), (20, 20, 230), (255, 255, 255)])
def test_cmyk_shows_its_colour(colour: tuple[int, int, int], tmp_path: Path) -> None:
    Image.new("RGB", (16, 16), colour).convert("CMYK").save(tmp_path / "print.jpg", quality=95)
    assert np.abs(shown(tmp_path / "print.jpg").mean((0, 1)) - colour).max() < 4


def test_more_than_sixteen_bits_are_cut_not_wrapped(tmp_path: Path) -> None:
    Image.fromarray(np.array([[-5, 512, 70_000]], np.int32)).save(tmp_path / "deep.tif")
    assert shown(tmp_path / "deep.tif")[0, :, 0].tolist() == [0, 2, 255]


def test_the_first_frame_of_an_animation_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert shown(tmp_path / "a.gif")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("kind", ["jpg", "png"])
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.6])
def test_files_cut_short_are_named(kind: str, keep: float, tmp_path: Path) -> None:
    path = tmp_path / f"cut.{kind}"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(CamForgeError, match=rf"cut\.{kind}: cannot be read as an image"):
        read_image(path)


@pytest.mark.filterwarnings("ignore")  # Pillow's own, of odd tags
@pytest.mark.parametrize("kind", ["jpg", "png", "gif", "bmp", "ppm", "tif", "webp", "jp2"])
def test_flipped_bytes_give_an_image_or_a_named_error(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / f"a.{kind}"
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"exif": exif} if kind in ("jpg", "png", "tif", "webp") else {}
    Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(path, **options)
    whole = path.read_bytes()
    outcomes = []
    for flips in [1, 3, 10, 30] * 15:
        content = bytearray(whole)
        among = len(content) if flips > 3 else min(len(content), 200)  # few bytes, then in the head
        for place in rng.integers(0, among, flips):
            content[place] = rng.integers(256)
        path.write_bytes(content)
        try:
            outcomes.append(f"{len(read_image(path))} channels")
        except CamForgeError as error:
            outcomes.append(str(error))
            assert outcomes[-1].startswith(f"{path}: cannot be read as an image (")
    assert set(outcomes) - {"3 channels"}, "damage that nobody notices tests nothing"


def test_decompression_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (300, 300)).save(tmp_path / "bomb.png")
    for limit in (60_000, 20_000):  # Pillow warns above its limit and refuses above twice as much
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(CamForgeError, match=r"bomb\.png: cannot be read as an image \(Image size"):
            read_image(tmp_path / "bomb.png")
        with pytest.raises(CamForgeError, match=r"bomb\.png: cannot be read as a mask \(Image size"):
            read_mask(tmp_path / "bomb.png")


def test_a_file_that_would_start_a_program_is_no_image(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.eps")  # PostScript: Pillow hands it to Ghostscript
    (tmp_path / "a.eps").rename(tmp_path / "a.jpg")
    with pytest.raises(CamForgeError, match=r"a\.jpg: cannot be read as an image \(in none of the formats AVIF"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("size", [(1, 1), (20000, 1), (1, 20000)])
def test_odd_sizes_are_images(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("RGB", size, (9, 8, 7)).save(tmp_path / "a.png")
    assert shown(tmp_path / "a.png").shape == (size[1], size[0], 3)


def test_masks_keep_their_numbers_and_must_fit(tmp_path: Path) -> None:
    values = np.array([[0, 5, 255], [1, 2, 3]], np.uint8)
    image = Image.fromarray(values)
    image.putpalette([(31 * i) % 256 for i in range(768)])
    image.save(tmp_path / "m.png")
    assert np.array_equal(read_mask(tmp_path / "m.png", (2, 3)).numpy(), values)
    with pytest.raises(CamForgeError, match=r"m\.png: the mask is 3x2, its image 2x3"):
        read_mask(tmp_path / "m.png", (3, 2))
    Image.new("RGB", (3, 2)).save(tmp_path / "m.png")
    with pytest.raises(CamForgeError, match=r"m\.png: a mask holds one number of 8 bits per pixel, this is a RGB"):
        read_mask(tmp_path / "m.png", (2, 3))


def test_text_may_start_with_a_byte_order_mark_but_must_be_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\n\r\n two \n")
    assert read_lines(tmp_path / "a.txt") == ["one", "two"]
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CamForgeError, match=r"a\.txt: cannot be read as text"):
        read_lines(tmp_path / "a.txt")


def test_a_long_list_of_problems_is_cut_with_a_count() -> None:
    with pytest.raises(CamForgeError) as caught:
        refuse("set", [f"problem {i}" for i in range(SHOWN + 7)])
    lines = str(caught.value).splitlines()
    assert len(lines) == SHOWN + 2
    assert lines[-1].strip() == "… and 7 more"


def test_the_fingerprint_follows_contents_and_options_not_places_or_times(tmp_path: Path) -> None:
    marks = []
    for folder, text, option in (("a", "one", 1), ("b", "one", 1), ("c", "two", 1), ("d", "one", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.jpg").write_text(text)
        marks.append(fingerprint(option, files=[tmp_path / folder / "x.jpg"]))
    assert marks[0] == marks[1]
    assert len(set(marks)) == 3


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_float_images_are_not_black(scale: float, tmp_path: Path) -> None:
    grey = np.linspace(0, 1, 35, dtype=np.float32).reshape(5, 7)
    Image.fromarray(grey * scale).save(tmp_path / "a.tif")
    assert np.array_equal(shown(tmp_path / "a.tif")[..., 1], np.rint(grey * 255))


@pytest.mark.parametrize("values", [[-0.5, 1], [0, 300], [0, float("nan")], [0, float("inf")]])
def test_floats_of_no_known_range_are_refused(values: list[float], tmp_path: Path) -> None:
    Image.fromarray(np.array([values], np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(CamForgeError, match=r"a\.tif: .*\(float values from .*, neither 0-1 nor 0-255\)"):
        read_image(tmp_path / "a.tif")


def test_sixteen_bits_that_would_be_black_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 200]], np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(CamForgeError, match=r"a 16-bit image with values up to 200 only"):
        read_image(tmp_path / "a.png")
    Image.fromarray(np.array([[0, 0]], np.uint16)).save(tmp_path / "a.png")
    assert shown(tmp_path / "a.png").sum() == 0


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("tag", [None, 2, 3, 5, 6, 8])
def test_photographs_are_read_as_pillow_reads_them(mode: str, tag: int | None, tmp_path: Path) -> None:
    from PIL import ImageOps

    pixels = np.random.default_rng(1).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    photo = Image.fromarray(pixels).resize((53, 37), Image.Resampling.BICUBIC).convert(mode)
    exif = Image.Exif()
    if tag is not None:
        exif[0x0112] = tag
    photo.save(tmp_path / "a.jpg", exif=exif, progressive=tag == 3, subsampling=2 if tag == 6 else 0)
    with Image.open(tmp_path / "a.jpg") as file:
        expected = np.array(ImageOps.exif_transpose(file).convert("RGB"))
        stored = np.array(file.convert("RGB"))
    assert np.array_equal(shown(tmp_path / "a.jpg"), expected)
    annotated = read_image(tmp_path / "a.jpg", (37, 53))
    assert np.array_equal(annotated.permute(1, 2, 0).numpy(), stored)
