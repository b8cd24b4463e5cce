"""The command line: parse, call, print. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    name="camforge", no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None, add_completion=False,
    help="Class activation maps as experiments: group, train, extract, fuse, measure - every step a plugin.",
)  # fmt: skip
plugins = typer.Typer(no_args_is_help=True, help="What is installed: list it, look at one, check it, start a new one.")
config = typer.Typer(no_args_is_help=True, help="Experiment files: check them, see what they come to, their schema.")
app.add_typer(plugins, name="plugins")
data = typer.Typer(no_args_is_help=True, help="An experiment's images: check them, look at them.")
store = typer.Typer(no_args_is_help=True, help="Finished stages: list them, verify them, throw some away.")
app.add_typer(config, name="config")
app.add_typer(data, name="data")
app.add_typer(store, name="store")

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="A .py, .yaml or .json file.", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set one value, such as trainer.epochs=3. May be repeated."),
]
Launcher = Literal["none", "pytorch", "slurm"]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]


def _version(wanted: bool) -> None:
    if wanted:
        from camforge import __version__

        typer.echo(f"camforge {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say it.")] = False,
) -> None:
    del version


def main() -> None:
    """Run the command line; a mistake of the user is one message and exit code 2, no traceback."""
    try:
        app()
    except Exception as error:
        from camforge.types import CamForgeError

        if not isinstance(error, CamForgeError):
            raise
        print(f"camforge: {error}", file=sys.stderr)
        sys.exit(2)


@app.command()
def run(
    config: ConfigFile,
    overrides: Overrides = None,
    work_dir: Annotated[Path | None, typer.Option(help="Where everything goes.", show_default="work/NAME")] = None,
    device: Device = "auto",
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what earlier runs finished.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing until the end.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Networks trained side by side, in processes.")] = 1,
    launcher: Annotated[Launcher, typer.Option(help="What started this process as one of several.")] = "none",
) -> None:
    """Run an experiment; stages that are finished in the work directory are picked up."""
    from camforge.experiment.run import run as run_experiment
    from camforge.report.table import print_arms

    try:
        results = run_experiment(
            config, overrides=overrides or (), work_dir=work_dir, device=device, fresh=fresh, quiet=quiet,
            workers=workers, launcher=launcher,
        )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on where it was", err=True)
        raise typer.Exit(130) from None
    if launcher != "none" and int(os.environ["RANK"]) > 0:
        return  # the first process tells it
    print_arms(results.story, _console())
    typer.echo(f"report: {results.report}")
    if results.failures:
        typer.echo(f"failed: {', '.join(results.failures)}; see {results.folder / 'failures.log'}", err=True)
        raise typer.Exit(1)


@app.command()
def bench(
    suite: Annotated[str | None, typer.Argument(help="A name from --list, or a file.", show_default=False)] = None,
    listed: Annotated[bool, typer.Option("--list", help="Say which suites there are and what they need.")] = False,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each experiment: mean and spread.")] = 1,
    add: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND=NAME", help="A plugin that joins, such as extractor=mycam. May be repeated."),
    ] = None,
    overrides: Overrides = None,
    work_dir: Annotated[
        Path | None, typer.Option(help="Where everything goes.", show_default="work/bench/SUITE")
    ] = None,
    device: Device = "auto",
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what earlier runs finished.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing until the end.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Networks trained side by side, in processes.")] = 1,
) -> None:
    """Run a suite of experiments: one table, the papers' numbers beside the measured ones."""
    from camforge.types import CamForgeError

    if listed:
        return _list_suites()
    if suite is None:
        raise CamForgeError("which suite? camforge bench --list says what there is")

    from camforge.report.suite import print_suite
    from camforge.suite.run import bench as run_suite

    try:
        results = run_suite(
            suite, seeds=seeds, add=add or (), overrides=overrides or (), work_dir=work_dir, device=device,
            fresh=fresh, quiet=quiet, workers=workers,
        )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on where it was", err=True)
        raise typer.Exit(130) from None
    for table in results.tables:
        print_suite(table, _console())
    typer.echo(f"page: {results.page}")
    for name, reason in results.failures.items():
        typer.echo(f"did not finish: {name}: {reason}", err=True)
    raise typer.Exit(1 if results.failures else 0)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="WORKDIR", help="A finished experiment's.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The folder to make.", show_default=False)],
    arm: Annotated[str | None, typer.Option(help="Which arm.", show_default="the first")] = None,
    split: Annotated[str, typer.Option(help="train or val.")] = "train",
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Of the maximum of each map.")] = 0.15,
    device: Device = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing until the end.")] = False,
) -> None:
    """Seeds for the next step: masks (PNG), boxes (COCO's JSON) and raw maps (npz) of a finished experiment."""
    from camforge.experiment.export import export as export_arm

    made = export_arm(folder, out, arm=arm, split=split, threshold=threshold, device=device, quiet=quiet)
    typer.echo(f"{made.images} images, {made.boxes} boxes, {made.shards} files of maps: {out}")


