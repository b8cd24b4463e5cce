"""The JSON Schema of a whole experiment with every installed plugin."""

from __future__ import annotations

from typing import Any

from camforge.config.schema import SHARED, Experiment
from camforge.host.registry import Registry
from camforge.interfaces import KINDS

Schema = dict[str, Any]


def experiment_schema(registry: Registry) -> Schema:
    """What editors need to complete and check a config: a plugin is its name, or its name with its own options."""
    schema = Experiment.model_json_schema()
    definitions: Schema = schema["$defs"]
    for kind, interface in KINDS.items():
        members = [_plugin(registry, kind, name, definitions) for name in sorted(registry.plugins[kind])]
        names = {"enum": sorted(registry.plugins[kind])}
        definitions[interface.__name__] = {"title": interface.__name__, "anyOf": [names, *members]}
    arm = definitions["Arm"]
    arm["required"] = []
    arms = schema["properties"]["arms"]
    arms["additionalProperties"] = {"anyOf": [arms["additionalProperties"], {"type": "null"}]}
    shared = {section: arm["properties"][section] for section in SHARED}
    base = {"title": "Base files", "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    schema["properties"] |= shared | {"_base_": base}
    schema["patternProperties"] = {"^_": {"description": "a variable of the file's own"}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _plugin(registry: Registry, kind: str, name: str, definitions: Schema) -> Schema:
    """Put one plugin's schema among the definitions, its name in the place of a type."""
    schema = registry.plugins[kind][name].cls.model_json_schema()
    interfaces = {interface.__name__ for interface in KINDS.values()}
    for label, definition in schema.pop("$defs", {}).items():
        if label not in interfaces:
            definitions[label] = definition
    schema["properties"] = {"name": {"const": name}, **schema.get("properties", {})}
    schema["required"] = ["name", *schema.get("required", [])]
    definitions[f"{kind}.{name}"] = schema
    return {"$ref": f"#/$defs/{kind}.{name}"}
