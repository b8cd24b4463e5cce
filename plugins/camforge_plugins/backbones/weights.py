"""State-dict files that users name: read as data, checked against the network before anything is loaded."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from camforge.api import CamForgeError

_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")  # heads of GoogLeNet and Inception that only their training uses


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a file made by ``torch.save(model.state_dict(), path)``, also under "state_dict" or "model".

    Raises CamForgeError where the file wants to run code, cannot be read or holds something else.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise CamForgeError(f"weights {str(path)!r}: {_reason(str(error))}") from None
    except (OSError, RuntimeError) as error:
        raise CamForgeError(f"weights {str(path)!r} cannot be read: {str(error).partition('. ')[0]}") from None
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not (isinstance(content, Mapping) and content and all(isinstance(v, Tensor) for v in content.values())):
        raise CamForgeError(f"weights {str(path)!r} hold a {type(content).__name__}, not a state dict (name -> tensor)")
    if odd := [f"{name} ({kind})" for name, value in content.items() if (kind := _odd_kind(value))]:
        raise CamForgeError(_some(f"weights {str(path)!r} hold tensors that are no plain numbers", odd))
    return {str(name).removeprefix("module."): value for name, value in content.items()}


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


def load_into(model: nn.Module, given: Mapping[str, Tensor], head: str, label: str) -> None:
    """Load in float32, all or nothing. A head that is absent or has another shape is left as the model starts it.

    Raises CamForgeError that names the first three tensors that are missing, unexpected or of another shape.
    """
    own = model.state_dict()
    given = {name: value for name, value in given.items() if not name.startswith(_AUXILIARY)}
    parts = [name for name in own if name.rpartition(".")[0] == head]
    if any(name not in given or given[name].shape != own[name].shape for name in parts):
        given = {name: value for name, value in given.items() if name not in parts} | {n: own[n] for n in parts}
    missing = [n for n in own if n not in given and not n.endswith("num_batches_tracked")]
    unexpected = [n for n in given if n not in own]
    shapes = [
        f"{n} {_shape(given[n])} instead of {_shape(own[n])}"
        for n in own
        if n in given and given[n].shape != own[n].shape
    ]
    wrong = [("missing", missing), ("unexpected", unexpected), ("of another shape", shapes)]
    if any(names for _, names in wrong):
        raise CamForgeError(f"{label} belong to another architecture: " + "; ".join(_some(*w) for w in wrong if w[1]))
    model.load_state_dict({n: v.to(own[n].dtype) for n, v in given.items()}, strict=False)


def _shape(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "scalar"


def _some(what: str, names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{what}: {', '.join(names[:3])}{more}"
