"""Explanations as files."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from camforge.files import write_atomically
from camforge.pictures import overlay, save

if TYPE_CHECKING:
    from camforge.explanation.explanation import Explanation

MANIFEST = "explanation.json"


def save_explanation(found: Explanation, folder: Path, photographs: Tensor | None, threshold: float) -> Path:
    """Write every map's files, then the manifest that names them. Returns the folder."""
    pictures = photographs[None] if photographs is not None and photographs.dim() == 3 else photographs
    entries = [_entry(found, pair, threshold) for pair in range(len(found))]
    for pair, (entry, mask) in enumerate(zip(entries, found.masks(threshold).cpu(), strict=True)):
        values = found.maps[pair].detach().cpu()
        write_atomically(folder / str(entry["map"]), _npy(values))
        if values.dim() == 2:
            save(folder / str(entry["mask"]), mask.to(torch.uint8) * 255)
        if pictures is not None:
            entry["picture"] = f"{_stem(found, pair)}.png"
            picture = pictures[int(found.images[pair])].cpu()
            save(folder / str(entry["picture"]), overlay(picture, values))
    content = {"method": found.method, "layers": list(found.layers), "threshold": threshold, "maps": entries}
    write_atomically(folder / MANIFEST, json.dumps(content, indent=1, ensure_ascii=False).encode())
    return folder


def _entry(found: Explanation, pair: int, threshold: float) -> dict[str, object]:
    image, target, stem = int(found.images[pair]), int(found.targets[pair]), _stem(found, pair)
    logit = float(found.logits[image, target]) if target >= 0 else None
    entry: dict[str, object] = {"image": image, "target": target if target >= 0 else None, "logit": logit}
    entry["box"] = found.boxes(threshold)[pair].tolist()
    return entry | {"map": f"{stem}.npy"} | ({"mask": f"{stem}-mask.png"} if found.maps.dim() == 3 else {})


def _stem(found: Explanation, pair: int) -> str:
    """``image-target``, as ``0-207``; a function of the logits is named by its place among the image's targets."""
    image, target = int(found.images[pair]), int(found.targets[pair])
    place = pair - int((found.images < image).sum())
    same = int((found.targets[pair - place : pair] == target).sum())
    return f"{image}-{target if target >= 0 else 'function'}" + (f"-{same + 1}" if same else "")


def _npy(values: Tensor) -> bytes:
    content = BytesIO()
    np.save(content, values.float().numpy(), allow_pickle=False)
    return content.getvalue()
