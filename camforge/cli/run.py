"""``camforge run`` and ``camforge bench``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from camforge.cli.completion import suites
from camforge.cli.shared import Cluster, ConfigFile, Device, Fresh, Overrides, Quiet, Workers, console

Launcher = Literal["none", "pytorch", "slurm"]


def run(
    config: ConfigFile,
    overrides: Overrides = None,
    work_dir: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where everything goes.", show_default="work/NAME")
    ] = None,
    device: Device = "auto",
    fresh: Fresh = False,
    quiet: Quiet = False,
    workers: Workers = 1,
    cluster: Cluster = None,
    launcher: Annotated[Launcher, typer.Option(help="What started this process as one of several.")] = "none",
) -> None:
    """Run an experiment. Stages that are finished in the work directory are picked up.

    \b
    Examples:
      camforge run quickstart
      camforge run mine.yaml --set seed=1 --set trainer.epochs=3
      camforge run mine.yaml --work-dir runs/a --device cuda:1 --workers 2
    """
    from camforge.pipeline.run import run as run_experiment
    from camforge.report.table import print_arms

    try:
        results = run_experiment(
            config, overrides=overrides or (), work_dir=work_dir, device=device, fresh=fresh, quiet=quiet,
            workers=workers, cluster=cluster, launcher=launcher,
        )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on where it was", err=True)
        raise typer.Exit(130) from None
    if launcher != "none" and int(os.environ["RANK"]) > 0:
        return  # the first process tells it
    print_arms(results.report_data, console())
    typer.echo(f"report: {results.report}")
    if results.failures:
        typer.echo(f"failed: {', '.join(results.failures)}; see {results.folder / 'failures.log'}", err=True)
        raise typer.Exit(1)


def bench(
    suite: Annotated[
        str | None,
        typer.Argument(
            metavar="SUITE", help="A name from --list, or a file.", show_default=False, autocompletion=suites
        ),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Say which suites there are and what they need.")] = False,
    small: Annotated[bool, typer.Option("--small", help="Of a paper the experiments for 2 processor cores.")] = False,
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Runs of each experiment: mean and spread.")] = 1,
    add: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND=NAME", help="A plugin that joins, such as extractor=mycam. May be repeated."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Photographs that a leaderboard measures on as well."),
    ] = None,
    row: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Make one recorded row again, by its key or EXPERIMENT/ROW, and compare it."),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The recorded rows.", show_default="of this suite, else those shipped"),
    ] = None,
    overrides: Overrides = None,
    work_dir: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where everything goes.", show_default="work/bench/SUITE")
    ] = None,
    device: Device = "auto",
    fresh: Fresh = False,
    quiet: Quiet = False,
    workers: Workers = 1,
    cluster: Cluster = None,
) -> None:
    """Run a suite of experiments. It makes one table, the papers' numbers beside the measured ones.

    \b
    Examples:
      camforge bench --list
      camforge bench paper001-table4-small --seeds 3
      camforge bench quickstart --add extractor=layercam
      camforge bench leaderboard --row partworld/gradcam
      camforge bench paper002 --small --device cuda
    """
    from camforge.types import CamForgeError

    if listed:
        return _list_suites()
    if suite is None:
        raise CamForgeError("which suite? camforge bench --list says what there is")
    if row is not None:
        return _again(scores or _recorded(suite, work_dir), row, overrides or (), device, quiet)

    from camforge.report.suite import print_suite
    from camforge.suite.run import bench as run_suite

    try:
        results = run_suite(
            suite, seeds=seeds, add=add or (), overrides=overrides or (), work_dir=work_dir, device=device,
            fresh=fresh, quiet=quiet, workers=workers, cluster=cluster, small=small,
            data=data,
        )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on where it was", err=True)
        raise typer.Exit(130) from None
    for table in results.tables:
        print_suite(table, console())
    typer.echo(f"page: {results.page}")
    for name, reason in results.failures.items():
        typer.echo(f"did not finish: {name}: {reason}", err=True)
    raise typer.Exit(1 if results.failures else 0)


def _recorded(suite: str, work_dir: Path | None) -> Path:
    """Where the rows of a suite are: in its own folder, else with CamForge."""
    from camforge.config.shipped import shipped
    from camforge.suite.catalogue import WORK, open_suite
    from camforge.suite.run import SCORES

    name = open_suite(suite).name
    own = (work_dir or WORK / name) / SCORES
    return own if own.is_dir() else shipped() / SCORES / name


def _again(scores: Path, key: str, overrides: Sequence[str], device: str, quiet: bool) -> None:
    """Make a row again; exit code 1 where a number differs."""
    from rich.table import Table

    from camforge.suite.again import again

    found = again(scores, key, overrides=overrides, device=device, quiet=quiet)
    typer.echo(f"{found.then.experiment}/{found.then.row}, key {found.then.key}")
    for what, (then, now) in found.surroundings.items():
        typer.echo(f"{what}: then {then}, now {now}")
    if not found.differences:
        typer.echo(f"the same to the last digit: {len(found.then.scores)} numbers, and the maps of {found.networks}")
        return
    table = Table("number", "then", "now")
    for name, pair in found.differences.items():
        table.add_row(name, *map(str, pair))
    console().print(table)
    raise typer.Exit(1)


def _list_suites() -> None:
    from rich.table import Column, Table

    from camforge.suite.catalogue import listing

    table = Table(Column("suite", no_wrap=True), "what it is", "data", "takes")
    for line in listing():
        data = "\n".join(name if there else f"{name} (missing)" for name, there in line.data.items())
        table.add_row(line.name, line.about, data, line.cost)
    console().print(table)
