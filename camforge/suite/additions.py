"""``--add extractor=mycam``: a plugin joins the experiments of a suite as one more arm, a metric as more columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from camforge.config.sources import plain_yaml
from camforge.host.describe import SECTIONS
from camforge.types import CamForgeError

KINDS = ("grouper", "trainer", "extractor", "fuser", "metric")
"""Of the plugins that can join."""


@dataclass(frozen=True)
class Addition:
    """One plugin that joins: its kind and what a config would say of it."""

    kind: str
    spec: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> Addition:
        """``kind=name`` or ``kind={name: …, option: …}``."""
        kind, equals, value = text.partition("=")
        spec, _ = plain_yaml(value, f"--add {text}")
        if isinstance(spec, str):
            spec = {"name": spec}
        if not equals or not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
            raise CamForgeError(f"--add {text}: write --add kind=name, or --add 'kind={{name: …, option: …}}'")
        if kind not in KINDS:
            raise CamForgeError(f"--add {text}: kinds that can join: {', '.join(KINDS)}")
        return cls(kind, spec)

    def override(self, config: Mapping[str, Any]) -> str:
        """The ``key=value`` that adds the plugin to an experiment: the first arm with this plugin in its place.

        A trainer takes over the options of the one it replaces (its backbone, epochs …); a fuser comes last.
        """
        if self.kind == "metric":
            return f"metrics={json.dumps([*config['metrics'], self.spec])}"
        first = dict(next(iter(config["arms"].values())) or {})
        section = SECTIONS[self.kind]
        before = first.get(section, config.get(section))
        if self.kind == "fuser":
            first[section] = [*(before or []), self.spec]
        elif self.kind == "trainer" and isinstance(before, Mapping):
            first[section] = {**before, **self.spec}
        else:
            first[section] = self.spec
        first["note"] = f"joined by --add {self.kind}={self.written}"
        return f"arms.{self._arm(config['arms'])}={json.dumps(first)}"

    @property
    def written(self) -> str:
        """The plugin as a command line takes it: its name, with its options where some were given."""
        options = yaml.safe_dump(dict(self.spec), default_flow_style=True, sort_keys=False, width=10**6).strip()
        return str(self.spec["name"]) if len(self.spec) == 1 else options

    def _arm(self, arms: Mapping[str, Any]) -> str:
        """A name that no arm has."""
        name = str(self.spec["name"])
        if name in arms:
            raise CamForgeError(f"--add {self.kind}={name}: there is an arm of that name already")
        return name


def overrides_of(additions: Sequence[Addition], config: Mapping[str, Any]) -> list[str]:
    """One override per plugin; several metrics join one another."""
    config = {**config, "arms": dict(config["arms"])}
    overrides = []
    for addition in additions:
        overrides.append(addition.override(config))
        if addition.kind == "metric":
            config["metrics"] = [*config["metrics"], addition.spec]
    return overrides
