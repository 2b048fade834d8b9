"""``facegate models bench``: measures the CPU time of each model of a pack on a photo."""

import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.error_reporting import errors_reported
from cli.errors import BenchImpossible
from cli.models.options import ModelsDirOption, models_folder
from cli.options import JsonOption
from evaluation.bench import BenchError, BenchReport, Measurement, ModelClock, describe_machine, timed_pack
from server.base.version import server_version
from simulator.errors import SimulatorError
from simulator.photo import builtin_image
from vision.errors import ModelFailed, VisionError
from vision.face import BgrImage
from vision.packs import Pack, load_pack

__all__ = ["bench_command", "measure_models"]

PHOTO: Final = "red-shirt"
"""Part of insightface, which every installation includes."""

_WARM_UPS: Final = 2


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


def measure_models(
    pack: Pack, *, spec: str, runs: int, say: Callable[[str], None] = lambda text: None
) -> tuple[Measurement, ...]:
    """Measures the CPU time of each model for one photo of one face, in milliseconds.

    Each run calls each model once, one after the other, so that a slow moment of the machine affects all of
    them. The first runs, which allocate memory, are not counted.

    Args:
        pack: The models.
        spec: Name of the pack in settings.
        runs: Counted runs, 1 or more.
        say: Receives the progress as text.

    Returns:
        One measurement for each model, in the order in which a frame passes them.

    Raises:
        BenchImpossible: The photo is not installed, or a model fails or finds no face in it.
    """
    try:
        photo = builtin_image(PHOTO)
        clock = ModelClock()
        timed = timed_pack(pack, clock)
        for number in range(_WARM_UPS):
            say(f"warming up, {number + 1} of {_WARM_UPS}")
            _once(timed, photo)
        clock.read_and_reset()
        values: dict[str, list[float]] = {}
        for number in range(runs):
            say(f"run {number + 1} of {runs}")
            _once(timed, photo)
            for model, seconds in clock.read_and_reset().seconds.items():
                values.setdefault(model, []).append(1000 * seconds)
        height, width = photo.shape[:2]
        return tuple(
            Measurement(
                pack=spec,
                name=model,
                load="one model at a time",
                unit="ms",
                meaning=f"CPU time of one call on a photo of {width} x {height} pixels with one face",
                values=tuple(of_model),
            )
            for model, of_model in values.items()
        )
    except (BenchError, SimulatorError) as error:
        raise BenchImpossible(f"the models cannot be measured: {error}") from error
    except ModelFailed as error:
        raise BenchImpossible(
            f"a model failed on the built-in photo: {error}. Check with `facegate models verify`."
        ) from error


def _once(pack: Pack, photo: BgrImage) -> None:
    faces = pack.detector.detect(photo)
    if not faces:
        raise BenchImpossible(
            "the detector finds no face in the built-in photo, so the other models have no input. "
            "Check with `facegate models verify`."
        )
    if pack.landmarker is not None:
        pack.landmarker.locate(photo, faces[0])
    pack.embedder.embed(photo, faces[0])
    for network in pack.pad_networks:
        network.real_probability(photo, faces[0])
