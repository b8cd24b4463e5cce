"""``camforge config``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from camforge.cli.shared import ConfigFile, Overrides, group

config = group(
    "Experiment files: check them, see what they come to.",
    "camforge config check mine.yaml",
    "camforge config show quickstart",
)


@config.command("check")
def check_config(
    config: ConfigFile,
    overrides: Overrides = None,
    data: Annotated[
        bool, typer.Option("--data", help="Read the images too: what plugins need of them, and what they lack.")
    ] = False,
) -> None:
    """Say every mistake of an experiment file, with its line. Nothing runs. Exit code 2 where there is one.

    \b
    Examples:
      camforge config check mine.yaml
      camforge config check quickstart --set trainer.epochs=two
      camforge config check mine.yaml --data
    """
    from camforge.config.load import examine
    from camforge.types import CamForgeError

    loaded, error = examine(config, overrides or ())
    problems = [] if error is None else [str(error)]
    if data and loaded is not None:
        from camforge.config.paths import absent_files
        from camforge.pipeline.requirements import examine_data
        from camforge.progress.progress import Progress

        found = examine_data(loaded.experiment, Progress())
        problems += [*absent_files(loaded.config, loaded.location), *found.problems]
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
    """Show every value of a file, and where it comes from. Defaults are included.

    \b
    Examples:
      camforge config show quickstart
      camforge config show mine.yaml --diff quickstart
    """
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
    """Print the JSON Schema of an experiment. It knows every installed plugin; editors complete and check with it.

    \b
    Examples:
      camforge config schema > experiment.schema.json
    """
    from camforge.config.json_schema import experiment_schema
    from camforge.host.registry import registry

    typer.echo(json.dumps(experiment_schema(registry()), indent=2, ensure_ascii=False))
