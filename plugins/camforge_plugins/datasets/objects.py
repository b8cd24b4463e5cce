"""Annotation files in PASCAL's XML, which other sets have taken over."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from camforge.api import CamForgeError

from .files import read_lines
from .listing import Size

Corners = tuple[float, float, float, float]


def read_objects(path: Path) -> tuple[Size | None, list[tuple[str, Corners, bool]]]:
    """Size and objects (class name, the box's corners as stored, whether it is difficult) of one annotation file.

    Document types and entities are refused: none of the published files has any, and a few lines of them can fill the
    memory. Raises CamForgeError that names the file.
    """
    text = "\n".join(read_lines(path))
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise CamForgeError(f"{path}: document types and entities are refused")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - entities were refused above
        size = root.findtext("size/height"), root.findtext("size/width")
        height, width = (int(side or 0) for side in size)
        objects = [_object(node) for node in root.iter("object")]
        return (height, width) if height and width else None, objects  # some tools write 0 for what they do not know
    except (ElementTree.ParseError, ValueError) as error:
        raise CamForgeError(f"{path}: broken annotation ({error})") from None


def _object(node: ElementTree.Element) -> tuple[str, Corners, bool]:
    corners = [node.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
    if None in corners:
        raise ValueError("an object has no complete bndbox")
    x0, y0, x1, y1 = (float(corner or "") for corner in corners)
    return (node.findtext("name") or "").strip(), (x0, y0, x1, y1), node.findtext("difficult") == "1"
