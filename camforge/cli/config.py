"""``camforge config``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

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
def show_config(
    config: ConfigFile,
    overrides: Overrides = None,
    diff: Annotated[
        Path | None, typer.Option("--diff", metavar="OTHER", help="Only what differs: - in OTHER, + in CONFIG.")
    ] = None,
) -> None:
    """Every value that a file comes to, defaults included, and where each comes from."""
    from camforge.config.show import ShownValue, differences, shown_values

    def line(shown: ShownValue) -> str:
        return f"{shown.key} = {json.dumps(shown.value, ensure_ascii=False)}  # {shown.origin}"

    values = shown_values(config, overrides or ())
    if diff is None:
        lines = [line(shown) for shown in values]
    else:
        lines = [f"{sign} {line(shown)}" for sign, shown in differences(shown_values(diff), values)]
    typer.echo("\n".join(lines) or "no difference")


@config.command()
def schema() -> None:
    """The JSON Schema of an experiment with every installed plugin, for editors that complete and check."""
    from camforge.config.json_schema import experiment_schema
    from camforge.host.registry import registry

    typer.echo(json.dumps(experiment_schema(registry()), indent=2, ensure_ascii=False))
