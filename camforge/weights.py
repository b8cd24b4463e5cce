"""State-dict files that users name: read as data, found under the usual wrappers, checked before anything is loaded."""

from __future__ import annotations

import argparse
import os
import pathlib
import pickle
import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from camforge.types import CamForgeError

_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")  # heads of GoogLeNet and Inception that only their training uses
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights", "params")
_NO_WEIGHTS = re.compile(r"optim|sched|scaler|rng_state|loops|callbacks")  # what a checkpoint keeps beside the network
# What training scripts save beside their weights; building one of these runs no code of the file.
_HARMLESS: list[Any] = [
    argparse.Namespace, pathlib.PosixPath, np.dtype, *{type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8")},
    np.float64(0).__reduce__()[0],
]  # fmt: skip


class WeightsWarning(UserWarning):
    """A file holds the network's weights more than once: which were read, and how to name the others."""


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a file by name, read as data: of ``torch.save`` or safetensors, alone or in a training checkpoint.

    path  a file, or ``FILE:NAME`` for what the checkpoint holds under a name or prefix, such as last.pth:model_ema.
          Without a name: the one state dict there is, or that under state_dict, model_state_dict, model, net, …
    Raises CamForgeError where the file wants to run code, cannot be read, holds something else, or several networks.
    """
    file, name = _split(str(path))
    content = _read(file)
    found = _state_dicts(content)
    state = _named(found, name, file) if name else _chosen(found, file, content)
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    if odd := [f"{key} ({kind})" for key, value in tensors.items() if (kind := _odd_kind(value))]:
        raise CamForgeError(_some(f"weights {file!r} hold tensors that are not plain numbers", odd))
    return tensors


def weights_file(path: str | Path) -> Path | None:
    """The file that FILE, or FILE:NAME with one of its networks, names; None where there is none."""
    file = Path(_split(str(path))[0])
    return file if os.path.isfile(file) else None


def is_weights_file(path: str | Path) -> bool:
    """Whether ``path`` is a file, or a file with the name of one of its networks: FILE:NAME."""
    return weights_file(path) is not None


def head_outputs(given: Mapping[str, Tensor], model: nn.Module, head: str) -> int | None:
    """How many outputs the weights' own head has; None where they have none. The model may be on the meta device."""
    weight = _matched(given, model.state_dict(), head, "weights")[0].get(f"{head}.weight")
    return None if weight is None or weight.dim() < 2 else int(weight.shape[0])


def load_state_dict(model: nn.Module, given: Mapping[str, Tensor], head: str, label: str, new_head: bool) -> None:
    """Load in float32, all or nothing, whatever prefix the names have: module., _orig_mod., model., net., …

    new_head  a head that is absent or has another shape is left as the model starts it, for training; else an error
    Raises CamForgeError that names the first three tensors that are missing, unexpected or of another shape.
    """
    own = model.state_dict()
    fitting, unexpected = _matched(given, own, head, label)
    parts = [name for name in own if name.rpartition(".")[0] == head]
    if new_head and any(name not in fitting or fitting[name].shape != own[name].shape for name in parts):
        fitting |= {name: own[name] for name in parts}
    missing = [n for n in own if n not in fitting and not n.endswith("num_batches_tracked")]
    shapes = [f"{n} {_shape(v)} instead of {_shape(own[n])}" for n, v in fitting.items() if v.shape != own[n].shape]
    wrong = [("missing", missing), ("unexpected", unexpected), ("of another shape", shapes)]
    if any(names for _, names in wrong):
        raise CamForgeError(f"{label} belong to another architecture: " + "; ".join(_some(*w) for w in wrong if w[1]))
    model.load_state_dict({n: v.to(own[n].dtype) for n, v in fitting.items()}, strict=False)


def _split(path: str) -> tuple[str, str]:
    file, colon, name = path.rpartition(":")  # os.path answers for what is too long for a path, too
    return (file, name) if colon and not os.path.exists(path) and os.path.isfile(file) else (path, "")


def _read(file: str) -> object:
    try:
        if _is_safetensors(Path(file)):
            from safetensors.torch import load_file

            return load_file(file)
        with torch.serialization.safe_globals(_HARMLESS):
            return torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise CamForgeError(f"weights {file!r}: {_reason(str(error))}") from None
    except Exception as error:  # OSError, RuntimeError, and safetensors' own
        if "TorchScript" in str(error):
            raise CamForgeError(f"weights {file!r} are a TorchScript program; save the model's state_dict()") from None
        said = str(error).splitlines()[0].partition(". ")[0]
        raise CamForgeError(f"weights {file!r} cannot be read: {said}") from None


def _is_safetensors(file: Path) -> bool:
    """By its first bytes: the length of a JSON header, then the header."""
    with file.open("rb") as content:
        start = content.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") < file.stat().st_size


def _state_dicts(content: object, place: str = "") -> dict[str, Mapping[str, object]]:
    """Every mapping of names to tensors in a checkpoint, by its place there, such as "state_dict"."""
    if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
        return {}
    if any(isinstance(value, Tensor) and value.dim() for value in content.values()):
        return {place: content}
    found: dict[str, Mapping[str, object]] = {}
    for key, value in content.items():
        if not _NO_WEIGHTS.search(key):
            found |= _state_dicts(value, f"{place}.{key}" if place else key)
    return found


def _named(found: Mapping[str, Mapping[str, object]], name: str, file: str) -> Mapping[str, object]:
    """What stands under a name, or the tensors whose names begin with it."""
    if name in found:
        return found[name]
    for state in found.values():
        if below := {k.removeprefix(f"{name}."): v for k, v in state.items() if k.startswith(f"{name}.")}:
            return below
    raise CamForgeError(f"weights {file!r} hold nothing called {name!r}; they hold {', '.join(found) or 'no tensors'}")


def _chosen(found: Mapping[str, Mapping[str, object]], file: str, content: object) -> Mapping[str, object]:
    if not found:
        kind = type(content).__name__
        raise CamForgeError(f"weights {file!r} hold a {kind}, not a state dict (name -> tensor)")
    usual = [place for place in found if place.rpartition(".")[2] in _WRAPPERS]
    place = usual[0] if len(usual) == 1 else next(iter(found))
    others = [other for other in found if other != place]
    if others and len(usual) != 1:
        raise CamForgeError(f"weights {file!r} hold {', '.join(found)}: name one, as in {Path(file).name}:{others[-1]}")
    if averaged := [other for other in others if "ema" in other]:
        said = f"weights {file!r}: {place} is read; for the averaged ones give {Path(file).name}:{averaged[0]}"
        warnings.warn(said, WeightsWarning, stacklevel=3)
    return found[place]


def _matched(
    given: Mapping[str, Tensor], own: Mapping[str, Tensor], head: str, label: str
) -> tuple[dict[str, Tensor], list[str]]:
    """The given tensors under the model's names, and the names under the same prefix that the model has not.

    A head that stands elsewhere under its own name, as beside a ``backbone.``, is found where there is but one.
    """
    prefix = _prefix(given, own, label)
    below = {n.removeprefix(prefix): v for n, v in given.items() if n.startswith(prefix)}
    for name in (n for n in own if n.rpartition(".")[0] == head and n not in below):
        elsewhere = [n for n in given if n.endswith(f".{name}")]
        if prefix and len(elsewhere) == 1:
            below[name] = given[elsewhere[0]]
    extra = [n for n, v in below.items() if n not in own and v.dim() and not n.startswith(_AUXILIARY)]
    return {n: v for n, v in below.items() if n in own}, extra


def _prefix(given: Mapping[str, Tensor], own: Mapping[str, Tensor], label: str) -> str:
    """What stands before most of the model's names; "" where most names are not found."""
    counts: Counter[str] = Counter()
    for name in given:
        parts = name.split(".")
        for k in range(len(parts)):
            if ".".join(parts[k:]) in own:
                counts["".join(f"{part}." for part in parts[:k])] += 1
    if not counts or 2 * max(counts.values()) < len(own):
        return ""
    best = [prefix for prefix, count in counts.items() if count == max(counts.values())]
    plain = [prefix for prefix in best if "ema" not in prefix] or best
    if len(plain) > 1:
        names = ", ".join(prefix.rstrip(".") or "no prefix" for prefix in plain)
        raise CamForgeError(f"{label} hold the network {len(plain)} times, under {names}: name one, as in FILE:NAME")
    return plain[0]


def _odd_kind(value: Tensor) -> str:
    """What keeps a tensor from being read as float32 numbers; empty where nothing does."""
    kinds = {
        "without data": value.is_meta, "quantized": value.is_quantized, "complex": value.is_complex(),
        "sparse": value.layout != torch.strided,
    }  # fmt: skip
    return next((kind for kind, so in kinds.items() if so), "")


def _reason(message: str) -> str:
    found = re.search(r"(?:GLOBAL|global:?)\s+([A-Za-z_][\w.]*\.\w+)", message)
    if found:
        return f"the file wants to run code ({found[1]}) and was refused; save a state dict instead"
    return "not a file of tensors saved by PyTorch, refused"


def _shape(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "scalar"


def _some(what: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{what}: {', '.join(names[:3])}{more}"
