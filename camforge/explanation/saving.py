"""Explanations as files."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from camforge.explanation.inputs import MANIFEST
from camforge.files import free_name, write_atomically
from camforge.pictures import save, signed_overlay

if TYPE_CHECKING:
    from camforge.explanation.explanation import Explanation


def save_explanation(found: Explanation, folder: Path, photographs: Tensor | None, threshold: float) -> Path:
    """Write every map's files, image by image, then the manifest that names them. Returns the folder."""
    pictures = found.pictures(photographs) if found.photographs or photographs is not None else None
    boxes, masks, stems = found.boxes(threshold).cpu(), found.masks(threshold).cpu(), _stems(found)
    entries: list[dict[str, object]] = []
    for image in range(len(found.logits)):
        pairs = (found.images == image).nonzero().flatten().tolist()
        for pair, own, over in zip(pairs, found.of(image), found.over(image), strict=True):
            files = _write(folder, stems[pair], own, masks[pair][tuple(slice(n) for n in own.shape)])
            if pictures is not None:
                picture = signed_overlay(pictures[image], over.detach().cpu())
                files["picture"] = save(folder / f"{stems[pair]}.png", picture).name
            entries.append(_entry(found, pair) | {"box": boxes[pair].tolist()} | files)
    content = {"model": found.model, "method": found.method, "layers": list(found.layers), "threshold": threshold}
    manifest = json.dumps(content | {"maps": entries}, indent=1, ensure_ascii=False)
    write_atomically(folder / MANIFEST, manifest.encode())
    return folder


def _write(folder: Path, stem: str, values: Tensor, mask: Tensor) -> dict[str, str]:
    content = BytesIO()
    np.save(content, values.detach().float().cpu().numpy(), allow_pickle=False)
    files = {"map": write_atomically(folder / f"{stem}.npy", content.getvalue()).name}
    if mask.dim() == 2:
        files["mask"] = save(folder / f"{stem}-mask.png", mask.to(torch.uint8) * 255).name
    return files


def _entry(found: Explanation, pair: int) -> dict[str, object]:
    image, target = int(found.images[pair]), int(found.targets[pair])
    return {
        "image": found.image_name(image) if found.photographs else image,
        "target": target if target >= 0 else None,
        "label": found.label(pair),
        "logit": float(found.logits[image, target]) if target >= 0 else None,
    }


def _stems(found: Explanation) -> list[str]:
    """Of every pair, one that no other has: ``dog-golden_retriever``, or ``0-output_207`` of tensors."""
    stems: list[str] = []
    taken: set[str] = set()
    for pair, image in enumerate(found.images.tolist()):
        name = Path(found.photographs[image].name).stem if found.photographs else str(image)
        stems.append(free_name(f"{name}-{found.label(pair)}".replace(" ", "_"), taken))
    return stems
