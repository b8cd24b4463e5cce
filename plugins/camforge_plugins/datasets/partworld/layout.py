"""What stands where in a PartWorld scene: decided from (seed, split, index) alone, without drawing anything."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

FAMILIES: dict[str, tuple[str, ...]] = {
    "fish": ("ring-fish", "bar-fish", "star-fish"),
    "crate": ("wheel-crate", "frame-crate", "arrow-crate"),
    "kite": ("checker-kite", "gear-kite", "gem-kite"),
    "snake": ("fan-snake", "wedge-snake", "cross-snake"),
}
CLASSES = tuple(name for members in FAMILIES.values() for name in members)
SIBLINGS = 3  # classes per family
HALF_LENGTH = (0.28, 0.235, 0.265, 0.32)  # of a body, per family, as a fraction of the image's side
REACH = 1.15  # radius of a whole object in half-lengths of its body
HEAD_AT = 0.8  # centre of the head on the body's axis, in half-lengths
_COUNTS, _SCALES = (0.45, 0.45, 0.10), (1.15, 0.95, 0.80)  # of scenes with one, two, three objects
_TRIES = 20


@dataclass(frozen=True)
class Thing:
    """One object. x, y: its centre; unit: half-length of its body; all in pixels. angle in radians."""

    class_index: int
    x: float
    y: float
    unit: float
    angle: float
    mirrored: bool

    @property
    def family(self) -> int:
        return self.class_index // SIBLINGS

    @property
    def head(self) -> tuple[float, float]:
        """Where the centre of the head is."""
        return self.x + HEAD_AT * self.unit * math.cos(self.angle), self.y + HEAD_AT * self.unit * math.sin(self.angle)


@dataclass(frozen=True)
class Scene:
    """Objects, back to front, and the family whose background they stand on."""

    things: tuple[Thing, ...]
    background: int


def lay_out(rng: np.random.Generator, size: int, background_match: float) -> Scene:
    """One scene of one to three objects. The background is the first object's own with ``background_match``."""
    count = 1 + int(rng.choice(3, p=_COUNTS))
    classes = [int(rng.integers(len(CLASSES)))]
    classes += [_further(rng, classes[0]) for _ in range(count - 1)]
    things: list[Thing] = []
    for _ in range(_TRIES):
        attempt = _place_all(rng, classes, size)
        things = max(things, attempt, key=len)
        if len(things) == count:
            break
    family = things[0].family
    if rng.random() >= background_match:
        family = (family + int(rng.integers(1, len(FAMILIES)))) % len(FAMILIES)
    return Scene(tuple(things), family)


def _further(rng: np.random.Generator, first: int) -> int:
    """A further object is of the same class (.3), of a sibling (.3) or of any (.4)."""
    kind = rng.random()
    if kind < 0.3:
        return first
    if kind < 0.6:
        return first - first % SIBLINGS + (first % SIBLINGS + int(rng.integers(1, SIBLINGS))) % SIBLINGS
    return int(rng.integers(len(CLASSES)))


def _place_all(rng: np.random.Generator, classes: list[int], size: int) -> list[Thing]:
    """One thing per class, or fewer where no room is left."""
    things: list[Thing] = []
    for class_index in classes:
        thing = _place(rng, class_index, size, _SCALES[len(classes) - 1], things)
        if thing is None:
            break
        things.append(thing)
    return things


def _place(rng: np.random.Generator, class_index: int, size: int, scale: float, others: list[Thing]) -> Thing | None:
    """A place where the head is inside the image and no other object is too near, or None."""
    unit = HALF_LENGTH[class_index // SIBLINGS] * size * scale * rng.uniform(0.82, 1.18)
    edge = min(0.75 * REACH * unit, 0.45 * size)
    for u, v, turn, flip in rng.random((_TRIES, 4)).tolist():
        angle = 2.4 * (turn % 0.5) - 0.6 + (math.pi if turn < 0.5 else 0.0)
        x, y = edge + (size - 2 * edge) * u, edge + (size - 2 * edge) * v
        thing = Thing(class_index, x, y, unit, angle, flip < 0.5)
        inside = all(0.08 * size < at < 0.92 * size for at in thing.head)
        if inside and all(_apart(thing, other) for other in others):
            return thing
    return None


def _apart(a: Thing, b: Thing) -> bool:
    """Bodies hardly touch, and neither covers the other's head."""
    gap = math.hypot(a.x - b.x, a.y - b.y) > 0.7 * REACH * (a.unit + b.unit)
    heads = math.dist(a.head, b.head) > 0.5 * (a.unit + b.unit)
    free = math.dist(a.head, (b.x, b.y)) > 1.1 * b.unit and math.dist(b.head, (a.x, a.y)) > 1.1 * a.unit
    return gap and heads and free
