"""From an experiment file to an Experiment: read, merge, override, check; every mistake in one report."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from mmengine.config import Config
from pydantic import TypeAdapter, ValidationError

from camforge.config.check import check
from camforge.config.locations import DELETE, SourceLocation
from camforge.config.overrides import apply
from camforge.config.paths import resolve_paths
from camforge.config.schema import SHARED, Arm, Experiment, filled
from camforge.config.shipped import experiment_file
from camforge.config.sources import Source, shown, survey, without_marks
from camforge.host.errors import REQUIRED, KeyPath, Mistake, message_of, mistakes
from camforge.host.registry import registry
from camforge.types import CamForgeError


@dataclass(frozen=True)
class Loaded:
    """An experiment that was read.

    config    what the file, its bases and the overrides come to, as plain JSON values
    location  where each of these values stands
    """

    experiment: Experiment
    config: dict[str, Any]
    path: Path
    location: SourceLocation


class ConfigError(CamForgeError):
    """Every mistake of a config, one line each with its file and line."""

    def __init__(self, file: str, found: Sequence[Mistake], location: SourceLocation) -> None:
        placed = {
            (str(location.find(m.path)), m.path[-1:], m.problem): m for m in reversed(found)
        }  # written once, said once
        self.mistakes = tuple(reversed(placed.values()))
        lines = [f"{location.find(mistake.path)}: {mistake}" for mistake in self.mistakes]
        super().__init__(lines[0] if len(lines) == 1 else "\n  ".join([f"{file}: {len(lines)} mistakes", *lines]))


def load(path: str | Path, overrides: Sequence[str] = ()) -> Loaded:
    """Read and check an experiment. Raises CamForgeError with every mistake: file, line, key and what is allowed."""
    loaded, error = examine(path, overrides)
    if loaded is None or error is not None:
        raise error or CamForgeError(f"{path}: no experiment")
    return loaded


def examine(path: str | Path, overrides: Sequence[str] = ()) -> tuple[Loaded | None, ConfigError | None]:
    """The experiment, where it can be built, and its mistakes, where there are any: contradictory plugins give both.

    Raises CamForgeError where the file cannot be read.
    """
    path = experiment_file(path)
    config, location = read(path, overrides)
    file = shown(path)
    odd = list(_odd_values(config, ()))
    experiment, found = _validated(config)
    found = odd + [m for m in found if not any(m.path[: len(o.path)] == o.path for o in odd)]
    if experiment is not None and not found:
        found = _as_written(check(experiment), config)
    loaded = None if experiment is None else Loaded(experiment, config, path, location)
    return loaded, ConfigError(file, found, location) if found or experiment is None else None


def built(config: Mapping[str, Any], label: str) -> Experiment:
    """The experiment of a config that was written down, such as a manifest's. Raises CamForgeError."""
    experiment, found = _validated(dict(config))
    if experiment is None or found:
        raise CamForgeError(f"{label}: {'; '.join(map(str, found))}")
    return experiment


def read(path: str | Path, overrides: Sequence[str] = ()) -> tuple[dict[str, Any], SourceLocation]:
    """The config that a file, its bases and the overrides come to, not yet checked, and the places of its values.

    Files and folders that it names are absolute.
    """
    source = survey(experiment_file(path))
    values = _merged(source).to_dict()
    config = {
        name: _plain(value) for name, value in values.items() if not name.startswith("_") and name not in source.helpers
    }
    config, location = apply(overrides, config, source.location)
    resolve_paths(config, location)
    return config, location


def _merged(source: Source) -> Config:
    """mmengine's reading of a file and its bases, without its substitutions and imports."""
    with without_marks(source.files) as copies:
        try:
            return Config.fromfile(
                str(copies[source.files[-1]]), lazy_import=False, import_custom_modules=False,
                use_predefined_variables=False, use_environment_variables=False,
            )  # fmt: skip
        except (KeyboardInterrupt, CamForgeError):
            raise
        except BaseException as error:  # a python config may raise anything, SystemExit included
            message = message_of(error)
            if "cannot inherit from base" in message:
                raise _no_join(message.partition("=")[0], source) from None
            raise CamForgeError(f"{_raised_at(error, copies)}: {type(error).__name__}: {message}") from None


def _no_join(key: str, source: Source) -> CamForgeError:
    """mmengine merges a dict with a dict of the base file, and with nothing else."""
    place = next((location for path, location in source.location.walk() if path[-1:] == (key,)), source.location)
    return CamForgeError(
        f"{place}: {key}: cannot merge: the base value is not a dict; give all of them, and {DELETE}=True to replace it"
    )


def _raised_at(error: BaseException, copies: Mapping[Path, Path]) -> str:
    """The last line of the config's own files that the error passed."""
    files = {str(copy): file for file, copy in copies.items()}
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in files]
    return f"{shown(files[frames[-1].filename])}:{frames[-1].lineno}" if frames else shown(list(copies)[-1])


def _plain(value: Any) -> Any:
    """Tuples as lists, paths as text, mmengine's markers removed; anything else stays for the check."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items() if key != DELETE}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, PurePath) else value


def _odd_values(value: Any, path: KeyPath) -> Iterator[Mistake]:
    """What JSON does not know: a config must be able to be written down."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(key, str) and _is_utf8(key):
                yield from _odd_values(inner, (*path, key))
            else:
                yield Mistake(path, "keys are words", key)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _odd_values(inner, (*path, place))
    elif isinstance(value, str) and not _is_utf8(value):
        yield Mistake(path, "a text must be valid UTF-8", value)
    elif isinstance(value, float) and not math.isfinite(value):
        yield Mistake(path, "a number must be finite", value)
    elif not isinstance(value, str | int | float | bool | None):
        hint = "; the name of a helper variable starts with '_'" if len(path) == 1 else ""
        yield Mistake(path, f"not a plain value (text, number, truth, list, dict){hint}", value)


def _is_utf8(text: str) -> bool:
    """Whether a text can be written to a file: JSON's \\ud800 alone cannot."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _validated(config: dict[str, Any]) -> tuple[Experiment | None, list[Mistake]]:
    """The experiment, or every mistake; those of a section that stands for all arms once."""
    context = registry().context
    found: list[Mistake] = []
    for section in SHARED:
        if section in config:
            adapter = TypeAdapter(Arm.model_fields[section].rebuild_annotation())
            try:
                adapter.validate_python(config[section], context=context)
            except ValidationError as error:
                found += [Mistake((section, *m.path), m.problem, m.given) for m in mistakes(error, config[section])]
    experiment = None
    try:
        experiment = Experiment.model_validate(config, context=context)
    except ValidationError as error:
        found += _as_written(mistakes(error, filled(config)), config)
    return experiment, found


def _as_written(found: Sequence[Mistake], config: dict[str, Any]) -> list[Mistake]:
    """Mistakes of arms in what they share, at the place where it stands: ``arms.a.trainer.lr`` is ``trainer.lr``."""
    arms = config.get("arms")
    written = []
    for mistake in found:
        path, problem = mistake.path, mistake.problem
        if len(path) >= 3 and path[0] == "arms" and isinstance(arms, dict) and path[2] in SHARED:
            own = {name for name, arm in arms.items() if isinstance(arm, dict) and path[2] in arm}
            if path[1] not in own and path[2] in config:
                path = path[2:]
            elif not own and problem == REQUIRED:
                path, problem = path[2:], f"{problem}, here for all arms or in each of them"
        written.append(Mistake(path, problem, mistake.given))
    return written
