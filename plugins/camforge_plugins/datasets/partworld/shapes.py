"""The four bodies and twelve heads of PartWorld, drawn once each as templates that scenes warp into place."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from camforge_plugins.datasets.partworld.layout import HEAD_AT, SIBLINGS

Array = NDArray[np.floating[Any]]
Field = Callable[[Array, Array], Array]

EXTENT = 1.5  # a template covers [-EXTENT, EXTENT] half-lengths of the body in x and y
_HEAD_RADIUS = (0.36, 0.43, 0.38, 0.31)  # per family, in half-lengths: about a fifth of the object's area each
_FINER = 4  # templates are drawn this much larger and averaged down


@lru_cache(maxsize=64)
def template(class_index: int, side: int, without: int = 0) -> Array:
    """(side, side, 4): alpha, the head's alpha, tone (1: the second colour), alpha x shade (dark outlines).

    without  1: the head alone, 2: the body alone, as it is behind its head
    """
    axis = (np.arange(side * _FINER, dtype=np.float32) + 0.5) / (side * _FINER) * 2 * EXTENT - EXTENT
    x, y = np.meshgrid(axis, axis)
    family = class_index // SIBLINGS
    inside, tone = (_BODIES[family](x, y) > 0) & (without != 1), _BODY_TONES[family](x, y) > 0
    radius = _HEAD_RADIUS[family]
    hx, hy = (x - HEAD_AT) / radius, y / radius
    shape, pattern = _HEADS[class_index]
    head = (shape(hx, hy) > 0) & (without != 2)
    tone = np.where(head, pattern(hx, hy) > 0, tone & inside)
    shade = np.where(head, _shade(head, 0.1), _shade(inside, 0.35))
    layers = np.stack([inside | head, head, tone, shade * (inside | head)], axis=-1).astype(np.float32)
    return np.asarray(cv2.resize(layers, (side, side), interpolation=cv2.INTER_AREA))


def _shade(mask: NDArray[np.bool_], roundness: float) -> Array:
    """Brighter in the middle, dark along the outline (one pixel of the finished template)."""
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    shade = 1 - roundness + roundness * np.sqrt(depth / max(float(depth.max()), 1.0))
    return np.where(depth <= _FINER, 0.25, shade).astype(np.float32)


# Fields are positive inside. Bodies: half-length 1 along x, the head at the right end.
def _fish(x: Array, y: Array) -> Array:
    tail = np.minimum(np.minimum(x + 1.25, -0.7 - x), -(x + 0.55) * 0.75 - np.abs(y))
    field: Array = np.maximum(1 - x**2 - (y / 0.48) ** 2, tail)
    return field


def _crate(x: Array, y: Array) -> Array:
    corner = np.hypot(np.maximum(np.abs(x) - 0.8, 0), np.maximum(np.abs(y) - 0.47, 0))
    return 0.2 - corner


def _kite(x: Array, y: Array) -> Array:
    field: Array = np.minimum(x + 1, (1 - x) * 0.42 - np.abs(y))
    return field


def _snake(x: Array, y: Array) -> Array:
    wave = 0.32 * np.sin(4.4 * x)
    slope = 0.32 * 4.4 * np.cos(4.4 * x)
    field: Array = np.minimum(0.16 - np.abs(y - wave) / np.hypot(1, slope), np.minimum(1.1 + x, HEAD_AT - x))
    return field


_BODIES: tuple[Field, ...] = (_fish, _crate, _kite, _snake)
_BODY_TONES: tuple[Field, ...] = (
    lambda x, y: np.sin(14 * x + 2 * y**2),
    lambda x, y: np.sin(9 * x) * np.sin(9 * y),
    lambda x, y: 0.11 - np.hypot((x * 2.6) % 1 - 0.5, (y * 2.6) % 1 - 0.5) / 2.6,
    lambda x, y: np.sin(18 * x + 9 * y),
)


# Heads: radius 1 around the origin.
def _disc(x: Array, y: Array) -> Array:
    return 1 - np.hypot(x, y)


def _square(x: Array, y: Array) -> Array:
    return 0.88 - np.maximum(np.abs(x), np.abs(y))


def _diamond(x: Array, y: Array) -> Array:
    return 1.15 - np.abs(x) - np.abs(y)


def _arrow(x: Array, y: Array) -> Array:
    field: Array = np.minimum(x + 0.75, (1.25 - x) * 0.6 - np.abs(y))
    return field


def _star(x: Array, y: Array) -> Array:
    return _spikes(x, y, 5, 0.45)


def _gear(x: Array, y: Array) -> Array:
    field: Array = 0.9 + 0.17 * np.tanh(4 * np.cos(8 * np.arctan2(y, x))) - np.hypot(x, y)
    return field


def _cross(x: Array, y: Array) -> Array:
    field: Array = np.maximum(np.minimum(1 - np.abs(x), 0.4 - np.abs(y)), np.minimum(0.4 - np.abs(x), 1 - np.abs(y)))
    return field


def _spikes(x: Array, y: Array, count: int, depth: float) -> Array:
    turn = np.abs((np.arctan2(y, x) * count / (2 * np.pi)) % 1 - 0.5) * 2  # 1 at a tip, 0 in a notch
    return 1.3 * (depth + (1 - depth) * turn**1.6) - np.hypot(x, y)


_HEADS: tuple[tuple[Field, Field], ...] = (
    (_disc, lambda x, y: 0.22 - np.abs(np.hypot(x, y) - 0.5)),  # ring-fish
    (_square, lambda x, _: np.sin(7.2 * x)),  # bar-fish
    (_star, lambda x, y: 0.22 - np.hypot(x, y)),  # star-fish
    (_disc, lambda x, y: x * y),  # wheel-crate
    (_diamond, lambda x, y: 0.55 - np.abs(x) - np.abs(y)),  # frame-crate
    (_arrow, lambda x, _: np.sin(8 * x + 1.5)),  # arrow-crate
    (_square, lambda x, y: np.sin(5.4 * x) * np.sin(5.4 * y)),  # checker-kite
    (_gear, lambda x, y: 0.42 - np.hypot(x, y)),  # gear-kite
    (_diamond, lambda _, y: y),  # gem-kite
    (_disc, lambda x, y: np.cos(3 * np.arctan2(y, x))),  # fan-snake
    (_arrow, lambda x, y: 0.5 * np.minimum(x + 0.45, (0.9 - x) * 0.6 - np.abs(y))),  # wedge-snake
    (_cross, lambda x, y: 0.3 - np.maximum(np.abs(x), np.abs(y))),  # cross-snake
)
