"""Concepts as a picture: each in its own colour over the photograph, and a legend."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from camforge.explanation.drawing import small
from camforge.maps import max_normalise, resize
from camforge.pictures import FONT, INK, MARGIN, PAPER, enlarged

OPACITY = 0.75  # of a concept at its strongest
SWATCH, LINE, WIDTH = 14, 24, 320  # pixels of the legend


def concept_row(name: str, picture: Tensor, maps: Tensor, legend: Sequence[str]) -> list[tuple[str, Tensor]]:
    """A photograph (3, H, W) uint8, its concepts' maps (k, h, w) and their legend -> captioned tiles in a row."""
    tile = small(picture)
    colours = concept_colours(len(maps))
    return [
        (name, enlarged(tile)),
        ("concepts", enlarged(coloured(tile, maps, colours))),
        ("each alone is taken for", legend_tile(legend, colours)),
    ]


def concept_colours(count: int) -> Tensor:
    """(k, 3) uint8: hues as far apart as can be, light and dark in turn."""
    values = [colorsys.hls_to_rgb(i / count, 0.42 if i % 2 else 0.58, 0.9) for i in range(count)]
    return (255 * torch.tensor(values)).round().to(torch.uint8)


def coloured(picture: Tensor, maps: Tensor, colours: Tensor) -> Tensor:
    """(3, H, W) uint8: at each pixel the colour of the strongest concept, as opaque as that is strong."""
    strength, which = max_normalise(resize(maps.float(), picture.shape[-2:])).max(0)
    paint = colours[which].permute(2, 0, 1).float()
    return torch.lerp(picture.float(), paint, (OPACITY * strength).expand_as(paint)).round().to(torch.uint8)


def legend_tile(lines: Sequence[str], colours: Tensor) -> Tensor:
    """(3, h, w) uint8: a line per concept behind a patch of its colour."""
    font = ImageFont.load_default(FONT)
    width = max([WIDTH, *(int(font.getlength(line)) + SWATCH + 3 * MARGIN for line in lines)])
    canvas = Image.new("RGB", (width, LINE * len(lines) + MARGIN), PAPER)
    draw = ImageDraw.Draw(canvas)
    for row, (line, colour) in enumerate(zip(lines, colours.tolist(), strict=True)):
        top = MARGIN + LINE * row
        draw.rectangle((0, top, SWATCH, top + SWATCH), fill=tuple(colour))
        draw.text((SWATCH + MARGIN, top - 2), line, fill=INK, font=font)
    return torch.from_numpy(np.array(canvas)).permute(2, 0, 1)
