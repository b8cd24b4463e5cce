"""From a layout to pixels and ground truth."""

from __future__ import annotations

import colorsys
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from camforge_plugins.datasets.partworld.layout import HALF_LENGTH, Scene, Thing
from camforge_plugins.datasets.partworld.shapes import EXTENT, Array, template

_BODY_HUE = (0.02, 0.78, 0.12, 0.92)
_GROUND_HUE = (0.58, 0.09, 0.33, 0.50)
Mask = NDArray[np.uint8]


def draw(
    scene: Scene, rng: np.random.Generator, size: int, without: tuple[int, int] = (-1, 0)
) -> tuple[Mask, Mask, Mask, Array]:
    """Image (size, size, 3) RGB, mask (1 + class), parts (1 body, 2 head), boxes (K, 4) of the visible pixels.

    without  a class and the part (1 body, 2 head) that its objects lack; all else is drawn as it were
    """
    canvas = _ground(scene.background, rng, size)
    _clutter(canvas, rng, size)
    owner, parts = np.zeros((size, size), np.uint8), np.zeros((size, size), np.uint8)
    for number, thing in enumerate(scene.things, 1):
        layers = _warped(thing, size, without[1] if thing.class_index == without[0] else 0)
        _paint(canvas, thing, layers, rng)
        seen = layers[..., 0] > 0.5
        owner[seen] = number
        parts[seen] = np.where(layers[..., 1] > 0.5, 2, 1)[seen]
    canvas *= rng.uniform(0.85, 1.15)
    canvas += 0.015 * rng.standard_normal(canvas.shape, dtype=np.float32)
    names = np.array([0, *(1 + thing.class_index for thing in scene.things)], np.uint8)
    boxes = np.array([_box(owner == number + 1) for number in range(len(scene.things))], np.float32)
    return (canvas.clip(0, 1) * 255).astype(np.uint8), names[owner], parts, boxes


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return x, y, x + width, y + height


def _warped(thing: Thing, size: int, without: int) -> Array:
    """The thing's template (size, size, 4) at its place, without its body (1), its head (2) or whole (0)."""
    side = math.ceil(2 * EXTENT * HALF_LENGTH[thing.family] * size)
    scale = thing.unit * 2 * EXTENT / side
    cos, sin = scale * math.cos(thing.angle), scale * math.sin(thing.angle)
    flip = -1 if thing.mirrored else 1
    middle = (side - 1) / 2
    across = np.array([[cos, -sin * flip], [sin, cos * flip]])
    shift = np.array([thing.x - 0.5, thing.y - 0.5]) - across @ [middle, middle]
    matrix = np.column_stack([across, shift])
    return np.asarray(
        cv2.warpAffine(template(thing.class_index, side, without), matrix, (size, size), flags=cv2.INTER_LINEAR)
    )


def _paint(canvas: Array, thing: Thing, layers: Array, rng: np.random.Generator) -> None:
    """Blend one thing over the canvas (H, W, 3), in place."""
    alpha, head, tone, shade = (layers[..., i : i + 1] for i in range(4))
    body = _rgb(_BODY_HUE[thing.family] + rng.normal(0, 0.07), rng.uniform(0.3, 0.65), rng.uniform(0.55, 1))
    part = _rgb(thing.class_index / 12 + rng.uniform(-0.05, 0.05), rng.uniform(0.8, 1), rng.uniform(0.8, 1))
    colour = (body - 0.5 * tone * body) * (alpha - head) + (part - 0.85 * tone * part) * head
    canvas *= 1 - alpha
    # both factors hold alpha: one of them is divided out
    canvas += colour * np.divide(shade, alpha, out=np.zeros_like(shade), where=alpha > 0)


def _rgb(hue: float, saturation: float, value: float) -> Array:
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value), np.float32)


def _noise(rng: np.random.Generator, height: int, width: int, size: int) -> Array:
    """Gaussian noise of height x width cells, enlarged smoothly to (size, size)."""
    cells = rng.standard_normal((height, width), dtype=np.float32)
    return np.asarray(cv2.resize(cells, (size, size), interpolation=cv2.INTER_CUBIC))


def _ground(kind: int, rng: np.random.Generator, size: int) -> Array:
    """(size, size, 3) float32: water, sand, grass or cracked stone under slanting light."""
    colour = _rgb(_GROUND_HUE[kind] + rng.normal(0, 0.035), rng.uniform(0.3, 0.6), rng.uniform(0.4, 0.8))
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = axis[None, :], axis[:, None]
    texture = _TEXTURES[kind](x, y, rng, size)
    light = 1 + 0.12 * (rng.uniform(-1, 1) * x + rng.uniform(-1, 1) * y)
    return ((texture * light)[..., None] * colour).astype(np.float32)


def _water(x: Array, y: Array, rng: np.random.Generator, size: int) -> Array:
    bend = 2.2 * np.sin(rng.uniform(3, 6) * x + rng.uniform(0, 6)) + 0.8 * _noise(rng, 4, 4, size)
    brightness: Array = 1 + 0.14 * np.sin(rng.uniform(22, 30) * y + bend)
    return brightness


def _sand(x: Array, y: Array, rng: np.random.Generator, size: int) -> Array:
    del x, y
    return 1 + 0.09 * _noise(rng, 48, 48, size) + 0.06 * _noise(rng, 5, 5, size)


def _grass(x: Array, y: Array, rng: np.random.Generator, size: int) -> Array:
    del x, y
    return 1 + 0.13 * _noise(rng, 9, 44, size) + 0.08 * _noise(rng, 4, 4, size)


def _stone(x: Array, y: Array, rng: np.random.Generator, size: int) -> Array:
    del x, y
    field = _noise(rng, 9, 9, size)
    brightness: Array = 1 + 0.07 * np.tanh(3 * field) - 0.4 * np.exp(-((field / 0.13) ** 2))
    return brightness


_TEXTURES = (_water, _sand, _grass, _stone)


def _clutter(canvas: Array, rng: np.random.Generator, size: int) -> None:
    """Three to six small muted discs, bars, lines and rings, in place."""
    for _ in range(int(rng.integers(3, 7))):
        colour = [float(c) for c in _rgb(rng.random(), rng.uniform(0.1, 0.45), rng.uniform(0.2, 0.9))]
        x, y, dx, dy = (float(v) for v in rng.uniform(-0.08, 0.08, 4) * size)
        centre = (int(rng.uniform(0, size)), int(rng.uniform(0, size)))
        radius = max(1, int(rng.uniform(0.015, 0.045) * size))
        end = (int(centre[0] + x), int(centre[1] + y))
        kind = int(rng.integers(4))
        if kind == 0:
            cv2.circle(canvas, centre, radius, colour, -1, cv2.LINE_AA)
        elif kind == 1:
            cv2.fillConvexPoly(canvas, cv2.boxPoints((centre, (abs(dx) + 2, abs(dy) + 2), 90 * x)).astype(int), colour)
        elif kind == 2:
            cv2.line(canvas, centre, end, colour, 1, cv2.LINE_AA)
        else:
            cv2.circle(canvas, centre, radius + 1, colour, 1, cv2.LINE_AA)
