"""``facegate bench``: measures a server's cost on this machine against the cost of its models."""

import asyncio
import os
import shlex
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from cli.bench.devices import open_devices
from cli.bench.material import BenchMaterial, make_material
from cli.bench.naive_load import measure_naive
from cli.bench.portrait_cost import measure_portraits
from cli.bench.scan_load import measure_flash_scans, measure_scans
from cli.bench.setting import Bench, Effort, running_server
from cli.bench.table import report_view
from cli.errors import BenchFailed
from evaluation.bench import BenchError, BenchReport, Measurement, ModelClock, describe_machine
from server.base.version import server_version
from server.configuration.settings import LogLevel, LogSettings
from server.telemetry.logging import configure_logging
from vision.errors import VisionError
from vision.packs import default_models_dir, load_pack

__all__ = ["bench"]

_EMBEDDED: Final = "embedded"
_ASSETS: Final = "FACEGATE_TEST_ASSETS"
_DEFAULT_SCANS: Final = (1, 4)
_FAILED: Final = 2
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
    seconds: Annotated[float, typer.Option(help="Length of the simulated scan.", min=2, max=15)] = 12.0,
    frames_per_second: Annotated[
        float, typer.Option("--fps", help="Rate of the simulated camera.", min=8, max=24)
    ] = 15.0,
    clips: Annotated[
        int,
        typer.Option(
            help=f"Real clips of ${_ASSETS}, if it is set, for the comparison with the naive pipeline; 12 "
            "seconds each.",
            min=0,
        ),
    ] = 6,
    round_trip_ms: Annotated[
        int,
        typer.Option(
            help="Delay that the simulated network adds to a round trip, in milliseconds.", min=0, max=2000
        ),
    ] = 0,
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
    packs = tuple(pack or _default_packs())
    effort = Effort(
        runs=runs,
        scans_at_once=tuple(at_once or _DEFAULT_SCANS),
        clips=clips,
        round_trip_seconds=round_trip_ms / 1000,
    )
    try:
        report = asyncio.run(
            _measure(console, packs, effort, seconds=seconds, frames_per_second=frames_per_second)
        )
        if json_file is not None:
            json_file.write_text(report.to_json() + "\n", encoding="utf-8")
    except (BenchError, BenchFailed, VisionError) as error:
        _fail(console, str(error))
    except OSError as error:
        _fail(console, f"{error.filename or json_file} cannot be written: {error.strerror}")
    console.print(report_view(report))


async def _measure(
    console: Console,
    packs: Sequence[str],
    effort: Effort,
    *,
    seconds: float,
    frames_per_second: float,
) -> BenchReport:
    machine = describe_machine()
    measurements: list[Measurement] = []
    runtimes: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="facegate-bench-") as folder:
        frames = Path(folder) / "frames"
        frames.mkdir()
        with console.status("rendering a scan") as status:
            material = await asyncio.to_thread(
                make_material, frames, seconds=seconds, frames_per_second=frames_per_second
            )
            async with open_devices() as devices:
                for number, spec in enumerate(packs):
                    status.update(escape(f"{spec}: loading"))
                    loaded = await asyncio.to_thread(
                        load_pack, spec, models_dir=default_models_dir(os.environ, Path.home())
                    )
                    runtimes[spec] = loaded.runtime
                    clock = ModelClock()
                    async with running_server(loaded, clock, data=Path(folder) / str(number)) as server:
                        setting = Bench(
                            pack=spec,
                            server=server,
                            clock=clock,
                            devices=devices,
                            material=material,
                            effort=effort,
                            say=lambda text: status.update(escape(text)),
                        )
                        for suite in _SUITES:
                            measurements += await suite(setting)
    return BenchReport(
        command=_command(packs, effort, material),
        made=datetime.now(UTC),
        version=server_version(),
        machine=machine,
        runtimes=runtimes,
        measurements=tuple(measurements),
    )


def _default_packs() -> tuple[str, ...]:
    assets = os.environ.get(_ASSETS)
    models = None if not assets else Path(assets) / "models"
    if models is None or not models.is_dir():
        return (_EMBEDDED,)
    return (_EMBEDDED, f"open:{models}", f"insightface:{models}")


def _command(packs: Sequence[str], effort: Effort, material: BenchMaterial) -> str:
    return shlex.join(
        [
            "facegate",
            "bench",
            *(word for pack in packs for word in ("--pack", pack)),
            *(word for count in effort.scans_at_once for word in ("--at-once", str(count))),
            *("--runs", str(effort.runs)),
            *("--clips", str(effort.clips)),
            *("--round-trip-ms", f"{effort.round_trip_seconds * 1000:.0f}"),
            *("--seconds", f"{material.seconds:g}"),
            *("--fps", f"{material.frames_per_second:g}"),
        ]
    )


def _fail(console: Console, text: str) -> NoReturn:
    console.print(escape(f"The benchmark cannot run: {text}"), style="red", highlight=False)
    raise typer.Exit(_FAILED)
