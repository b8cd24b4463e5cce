"""MATLAB files as plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from camforge.api import CamForgeError


def read_mat(path: Path, key: str) -> list[Any]:
    """A variable of a .mat file as a list: of strings, numbers, or structs as dictionaries.

    Raises CamForgeError where the file is missing, damaged, or holds no such variable.
    """
    from scipy.io import loadmat  # takes a fifth of a second, which a list of plugins does not need

    if not path.is_file():
        raise CamForgeError(f"{path} is missing")
    try:
        content = loadmat(path, simplify_cells=True, variable_names=[key])
    except Exception as error:  # a damaged file takes SciPy anywhere
        said = str(error).splitlines()
        raise CamForgeError(f"{path}: cannot be read as a MATLAB file ({said[0] if said else error!r})") from None
    if key not in content:
        raise CamForgeError(f"{path}: there is no variable {key!r}")
    values = content[key]
    return list(values) if hasattr(values, "__len__") and not isinstance(values, str | dict) else [values]
