"""A plugin that fails while an experiment runs ends its arm, and is named."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from camforge.files import DiskError
from camforge.host.errors import message_of
from camforge.host.registry import registry
from camforge.interfaces import Plugin
from camforge.types import CamForgeError

DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE})
"""Full, read-only, failing, a network's that went away, too many files open."""


@dataclass(frozen=True)
class Failure:
    """Why an arm ended early: one line, and the traceback for the plugin's author ("" where the line says it all)."""

    reason: str
    traceback: str = ""

    @classmethod
    def from_exception(cls, error: Exception) -> Failure:
        """What a person should read of an exception."""
        trace = "" if isinstance(error, CamForgeError) and error.__cause__ is None else _trace(error)
        return cls(str(error) if isinstance(error, CamForgeError) else message_of(error), trace)


@contextmanager
def blaming(plugin: Plugin) -> Iterator[None]:
    """Any exception inside but CamForgeError becomes one that names the plugin and the distribution it came with."""
    try:
        yield
    except CamForgeError:
        raise
    except Exception as error:
        if disk_fault(error):
            raise
        where = traceback.extract_tb(error.__traceback__)[-1]
        raise CamForgeError(
            f"{plugin.kind} {plugin.name!r} of {distribution_of(plugin)} failed: {type(error).__name__}: "
            f"{message_of(error)} ({where.filename}:{where.lineno})"
        ) from error


def disk_fault(error: BaseException | None) -> OSError | None:
    """The error of a full or failing disk behind an exception: no plugin's fault, and it affects every arm."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK:
            return error
        if isinstance(error, DiskError) and isinstance(error.__cause__, OSError):
            return error.__cause__  # whatever it is, such as a store that may not be read
        error = error.__cause__ or error.__context__
    return None


def distribution_of(plugin: Plugin) -> str:
    """What a plugin came with."""
    plugin_class = registry().plugins[plugin.kind].get(plugin.name)
    return plugin_class.distribution if plugin_class is not None else "this process"


def _trace(error: Exception) -> str:
    return "".join(traceback.format_exception(error))
