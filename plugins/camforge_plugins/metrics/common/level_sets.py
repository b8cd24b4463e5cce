"""The connected components of every level set of a map, from one pass over its pixels.

From each pixel steepest ascent leads to a summit. Above a level two summits belong together when a chain of saddles
above that level links them, so all levels are answered by the small graph of summits and saddles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer]
VALUE_BITS = 9  # values are 0..256

RIGHT, LEFT = (slice(None), slice(1, None)), (slice(None), slice(None, -1))
DOWN, UP = (slice(1, None), slice(None)), (slice(None, -1), slice(None))
STEPS = ((LEFT, RIGHT), (UP, DOWN), ((UP[0], LEFT[1]), (DOWN[0], RIGHT[1])), ((UP[0], RIGHT[1]), (DOWN[0], LEFT[1])))


@dataclass(frozen=True)
class LevelSets:
    """The M components of ``values > cut`` over all L cuts.

    labels     (H, W) the summit of each pixel, 0..K-1
    component  (L, K) the component that a summit's pixels above the cut lie in, -1 where it has none
    place      (M,) the place of the component's cut;  boxes (M, 4) x0, y0, x1, y1, the last two exclusive
    """

    labels: Ints
    component: Ints
    place: Ints
    boxes: Ints


def level_sets(values: Ints, cuts: Ints, eight: bool) -> LevelSets:
    """(H, W) integers 0..256, (L,) rising cuts; ``eight``: diagonal neighbours are connected."""
    labels, peaks, saddles = _graph(values, eight)
    joined = _joined(len(peaks), saddles, cuts)
    low, high = _extents(values, labels, len(peaks), cuts)
    alive = peaks > cuts[:, None]
    key = (np.arange(len(cuts))[:, None] * len(peaks) + joined)[alive]
    used = np.flatnonzero(np.bincount(key, minlength=joined.size))
    number = np.full(joined.size, -1)
    number[used] = np.arange(len(used))
    boxes = np.empty((len(used), 4), np.int64)
    boxes[:, :2], boxes[:, 2:] = values.shape[0] + values.shape[1], 0
    for axis in range(2):
        np.minimum.at(boxes[:, axis], number[key], low[axis][alive])
        np.maximum.at(boxes[:, 2 + axis], number[key], high[axis][alive] + 1)
    component = np.full(joined.shape, -1)
    component[alive] = number[key]
    return LevelSets(labels, component, used // len(peaks), boxes)


def _graph(values: Ints, eight: bool) -> tuple[Ints, Ints, tuple[Ints, Ints, Ints]]:
    """Labels (H, W), the K summits' heights, and saddles: summit, summit, height.

    A summit with a saddle as high as itself (one of several on a plateau) is made one with a summit across.
    """
    labels, peaks = _summits(values, eight)
    a, b, height = _saddles(values, labels, len(peaks), eight)
    rising = (peaks[a] < peaks[b]) | ((peaks[a] == peaks[b]) & (a < b))
    lower, higher = np.where(rising, a, b), np.where(rising, b, a)
    flat = height == peaks[lower]
    upward = np.arange(len(peaks))
    upward[lower[flat]] = higher[flat]
    kept, number = _ends(upward)
    a, b = number[a], number[b]
    apart = a != b
    return number.take(labels), peaks[kept], (a[apart], b[apart], height[apart])


def _ends(upward: Ints) -> tuple[Ints, Ints]:
    """(n,) pointers -> the k places that point to themselves, and which of them, 0..k-1, each place (n,) leads to."""
    while True:
        further = upward.take(upward)
        further = further.take(further)  # two doublings for one comparison
        if np.array_equal(further, upward):
            break
        upward = further
    ends = np.flatnonzero(upward == np.arange(len(upward)))
    number = np.empty(len(upward), np.int32)
    number[ends] = np.arange(len(ends))
    return ends, number.take(upward)


def _summits(values: Ints, eight: bool) -> tuple[Ints, Ints]:
    """The summit (H, W) that steepest ascent reaches (among equals the later pixel is higher), and the heights (K,)."""
    size = values.size
    bits = (size - 1).bit_length()
    kind: type[np.integer] = np.int64 if bits + VALUE_BITS > 31 else np.int32
    key = np.left_shift(values, bits, dtype=kind) | np.arange(size, dtype=kind).reshape(values.shape)
    row = key.copy()
    np.maximum(row[RIGHT], key[LEFT], out=row[RIGHT])
    np.maximum(row[LEFT], key[RIGHT], out=row[LEFT])
    best = row.copy()
    column = row if eight else key
    np.maximum(best[DOWN], column[UP], out=best[DOWN])
    np.maximum(best[UP], column[DOWN], out=best[UP])
    summits, labels = _ends((best & ((1 << bits) - 1)).ravel().astype(np.intp))
    return labels.reshape(values.shape), values.ravel()[summits]


def _saddles(values: Ints, labels: Ints, count: int, eight: bool) -> tuple[Ints, Ints, Ints]:
    """The highest saddle of every two summits whose pixels touch: summit, summit, height."""
    keys = []
    flat_labels, flat_values, width = labels.ravel(), values.ravel(), values.shape[1]
    for (here, there), step in zip(STEPS, (1, width, width + 1, width - 1)[: 4 if eight else 2], strict=False):
        border = np.zeros(labels.shape, bool)
        np.not_equal(labels[here], labels[there], out=border[here])
        pixel = np.flatnonzero(border)
        a, b = flat_labels.take(pixel).astype(np.int64), flat_labels.take(pixel + step)
        height = np.minimum(flat_values.take(pixel), flat_values.take(pixel + step))
        keys.append((np.minimum(a, b) * count + np.maximum(a, b) << VALUE_BITS) | height)
    key = np.sort(np.concatenate(keys))
    pair = key >> VALUE_BITS
    highest = np.flatnonzero(np.append(pair[1:] != pair[:-1], True)) if len(key) else np.zeros(0, np.int64)
    return pair[highest] // count, pair[highest] % count, key[highest] & ((1 << VALUE_BITS) - 1)


def _joined(count: int, saddles: tuple[Ints, Ints, Ints], cuts: Ints) -> Ints:
    """(L, K): summits that share a number are one component above the cut."""
    a, b, height = saddles
    below = np.searchsorted(cuts, height)  # so many cuts lie under the saddle
    order = np.argsort(-below, kind="stable")
    rows, filled = np.empty((len(cuts), count), np.int64), len(cuts)
    number, members = list(range(count)), [[summit] for summit in range(count)]
    for first, second, end in zip(a[order].tolist(), b[order].tolist(), below[order].tolist(), strict=True):
        into, out = number[first], number[second]
        if into == out:
            continue
        if end < filled:
            rows[end:filled], filled = number, end
        if len(members[into]) < len(members[out]):
            into, out = out, into
        for summit in members[out]:
            number[summit] = into
        members[into] += members[out]
    rows[:filled] = number
    return rows


def _extents(values: Ints, labels: Ints, count: int, cuts: Ints) -> tuple[list[Ints], list[Ints]]:
    """The lowest and the highest column, then row, of each summit's pixels above each cut: two (L, K) each."""
    lows: list[Ints] = []
    highs: list[Ints] = []
    bins = int(values.max()) + 1
    for field, names in ((values.T, labels.T), (values, labels)):
        names = np.ascontiguousarray(names)
        change = np.ones(names.shape, bool)
        np.not_equal(names[RIGHT], names[LEFT], out=change[RIGHT])
        starts = np.flatnonzero(change)  # a run of one summit along a line: only its highest pixel matters
        top = np.maximum.reduceat(np.ascontiguousarray(field).ravel(), starts)
        cell, line = names.ravel()[starts].astype(np.int64) * bins + top, starts // names.shape[1]
        low, high = np.full(count * bins, names.size), np.full(count * bins, -1)
        np.minimum.at(low, cell, line)
        np.maximum.at(high, cell, line)
        low, high = low.reshape(count, bins)[:, ::-1], high.reshape(count, bins)[:, ::-1]
        lows.append(np.minimum.accumulate(low, 1)[:, ::-1][:, cuts + 1].T)
        highs.append(np.maximum.accumulate(high, 1)[:, ::-1][:, cuts + 1].T)
    return lows, highs
