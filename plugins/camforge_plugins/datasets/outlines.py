"""Whether pycocotools can draw an object: it reads past the end of short run lengths, and dies of far-away corners."""

from __future__ import annotations

from typing import Any

from .listing import Size


def wrong_outline(outline: Any, size: Size) -> str:
    """What is wrong with a COCO "segmentation" (polygons, or run lengths) in an image of (height, width), or ""."""
    if isinstance(outline, list):
        return _wrong_polygons(outline, 2 * max(size))
    if not isinstance(outline, dict) or outline.keys() < {"size", "counts"}:
        return "neither polygons nor run lengths"
    if outline["size"] != list(size):
        return f"run lengths of size {outline['size']!r}, the image has {list(size)}"
    counts = outline["counts"]
    try:
        runs = _unpacked(counts) if isinstance(counts, str) else counts
    except IndexError:
        return "run lengths that break off"
    if not (isinstance(runs, list) and all(type(run) is int and run >= 0 for run in runs)):
        return "run lengths that are not numbers from 0"
    return "" if sum(runs) == size[0] * size[1] else f"run lengths of {sum(runs)} pixels, not {size[0] * size[1]}"


def _wrong_polygons(polygons: list[Any], farthest: float) -> str:
    for corners in polygons:
        if not (isinstance(corners, list) and all(type(v) in (int, float) for v in corners)):
            return "a polygon that is not a list of numbers"
        if len(corners) < 6 or len(corners) % 2:
            return f"a polygon of {len(corners)} numbers, not x, y of 3 corners or more"
        if far := [v for v in corners if not abs(v) <= farthest]:
            return f"a polygon with a corner far outside the image, at {far[0]:g}"
    return "" if polygons else "no polygon"


def _unpacked(text: str) -> list[int]:
    """COCO's compressed run lengths (maskApi.c, rleFrString): 5 bits a letter, from the third on differences."""
    runs: list[int] = []
    place = 0
    while place < len(text):
        value, shift, more = 0, 0, True
        while more:
            bits = ord(text[place]) - 48
            more = bool(bits & 32)
            value |= (bits & 31) << shift
            place, shift = place + 1, shift + 5
        value -= bool(bits & 16) << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs
