"""Nothing but Ctrl-C and an exit leaves the command line as a traceback."""

import sys
from collections.abc import Callable

import pytest

from camforge.cli import main as main_module

Camforge = Callable[..., "tuple[int, str, str]"]


class Mute(Exception):
    """It does not say what it is."""

    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("error", "said", "code"),
    [
        (RuntimeError("two\nlines"), "RuntimeError: two lines (", 70),
        (Mute(), "Mute: <Mute whose str() raises ValueError> (", 70),
        (RecursionError(), "RecursionError:  (", 70),
        (PermissionError(13, "Permission denied", "a/b"), "a/b: Permission denied\n", 2),
        (OSError("odd"), "OSError: odd (", 70),
    ],
)
def test_a_fault_is_one_line(
    camforge: Camforge, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str, code: int
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr(sys.modules["camforge.cli.main"], "app", fails)
    done = camforge("run")
    assert done[0] == code
    assert done[2].startswith(f"camforge: {said}")
    assert done[2].count("\n") == 1
    monkeypatch.setenv("CAMFORGE_TRACEBACK", "1")
    with pytest.raises(type(error)):
        main_module()
