"""The hooks a plugin may implement: one per kind, each returns classes."""

import pluggy

from camforge.interfaces import Backbone, Dataset, Extractor, Fuser, Grouper, Metric, Trainer

hookspec = pluggy.HookspecMarker("camforge")


@hookspec
def camforge_datasets() -> list[type[Dataset]]:  # type: ignore[empty-body]
    """Dataset classes."""


@hookspec
def camforge_backbones() -> list[type[Backbone]]:  # type: ignore[empty-body]
    """Backbone classes."""


@hookspec
def camforge_groupers() -> list[type[Grouper]]:  # type: ignore[empty-body]
    """Grouper classes."""


@hookspec
def camforge_trainers() -> list[type[Trainer]]:  # type: ignore[empty-body]
    """Trainer classes."""


@hookspec
def camforge_extractors() -> list[type[Extractor]]:  # type: ignore[empty-body]
    """Extractor classes."""


@hookspec
def camforge_fusers() -> list[type[Fuser]]:  # type: ignore[empty-body]
    """Fuser classes."""


@hookspec
def camforge_metrics() -> list[type[Metric]]:  # type: ignore[empty-body]
    """Metric classes."""
