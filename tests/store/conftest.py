"""A stand-in stage."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from camforge.store.store import Store, digest

Commit = Callable[..., Path]


def write(draft: Path, text: str = "alpha") -> None:
    (draft / "a.txt").write_text(text)


@pytest.fixture
def commit() -> Commit:
    """commit(store, recipe, write): an entry of stage "stage", under the recipe's digest."""

    def committed(store: Store, recipe: Mapping[str, Any] | None = None, write: Callable[[Path], None] = write) -> Path:
        return store.commit("stage", digest(recipe or {}), recipe or {}, write)

    return committed
