"""One picture of an experiment: photographs in rows, arms in columns."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import interpolate

from camforge.pictures import overlay, sheet
from camforge.report.data import GalleryImage, ReportData

TILE = 128  # pixels of a tile's side
ARMS = 24  # columns: more can neither be seen side by side nor encoded in reasonable time


def contact_sheet(report_data: ReportData, images: int = 6, before_fusion: bool = False) -> Tensor | None:
    """(3, H, W) uint8: per image its photograph, the truth of its first class, and every arm's map of that class.

    Of more than 24 arms the first 24 are shown, and the last caption says how many are not. ``before_fusion`` puts the
    maps of an arm's views, branches and layers before the one they are fused to, which is marked with "=".
    """
    rows = [_row(report_data, image, before_fusion) for image in _spread(report_data.gallery, images)]
    return sheet(rows) if rows else None


def _spread(gallery: tuple[GalleryImage, ...], count: int) -> list[GalleryImage]:
    """Some of the gallery, evenly over it."""
    step = max(1, len(gallery) // max(1, count))
    return list(gallery[::step][:count])


def _row(report_data: ReportData, image: GalleryImage, before_fusion: bool) -> list[tuple[str, Tensor]]:
    label = int(image.labels.nonzero()[0])
    tiles = [(report_data.classes[label], image.image)]
    if image.mask is not None:
        tiles.append(("truth", overlay(image.image, (image.mask == label + 1).float())))
    arms = [arm.name for arm in report_data.arms if not (arm.control or arm.failure)]
    for name in arms[:ARMS]:
        parts = _parts(image, name, label) if before_fusion else []
        tiles += parts
        tiles.append((f"= {name}" if parts else name, overlay(image.image, image.maps[name][label])))
    if len(arms) > ARMS:
        tiles.append((f"and {len(arms) - ARMS} more", image.image))
    return [(caption, _tile(picture)) for caption, picture in tiles]


def _parts(image: GalleryImage, arm: str, label: int) -> list[tuple[str, Tensor]]:
    """(caption, picture) of what an arm's map is fused from; "classes" is left out where no other view is there."""
    maps = image.before_fusion.get(arm, {})
    ungrouped = all(part.startswith("classes, ") for part in maps)
    captions = {part: part.removeprefix("classes, ") if ungrouped else part for part in maps}
    return [(captions[part], overlay(image.image, one[label])) for part, one in maps.items() if label in one]


def _tile(picture: Tensor) -> Tensor:
    height, width = picture.shape[-2:]
    size = (TILE, max(1, round(TILE * width / height)))
    return interpolate(picture[None].float(), size, mode="bilinear", antialias=True)[0].round().byte()
