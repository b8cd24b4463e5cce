"""Components of all level sets at once, against scipy's, one level at a time."""

import numpy as np
import pytest
from scipy import ndimage

from camforge_plugins.metrics.common.level_sets import level_sets


def made_values(kind: str, seed: int) -> np.ndarray:
    """(13, 17) integers: noise, plateaus of three values, a smooth field, or a map of one line."""
    g = np.random.default_rng(seed)
    if kind == "plateaus":
        return g.integers(0, 3, (13, 17))
    if kind == "smooth":
        return (ndimage.zoom(g.random((4, 5)), (13 / 4, 17 / 5), order=1) * 256).astype(int)
    return g.integers(0, 257, (1, 17) if kind == "line" else (13, 17))


@pytest.mark.parametrize("eight", [True, False])
@pytest.mark.parametrize("kind", ["noise", "plateaus", "smooth", "line"])
@pytest.mark.parametrize("seed", range(3))
def test_components_at_every_level(kind, seed, eight):
    values = made_values(kind, seed)
    cuts = np.unique(values)[:-1]
    sets = level_sets(values, cuts, eight)
    for place, cut in enumerate(cuts):
        parts, _ = ndimage.label(values > cut, structure=np.ones((3, 3)) if eight else None)
        want = [[x.start, y.start, x.stop, y.stop] for y, x in ndimage.find_objects(parts)]
        assert sorted(sets.boxes[sets.place == place].tolist()) == sorted(want)
        mine = np.where(values > cut, sets.component[place][sets.labels], -1)
        pairs = {(int(a), int(b)) for a, b in zip(mine[values > cut], parts[values > cut], strict=True)}
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(want)
