"""``facegate models bench``: measures the milliseconds of each model on this machine."""

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.error_reporting import errors_reported
from cli.models.bench import measure_models
from cli.models.options import ModelsDirOption, models_folder
from cli.options import JsonOption
from evaluation.bench import BenchReport, Measurement, describe_machine
from server.base.version import server_version
from vision.errors import VisionError
from vision.packs import load_pack

__all__ = ["bench_command"]


def bench_command(
    *,
    pack: Annotated[
        str,
        typer.Option(
            help="Pack. `embedded`, the name of a pulled pack, or a family and folder as in the settings."
        ),
    ] = "embedded",
    runs: Annotated[int, typer.Option(help="Counted runs.", min=1, max=1000)] = 20,
    models_dir: ModelsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the CPU time of each model of a pack on this machine.

    Each model runs on a photo from an installed package, one model after the other in each run, with one
    thread. CPU time is measured, so it does not include waiting for a busy core. `facegate bench` measures
    the cost of a whole server. For example:

        facegate models bench --pack open

        facegate models bench --pack insightface:/srv/models/buffalo_l --runs 100 --json
    """
    console = Console()
    machine = describe_machine()
    with errors_reported(VisionError), console.status(escape(f"{pack}: loading")) as status:
        loaded = load_pack(pack, models_dir=models_folder(models_dir))
        measurements = measure_models(
            loaded, spec=pack, runs=runs, say=lambda text: status.update(escape(f"{pack}: {text}"))
        )
    report = BenchReport(
        command=shlex.join(["facegate", "models", "bench", "--pack", pack, "--runs", str(runs)]),
        made=datetime.now(UTC),
        version=server_version(),
        machine=machine,
        runtimes={pack: loaded.runtime},
        measurements=measurements,
    )
    if as_json:
        typer.echo(report.to_json())
    else:
        console.print(_view(report))


def _view(report: BenchReport) -> Group:
    machine = report.machine
    busy = "" if machine.load is None else f", load {machine.load:g} before"
    notes = [
        *(f"{pack}: {runtime}." for pack, runtime in report.runtimes.items()),
        f"{report.measurements[0].meaning}, {len(report.measurements[0].values)} runs.",
        f"Machine: {machine.cpu}, {machine.cores} cores{busy}; {machine.system}, Python {machine.python}.",
        f"Again: {report.command}",
    ]
    return Group(_table(report.measurements), *(Text(note) for note in notes))


def _table(measurements: Sequence[Measurement]) -> Table:
    whole = sum(measurement.median for measurement in measurements)
    table = Table(title=Text("ms on one core", "bold"), title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("model", no_wrap=True)
    for name in ("min", "median", "max", "share"):
        table.add_column(name, justify="right", no_wrap=True)
    for measurement in measurements:
        table.add_row(
            Text(measurement.name),
            f"{measurement.least:.2f}",
            Text(f"{measurement.median:.2f}", "bold"),
            f"{measurement.most:.2f}",
            f"{measurement.median / whole:.0%}" if whole else "-",
        )
    return table
