"""The seeds of a trainer that asks for them: maps of the training images, fused, one per image and output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from camforge.interfaces import Seeds
from camforge.maps import max_normalise, resize
from camforge.pipeline.extract import MapRequest, extract, unwrap_or_raise
from camforge.pipeline.fuse import MapFuser
from camforge.pipeline.session import Session, recipe_of
from camforge.store.store import digest
from camforge.store.stored_maps import MapWriter, StoredMaps, load_maps
from camforge.types import Grouping, TrainedModel, View

SHRINK = 4  # of each side of the network's square: seeds are kept at this part of it


def seed_reader(seeds: Seeds, model: TrainedModel, session: Session) -> Callable[[Tensor], Tensor]:
    """Places (B,) in the training split -> seeds (B, K, h, w) in [0, 1]; from the store, or made now.

    model  the trained networks that find them
    """
    request = MapRequest(model, seeds.extractor, "present", session.experiment.extraction.autocast)
    fusers = [recipe_of(fuser) for fuser in seeds.fusers]
    recipe = request.recipe(session.train) | {"fusers": fusers, "shrink": SHRINK}
    key = digest(recipe)
    entry = session.store.find("seeds", key)
    if entry is None:
        entries = extract([request], session, session.train)
        raw = load_maps(unwrap_or_raise(next(iter(entries.values()))))
        entry = session.store.commit("seeds", key, recipe, lambda draft: _write(draft, seeds, model, raw, session))
    kept = load_maps(entry)
    return lambda places: _at(kept, places)


def _write(draft: Path, seeds: Seeds, model: TrainedModel, raw: StoredMaps, session: Session) -> None:
    """A map per image and output of the view: the outputs are the classes of a problem of their own."""
    split, outputs = session.train, model.view.outputs
    targets = model.view.targets(split.labels)
    grouping = Grouping((View.identity(outputs),))
    fuser = MapFuser(f"seeds of {model.view.name}", seeds.extractor, seeds.fusers, grouping, [raw])
    with session.store.temporary_dir() as folder, session.progress.task("fuse seeds") as tick:
        writer = MapWriter(folder / "seeds", targets)
        for places, batch in split.batches(session.batch_size, session.device):
            maps = fuser.fused(places, targets[places].to(session.device), batch.images).values
            small = [max(1, side // SHRINK) for side in maps.shape[1:]]
            writer.append(0, [resize(max_normalise(maps), small).cpu()])
            tick(places[-1] + 1, len(split))
        writer.close()
        writer.move_to(draft)


def _at(kept: StoredMaps, places: Tensor) -> Tensor:
    rows, maps = kept.rows(places), kept.maps[0][0]
    found = torch.zeros(*rows.shape, *maps.shape[1:])
    found[rows >= 0] = maps[rows[rows >= 0]]
    return found
