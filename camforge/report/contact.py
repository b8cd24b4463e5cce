"""One picture of an experiment: photographs in rows, arms in columns."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import interpolate

from camforge.pictures import overlay, sheet
from camforge.report.data import GalleryImage, ReportData

TILE = 128  # pixels of a tile's side


def contact_sheet(report_data: ReportData, images: int = 6) -> Tensor | None:
    """(3, H, W) uint8: per image its photograph, the truth of its first class, and every arm's map of that class."""
    rows = [_row(report_data, image) for image in _spread(report_data.gallery, images)]
    return sheet(rows) if rows else None


def _spread(gallery: tuple[GalleryImage, ...], count: int) -> list[GalleryImage]:
    """Some of the gallery, evenly over it."""
    step = max(1, len(gallery) // max(1, count))
    return list(gallery[::step][:count])


def _row(report_data: ReportData, image: GalleryImage) -> list[tuple[str, Tensor]]:
    label = int(image.labels.nonzero()[0])
    tiles = [(report_data.classes[label], image.image)]
    if image.mask is not None:
        tiles.append(("truth", overlay(image.image, (image.mask == label + 1).float())))
    arms = [arm.name for arm in report_data.arms if not (arm.control or arm.failure)]
    tiles += [(name, overlay(image.image, image.maps[name][label])) for name in arms]
    return [(caption, _tile(picture)) for caption, picture in tiles]


def _tile(picture: Tensor) -> Tensor:
    height, width = picture.shape[-2:]
    size = (TILE, max(1, round(TILE * width / height)))
    return interpolate(picture[None].float(), size, mode="bilinear", antialias=True)[0].round().byte()
