"""What every plugin is: a frozen pydantic model whose fields are its options."""

from __future__ import annotations

import difflib
import inspect
import json
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.functional_validators import ModelWrapValidatorHandler
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError


class Options(BaseModel):
    """A frozen set of options. An unknown one is refused with the nearest match and the list of those there are."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, protected_namespaces=(), allow_inf_nan=False,
        use_attribute_docstrings=True,
    )  # fmt: skip

    renamed: ClassVar[Mapping[str, str]] = {}
    """Old option -> new one: an old name still works and warns, so that configs outlive a better word."""

    @classmethod
    def options(cls) -> list[str]:
        """The names of all options."""
        return list(cls.model_fields)

    @field_validator("*", mode="wrap")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        taken = handler(value)
        if _is_counted(value, taken):
            raise PydanticCustomError("truth", "a number is needed, not true or false")
        return taken

    @model_validator(mode="wrap")
    @classmethod
    def _say_what_is_allowed(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(_with_new_names(cls, value))
        except ValidationError as error:
            if any(e["type"] == "extra_forbidden" for e in error.errors(include_url=False)):
                raise _explained(error, cls) from None
            raise


class Plugin(Options):
    """A named piece of the pipeline. Its fields are the options in Python, config, JSON and the command line alike.

    A field whose type is an interface (``backbone: Backbone``) takes an instance or ``{"name": …, option: …}``.
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    version: ClassVar[str] = "1"
    """Part of every key in the store: raise it when the numbers of the plugin change."""
    api: ClassVar[str] = ""
    """The version of ``camforge.api`` that the plugin needs, such as "1.0"; empty: any."""

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(cls) or "").partition("\n")[0]

    def spec(self) -> dict[str, Any]:
        """Name and options as plain JSON values: what the plugin can be built from again."""
        values: dict[str, Any] = json.loads(self.model_dump_json())
        return values

    @model_serializer(mode="plain")
    def _with_name(self) -> dict[str, Any]:
        return {"name": self.name} | {field: getattr(self, field) for field in type(self).model_fields}

    @model_validator(mode="wrap")
    @classmethod
    def _by_name(cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        if isinstance(value, cls):
            return handler(value)
        if not inspect.isabstract(cls):
            return handler(_without_name(cls, value))
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict):
            raise PydanticCustomError("plugin", f'give the {cls.kind} by name or as {{"name": …, option: …}}')
        if info.context is None or "build" not in info.context:
            raise PydanticCustomError("no_registry", f"a {cls.kind} by name needs camforge.build(); got {value!r}")
        plugin: Self = info.context["build"](cls.kind, value)  # the errors of its options keep their place
        return plugin


def choices(wrong: Any, known: Iterable[str], label: str = "known") -> str:
    """``did you mean 'x'? known: x, y``: the nearest match, if there is one, and the whole list."""
    names = sorted(known)
    return f"{nearest(wrong, names)}{label}: {', '.join(names) or 'none'}"


def nearest(wrong: Any, known: Iterable[str]) -> str:
    """``did you mean 'x'? ``, or nothing: where the whole list would be too long to tell."""
    near = difflib.get_close_matches(str(wrong), sorted(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def _is_counted(given: Any, taken: Any) -> bool:
    """Whether True was taken for 1 somewhere in a value: Python takes it so, but no config means it."""
    if isinstance(given, bool):
        return isinstance(taken, int | float) and not isinstance(taken, bool)
    if isinstance(given, list | tuple) and isinstance(taken, list | tuple):
        return any(map(_is_counted, given, taken))
    if isinstance(given, Mapping) and isinstance(taken, Mapping):
        return any(_is_counted(given[key], taken.get(key)) for key in given)
    return False


def _with_new_names(cls: type[Options], value: Any) -> Any:
    if not (cls.renamed and isinstance(value, Mapping)):
        return value
    for old in cls.renamed.keys() & value.keys():
        new = cls.renamed[old]
        if new in value:
            raise PydanticCustomError("renamed", f"{old} is the old name of {new}: give one of the two")
        warnings.warn(
            f"{cls.__name__}: option {old!r} is now {new!r}; the old name will go", FutureWarning, stacklevel=2
        )
    return {cls.renamed.get(name, name): option for name, option in value.items()}


def _without_name(cls: type[Plugin], value: Any) -> Any:
    if isinstance(value, dict) and value.get("name") == cls.name:
        return {key: option for key, option in value.items() if key != "name"}
    return value


def _explained(error: ValidationError, cls: type[Options]) -> ValidationError:
    """The same errors; those of unknown options tell the options of ``cls``."""
    lines = [_as_line(e, cls) for e in error.errors(include_url=False)]
    return ValidationError.from_exception_data(cls.__name__, lines)


def _as_line(error: ErrorDetails, cls: type[Options]) -> InitErrorDetails:
    kind, message = error["type"], error["msg"]
    if kind == "extra_forbidden" and len(error["loc"]) == 1:
        kind = "unknown_option"
        message = f"unknown option; {choices(error['loc'][-1], cls.options(), 'options')}"
    return InitErrorDetails(type=PydanticCustomError(kind, message), loc=error["loc"], input=error["input"])
