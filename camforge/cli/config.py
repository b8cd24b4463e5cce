"""``camforge config``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from camforge.cli.shared import ConfigFile, Overrides, group

config = group("Experiment files: check them, see what they come to, their schema.")


@config.command("check")
def check_config(
    config: ConfigFile,
    overrides: Overrides = None,
    data: Annotated[
        bool, typer.Option("--data", help="Read the images too: what plugins need of them, and what they lack.")
    ] = False,
) -> None:
    """Say every mistake of an experiment file, with its line; run nothing. Exit code 2 where there is one."""
    from camforge.config.load import examine
    from camforge.types import CamForgeError

    loaded, error = examine(config, overrides or ())
    problems = [] if error is None else [str(error)]
    if data and loaded is not None:
        from camforge.pipeline.requirements import examine_data
        from camforge.progress.progress import Progress

        found = examine_data(loaded.experiment, Progress())
        problems += found.problems
        typer.echo("".join(f"note: {note}\n" for note in found.notes), nl=False)
    if problems or loaded is None:
        raise CamForgeError("\n".join(problems))
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
