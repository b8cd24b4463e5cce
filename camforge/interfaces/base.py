"""What every plugin is: a frozen pydantic model whose fields are its options."""

from __future__ import annotations

import inspect
import json
from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

NESTED = "camforge_options"  # error type that carries the errors of a nested plugin, flattened by the reporter


class Plugin(BaseModel):
    """A named piece of the pipeline. Its fields are the options in Python, config, JSON and the command line alike.

    A field whose type is an interface (``backbone: Backbone``) takes an instance or ``{"name": …, option: …}``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, protected_namespaces=())

    kind: ClassVar[str]
    name: ClassVar[str]
    version: ClassVar[str] = "1"
    """Part of every key in the store: raise it when the numbers of the plugin change."""

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(cls) or "").partition("\n")[0]

    def spec(self) -> dict[str, Any]:
        """Name and options as plain JSON values: what the plugin can be built from again."""
        return json.loads(self.model_dump_json())

    @model_serializer(mode="plain")
    def _with_name(self) -> dict[str, Any]:
        return {"name": self.name} | {field: getattr(self, field) for field in type(self).model_fields}

    @model_validator(mode="wrap")
    @classmethod
    def _by_name(cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        if not inspect.isabstract(cls):
            return handler(_without_name(cls, value))
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict):
            return handler(value)
        if info.context is None or "build" not in info.context:
            raise PydanticCustomError("no_registry", f"a {cls.kind} by name needs camforge.build(); got {value!r}")
        try:
            return info.context["build"](cls.kind, value)
        except ValidationError as error:
            raise PydanticCustomError(NESTED, "wrong options", {"errors": error.errors()}) from None


def _without_name(cls: type[Plugin], value: Any) -> Any:
    if isinstance(value, dict) and value.get("name") == cls.name:
        return {key: option for key, option in value.items() if key != "name"}
    return value
