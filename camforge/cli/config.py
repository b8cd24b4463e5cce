"""``camforge config``."""

from __future__ import annotations

import json

import typer

from camforge.cli.shared import ConfigFile, Overrides, group

config = group("Experiment files: check them, see what they come to, their schema.")


@config.command("check")
def check_config(config: ConfigFile, overrides: Overrides = None) -> None:
    """Say every mistake of an experiment file, with its line; run nothing."""
    from camforge.config.load import load

    loaded = load(config, overrides or ())
    arms = ", ".join(loaded.experiment.arms)
    typer.echo(f"{config}: no mistakes. Experiment {loaded.experiment.name!r}, arms: {arms}")


@config.command("show")
def show_config(config: ConfigFile, overrides: Overrides = None) -> None:
    """What a file comes to after its bases and overrides, and where each value came from."""
    from camforge.config.load import values_with_places

    for key, value, place in values_with_places(config, overrides or ()):
        typer.echo(f"{key} = {json.dumps(value, ensure_ascii=False)}  # {place}")


@config.command()
def schema() -> None:
    """The JSON Schema of an experiment with every installed plugin, for editors that complete and check."""
    from camforge.config.json_schema import experiment_schema
    from camforge.host.registry import registry

    typer.echo(json.dumps(experiment_schema(registry()), indent=2, ensure_ascii=False))