@app.command()
def oracle(
    folder: Annotated[Path, typer.Argument(metavar="WORKDIR", help="A finished experiment's.", show_default=False)],
    arm: Annotated[str | None, typer.Option(help="One that pairs classes.", show_default="the last")] = None,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Of the maximum of each map.")] = 0.15,
    device: Device = "auto",
) -> None:
    """ORACLE: the best pairs of each class, judged by the validation masks. A bound, no method."""
    from rich.table import Table

    from camforge.experiment.oracle import oracle as find

    found = find(folder, arm, threshold, device)
    table = Table("IoU, percent", *found.classes, "mean")
    for name, values in found.rows():
        table.add_row(name, *("–" if value != value else f"{value:.1f}" for value in values))
    _console().print(table)
    typer.echo(f"written: {folder / 'oracle.csv'}")


@app.command()
def sanity(
    folder: Annotated[Path, typer.Argument(metavar="WORKDIR", help="A finished experiment's.", show_default=False)],
    arm: Annotated[list[str] | None, typer.Option(help="May be repeated.", show_default="all")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the new parameters.")] = 0,
    device: Device = "auto",
) -> None:
    """How much the maps change when the network's parameters are lost, from the head down: 1 not at all."""
    from rich.table import Table

    from camforge.experiment.sanity import sanity as find

    found = find(folder, arm or (), seed=seed, device=device)
    table = Table("arm", "likeness", *found.steps)
    for name, measure, numbers in found.rows():
        table.add_row(name, measure, *(f"{number:.2f}" for number in numbers))
    _console().print(table)
    typer.echo(f"written: {folder / 'sanity.csv'}")


def _list_suites() -> None:
    from rich.table import Table

    from camforge.suite.catalogue import listing

    table = Table("suite", "what it is", "data", "takes")
    for line in listing():
        data = "\n".join(name if there else f"{name} (missing)" for name, there in line.data.items())
        table.add_row(line.name, line.about, data, line.cost)
    _console().print(table)


@app.command()
def explain(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Photographs.", show_default=False)],
    model: Annotated[str, typer.Option(help="A backbone plugin or a classifier of torchvision.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The folder for the pictures.", show_default=False)],
    weights: Annotated[str | None, typer.Option(help="A state-dict file or torchvision's name.")] = None,
    extractor: Annotated[str, typer.Option(help="Names, separated by commas.")] = "gradcam",
    target: Annotated[int | None, typer.Option(help="The output to explain.", show_default="highest")] = None,
    outputs: Annotated[int | None, typer.Option(help="Outputs of the model.", show_default="the file's")] = None,
    device: Device = "auto",
) -> None:
    """Overlay maps on photographs; no config needed. ImageNet preprocessing: 224 pixels, centre crop."""
    from rich.table import Table

    from camforge.report.photographs import backbone, explain_files
    from camforge.training.device import pick_device
    from camforge.types import CamForgeError

    names = [name.strip() for name in extractor.split(",") if name.strip()]
    table = Table("image", "extractor", "target", "class", "logit", "picture")
    failed: list[CamForgeError] = []
    network = backbone(model, weights, outputs)
    for made in explain_files(images, network, names, target, out, pick_device(device)):
        if isinstance(made, CamForgeError):
            failed.append(made)
        else:
            table.add_row(
                str(made.source), made.extractor, str(made.target), made.label, f"{made.logit:.2f}", str(made.picture)
            )
    if not table.rows:
        raise CamForgeError("; ".join(map(str, failed)) or "no extractor was named")
    _console().print(table)
    for error in failed:
        typer.echo(f"skipped: {error}", err=True)


@plugins.command("list")
def list_plugins(kind: Annotated[str | None, typer.Argument(help="Only this kind.")] = None) -> None:
    """Every installed plugin in one line each, and what was set aside, at what step and why."""
    from rich.table import Table

    from camforge.host.describe import plugins_of, set_aside_lines
    from camforge.host.registry import registry

    table = Table("kind", "name", "what it is", "distribution", "version")
    for offer in plugins_of(registry(), kind):
        table.add_row(offer.kind, offer.cls.name, offer.cls.summary(), offer.distribution, offer.version)
    _console().print(table)
    aside = list(set_aside_lines(registry()))
    if aside:
        table = Table("distribution", "entry", "step", "reason", title="Set aside", title_justify="left")
        for line in aside:
            table.add_row(*line)
        _console().print(table)


@plugins.command()
def show(name: Annotated[str, typer.Argument(help="A name, or kind:name.", show_default=False)]) -> None:
    """One plugin: its docstring, its options with types and defaults, an example."""
    from camforge.host.describe import named, page
    from camforge.host.registry import registry

    for offer in named(registry(), name):
        page(offer, _console())


@plugins.command()
def check(
    distributions: Annotated[list[str] | None, typer.Argument(help="Only these.", show_default="all")] = None,
    seconds: Annotated[float, typer.Option(help="How long one plugin may take to load.")] = 60.0,
) -> None:
    """Load each plugin in a process of its own; exit code 1 where one does not work."""
    from camforge.host.checkup import check_all

    wrong = 0
    for verdict in check_all(seconds, distributions or ()):
        wrong += bool(verdict.wrong)
        what = "; ".join([*verdict.wrong, *([f"gives {', '.join(verdict.gives)}"] if verdict.gives else [])])
        line = " ".join(what.split())
        typer.echo(f"{'WRONG' if verdict.wrong else 'ok':5} {verdict.distribution}:{verdict.entry}: {line}")
    raise typer.Exit(1 if wrong else 0)


@plugins.command()
def new(
    kind: Annotated[str, typer.Argument(help="Any kind: extractor, fuser, metric, …", show_default=False)],
    name: Annotated[str, typer.Argument(help="The plugin's name in configs.", show_default=False)],
    into: Annotated[Path, typer.Option(help="The folder to make it in.")] = Path(),
) -> None:
    """Write a small distribution with one plugin, whose tests pass at once."""
    from camforge.host.skeleton import write

    folder = write(kind, name, into)
    typer.echo(f"{folder}: try it with\n  cd {folder} && python -m pytest\n  pip install -e {folder}")


@config.command("check")
def check_config(config: ConfigFile, overrides: Overrides = None) -> None:
    """Say every mistake of an experiment file, with its line; run nothing."""
    from camforge.experiment.config import load

    loaded = load(config, overrides or ())
    arms = ", ".join(loaded.experiment.arms)
    typer.echo(f"{config}: no mistakes. Experiment {loaded.experiment.name!r}, arms: {arms}")


@config.command("show")
def show_config(config: ConfigFile, overrides: Overrides = None) -> None:
    """What a file comes to after its bases and overrides, and where each value came from."""
    from camforge.experiment.config import values_with_places

    for key, value, place in values_with_places(config, overrides or ()):
        typer.echo(f"{key} = {json.dumps(value, ensure_ascii=False)}  # {place}")


@config.command()
def schema() -> None:
    """The JSON Schema of an experiment with every installed plugin, for editors that complete and check."""
    from camforge.experiment.json_schema import experiment_schema
    from camforge.host.registry import registry

    typer.echo(json.dumps(experiment_schema(registry()), indent=2, ensure_ascii=False))


@data.command("check")
def check_data(config: ConfigFile, overrides: Overrides = None) -> None:
    """Open both splits, decode every image, and say every problem; exit code 1 where there is one."""
    from camforge.experiment.config import load
    from camforge.experiment.data import inspect
    from camforge.experiment.progress import Progress

    wrong = 0
    for found in inspect(load(config, overrides or ()).experiment.dataset, Progress()):
        counts = ", ".join(f"{name} {count}" for name, count in found.counts.items())
        typer.echo(f"{found.split}: {found.images} images{': ' if counts else ''}{counts}")
        for problem in found.problems:
            typer.echo(f"  {problem}")
        wrong += len(found.problems)
    typer.echo(f"{wrong} problems" if wrong else "no problems")
    raise typer.Exit(1 if wrong else 0)


@data.command("show")
def show_data(
    config: ConfigFile,
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("contact.png"),
    split: Annotated[str, typer.Option(help="train or val.")] = "train",
    images: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 24,
    overrides: Overrides = None,
) -> None:
    """A contact sheet: images spread over a split, with their masks, boxes and labels."""
    from camforge.experiment.config import load
    from camforge.experiment.data import contact
    from camforge.report.pictures import save
    from camforge.types import CamForgeError

    if split not in ("train", "val"):
        raise CamForgeError(f"no split {split!r}; splits: train, val")
    typer.echo(save(out, contact(load(config, overrides or ()).experiment.dataset, split, images)))  # type: ignore[arg-type]


StoreFolder = Annotated[Path, typer.Argument(metavar="STORE", help="The store's folder.")]


@store.command("ls")
def list_store(folder: StoreFolder = Path("work/store")) -> None:
    """Every finished stage: its size, its age, and what made it."""
    from rich.table import Table

    from camforge.experiment.shelf import shelf

    table = Table("stage", "MiB", "days", "made by")
    held = list(shelf(folder))
    for item in held:
        table.add_row(item.name, f"{item.size / 2**20:.1f}", f"{item.days:.1f}", item.about)
    _console().print(table)
    typer.echo(f"{len(held)} stages, {sum(item.size for item in held) / 2**20:.1f} MiB")


@store.command("verify")
def verify_store(folder: StoreFolder = Path("work/store")) -> None:
    """Compare every file with its checksum; exit code 1 where a stage is damaged."""
    from camforge.experiment.shelf import damaged

    wrong = damaged(folder)
    for name, problem in wrong.items():
        typer.echo(f"{name}: {problem}")
    typer.echo(f"{len(wrong)} damaged" if wrong else "all whole")
    raise typer.Exit(1 if wrong else 0)


@store.command("prune")
def prune_store(
    folder: StoreFolder = Path("work/store"),
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", help="Finished stages older than this, too.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Throw away damaged stages, and what unfinished ones left more than a day ago."""
    from camforge.experiment.shelf import prunable, prune

    doomed = prunable(folder, older_than)
    for path in doomed:
        typer.echo(path.name)
    if doomed and (yes or typer.confirm(f"Remove these {len(doomed)}?")):
        typer.echo(f"freed {prune(doomed) / 2**20:.1f} MiB")
    elif not doomed:
        typer.echo("nothing to remove")


def _console() -> Console:
    """As wide as the terminal; wide enough for whole lines where there is none."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 200
    return Console(width=width, markup=False, highlight=False)
