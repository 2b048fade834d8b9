"""``facegate bench``: measures a server's cost on this machine against the cost of its models."""

import asyncio
import gc
import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.chosen import models_folder
from cli.errors import CommandError, fail
from cli.options import command_line
from cli.shown import counted, list_table
from lab.bench.devices import open_devices
from lab.bench.naive import measure_naive
from lab.bench.phone import make_material
from lab.bench.portraits import measure_portraits
from lab.bench.scans import Bench, measure_flash_scans, measure_scans, running_server
from lab.evaluation.bench import BenchError, BenchReport, Measurement, ModelClock, describe_machine
from server.base.version import server_version
from server.configuration.settings import LogLevel, LogSettings
from server.running.memory import limit_arenas
from server.telemetry.logging import configure_logging
from vision.errors import VisionError
from vision.packs import load_pack

_EMBEDDED: Final = "embedded"
_ASSETS: Final = "FACEGATE_TEST_ASSETS"
_DEFAULT_SCANS: Final = (1, 4)
_FRAMES_PER_SECOND: Final = 15.0
_SECONDS: Final = 12.0
"""The length of the simulated scan."""
_SUITES: Final = (measure_portraits, measure_scans, measure_flash_scans, measure_naive)
"""What is measured for each pack, in the order of execution and display."""


def bench(
    *,
    pack: Annotated[
        list[str] | None,
        typer.Option(
            help="Pack; may be repeated. For example `open`, `embedded` or `insightface:<folder>`. By "
            f"default embedded and, if ${_ASSETS} is set, the models in it, as `open` and as `insightface`.",
            show_default=False,
        ),
    ] = None,
    runs: Annotated[int, typer.Option(help="Runs of each load.", min=1, max=100)] = 3,
    at_once: Annotated[
        list[int] | None,
        typer.Option(
            help="Scans at once; may be repeated.  [default: 1, 4]", min=1, max=32, show_default=False
        ),
    ] = None,
    clips: Annotated[
        int,
        typer.Option(
            help=f"Real clips of ${_ASSETS}, if it is set, for the comparison with the naive pipeline; 12 "
            "seconds each.",
            min=0,
        ),
    ] = 6,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write every value to this file.")
    ] = None,
) -> None:
    """Measure a server's CPU time for a frame, and its latency.

    Runs a server in this process and devices in another. They use gRPC over loopback and send a genuine scan
    that was rendered and encoded before. CPU time for a frame is compared with pure model time. Compare the
    ratios, because both sides of each are measured in the same run. Keep the machine idle otherwise.
    """
    console = Console()
    configure_logging(LogSettings(level=LogLevel.ERROR))
    limit_arenas()
    packs = tuple(pack or _default_packs())
    loads = tuple(at_once or _DEFAULT_SCANS)
    command = command_line(
        *("facegate", "bench"),
        pack=packs,
        at_once=loads,
        runs=runs,
        clips=clips,
    )
    machine = describe_machine()
    try:
        measurements, runtimes = asyncio.run(
            _measure(
                console,
                packs,
                runs=runs,
                scans_at_once=loads,
                clips=clips,
            )
        )
        report = BenchReport(
            command=command,
            made=datetime.now(UTC),
            version=server_version(),
            machine=machine,
            runtimes=runtimes,
            measurements=measurements,
        )
        if json_file is not None:
            json_file.write_text(report.to_json() + "\n", encoding="utf-8")
    except (BenchError, CommandError, VisionError) as error:
        fail(f"The benchmark cannot run: {error}")
    except OSError as error:
        fail(f"The benchmark cannot run: {error.filename or json_file} cannot be written: {error.strerror}")
    console.print(report_view(report))


async def _measure(
    console: Console,
    packs: Sequence[str],
    *,
    runs: int,
    scans_at_once: tuple[int, ...],
    clips: int,
) -> tuple[tuple[Measurement, ...], dict[str, str]]:
    """Return the figures, and the runtime of each pack's models."""
    measurements: list[Measurement] = []
    runtimes: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="facegate-bench-") as folder:
        frames = Path(folder) / "frames"
        frames.mkdir()
        with console.status("rendering a scan") as status:
            material = await asyncio.to_thread(
                make_material, frames, seconds=_SECONDS, frames_per_second=_FRAMES_PER_SECOND
            )
            with open_devices() as devices:
                for number, spec in enumerate(packs):
                    status.update(escape(f"{spec}: loading"))
                    loaded = await asyncio.to_thread(load_pack, spec, models_dir=models_folder())
                    runtimes[spec] = loaded.runtime
                    clock = ModelClock()
                    async with running_server(loaded, clock, data=Path(folder) / str(number)) as server:
                        # As ``facegate serve`` does; it also limits the arenas of malloc.
                        gc.collect()
                        gc.freeze()
                        setting = Bench(
                            pack=spec,
                            server=server,
                            clock=clock,
                            devices=devices,
                            material=material,
                            runs=runs,
                            scans_at_once=scans_at_once,
                            clips=clips,
                            say=lambda text: status.update(escape(text)),
                        )
                        for suite in _SUITES:
                            measurements += await suite(setting)
    return tuple(measurements), runtimes


def _default_packs() -> tuple[str, ...]:
    assets = os.environ.get(_ASSETS)
    models = None if not assets else Path(assets) / "models"
    if models is None or not models.is_dir():
        return (_EMBEDDED,)
    return (_EMBEDDED, f"open:{models}", f"insightface:{models}")


def report_view(report: BenchReport) -> Group:
    """Return the figures by pack and load, then the method and the machine."""
    groups = dict.fromkeys((measurement.pack, measurement.load) for measurement in report.measurements)
    machine = report.machine
    busy = "" if machine.load is None else f", load {machine.load:g} before"
    notes = [
        *(f"{pack}: {runtime}." for pack, runtime in report.runtimes.items()),
        "A model frame is the CPU time of one call of every model of the pack.",
        "The devices run in a separate process on the same machine: their CPU time is not counted.",
        f"Machine: {machine.cpu}, {counted(machine.cores, 'core')}{busy}; "
        f"{machine.system}, Python {machine.python}.",
        f"Again: {report.command}",
    ]
    return Group(
        *(_table(pack, load, report.measurements) for pack, load in groups), *(Text(note) for note in notes)
    )


def _table(pack: str, load: str, measurements: Sequence[Measurement]) -> Table:
    names = ("measured", "min", "median", "max", "unit", "n")
    # Long names wrap; figures do not.
    table = list_table(
        *names,
        title=f"{pack}, {load}",
        right=("min", "median", "max", "n"),
        whole=names[1:],
        box=box.SIMPLE_HEAD,
        pad_edge=True,
    )
    for measurement in measurements:
        if (measurement.pack, measurement.load) == (pack, load):
            table.add_row(*_cells(measurement))
    return table


def _cells(measurement: Measurement) -> tuple[str | Text, ...]:
    return (
        Text(measurement.name),
        _figure(measurement.least),
        Text(_figure(measurement.median), "bold"),
        _figure(measurement.most),
        measurement.unit or "ratio",
        str(len(measurement.values)),
    )


def _figure(value: float) -> str:
    """Return a number with about three digits."""
    decimals = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{decimals}f}"
