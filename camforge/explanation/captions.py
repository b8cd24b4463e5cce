"""What was done and what is shown, in the words of the person who asked."""

from __future__ import annotations

from collections.abc import Sequence

from camforge.interfaces import Plugin


def method_text(plugin: Plugin, nested: bool = True) -> str:
    """A plugin by name with the options that differ from their defaults: ``layercam(layers=stages, truncate=20)``.

    nested  also options that are plugins themselves
    """
    defaults = {name: field.get_default() for name, field in type(plugin).model_fields.items()}
    values = {
        name: getattr(plugin, name) for name in defaults if nested or not isinstance(getattr(plugin, name), Plugin)
    }
    changed = [f"{name}={_value(value)}" for name, value in values.items() if value != defaults[name]]
    return f"{plugin.name}({', '.join(changed)})" if changed else plugin.name


def _value(value: object) -> str:
    if isinstance(value, Plugin):
        return method_text(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_value, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
