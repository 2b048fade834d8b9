"""``facegate demo``: the main job, from photos that installed packages carry."""

import asyncio
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from joserfc.jwk import KeySet
from rich.console import Console
from rich.markup import escape

from cli.demo.display import DemoDisplay
from cli.demo.errors import DemoError
from cli.demo.files import make_folder, write_files
from cli.demo.local_server import LocalServer, local_server
from cli.demo.page import PageContext, render_page
from cli.demo.record import CheckRecord
from cli.demo.runner import CheckRunner
from cli.demo.scenarios import SCENARIOS, Scenario
from cli.demo.stage import Stage, open_stage
from cli.demo.summary import summary_table, unexpected
from cli.demo.words import expectation_text, outcome_text
from client import ClientError, fetch_key_set, open_channel
from server.app import server_version
from server.policies import load_policies

__all__ = ["demo"]

UNEXPECTED, IMPOSSIBLE = 1, 2

_POLICY: Final = "standard"
_LOG: Final = "server.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    out: Path
    seed: int
    keep_server: bool


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the page, the evidence frames and the log.")] = Path(
        "demo"
    ),
    seed: Annotated[int, typer.Option(help="Draws what differs between simulated scans.", min=0)] = 1,
    keep_server: Annotated[
        bool, typer.Option("--keep-server", help="Leave the server running until Ctrl-C.")
    ] = False,
) -> None:
    """Run the main job: a server, seven checks through gRPC, a table and a page.

    Starts `facegate serve` on loopback with the `embedded` pack and simulates scans from photos that
    installed packages carry: the same person, another person, three attacks, a portrait that is too
    small, and a screen replay that only informs. Takes one to two minutes and no network.

    The exit status is 0 where every outcome is the expected one, 1 where one is not, and 2 where the
    demo could not run.
    """
    console = Console()
    options = _Options(out=out, seed=seed, keep_server=keep_server)
    try:
        make_folder(out)
        with tempfile.TemporaryDirectory(prefix="facegate-demo-") as folder:
            records = asyncio.run(_demo(console, options, folder=Path(folder)))
    except (ClientError, DemoError) as error:
        console.print(escape(f"The demo cannot run: {error}"), style="red", highlight=False)
        raise typer.Exit(IMPOSSIBLE) from error
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("The demo was stopped.", highlight=False)
        raise typer.Exit(IMPOSSIBLE) from None
    raise typer.Exit(UNEXPECTED if unexpected(records) else 0)


async def _demo(console: Console, options: _Options, *, folder: Path) -> tuple[CheckRecord, ...]:
    _end_on_sigterm()
    began = time.monotonic()
    console.print("Starting a server with the embedded pack; all scans are simulated.", highlight=False)
    photos = frozenset(name for s in SCENARIOS for name in (s.portrait, s.scanned) if name is not None)
    stage = await asyncio.to_thread(open_stage, photos)
    async with local_server(folder, log=options.out / _LOG) as server:
        keys = await fetch_key_set(server.jwks_url)
        records = await _checks(console, server, stage, keys, seed=options.seed)
        context = _context(stage, seed=options.seed, seconds=time.monotonic() - began)
        page = write_files(options.out, records=records, page=render_page(records, context), keys=keys)
        _conclude(console, records, page=page, seconds=context.seconds)
        if options.keep_server:
            await _keep(console, server)
    return records


async def _checks(
    console: Console, server: LocalServer, stage: Stage, keys: KeySet, *, seed: int
) -> tuple[CheckRecord, ...]:
    records: list[CheckRecord] = []
    async with open_channel(server.service) as service, open_channel(server.device) as device:
        runner = CheckRunner(service=service, device=device, keys=keys, policy=_POLICY)
        with DemoDisplay(console, checks=len(SCENARIOS)) as display:
            for scenario in SCENARIOS:
                display.begin(scenario)
                record = await _check(runner, stage, display, scenario, seed=seed)
                display.end(record)
                records.append(record)
    return tuple(records)


async def _check(
    runner: CheckRunner, stage: Stage, display: DemoDisplay, scenario: Scenario, *, seed: int
) -> CheckRecord:
    portrait = await asyncio.to_thread(stage.portrait, scenario)
    scan = await asyncio.to_thread(stage.scan, scenario, seed=seed, progress=display.rendered)
    return await runner.run(scenario, portrait=portrait, scan=scan, watcher=display)


def _context(stage: Stage, *, seed: int, seconds: float) -> PageContext:
    liveness = load_policies(None).get(_POLICY).policy.liveness
    return PageContext(
        pack=stage.pack,
        thresholds=(liveness.spoof_threshold, liveness.live_threshold),
        version=server_version(),
        made=datetime.now(UTC),
        seed=seed,
        seconds=seconds,
    )


def _conclude(console: Console, records: Sequence[CheckRecord], *, page: Path, seconds: float) -> None:
    console.print()
    console.print(summary_table(records))
    wrong = unexpected(records)
    for record in wrong:
        came = outcome_text(record.status, record.reasons)
        signed = "" if record.response is None or record.signature_verified else ", signature NOT VERIFIED"
        wanted = expectation_text(record.scenario.expected)
        console.print(
            escape(f"{record.scenario.title}: expected {wanted}, got {came}{signed}"),
            style="bold red",
            highlight=False,
        )
    if not wrong:
        console.print("Every outcome is the expected one.", style="green", highlight=False)
    console.print(escape(f"Took {seconds:.0f} s. Open {page}"), highlight=False, soft_wrap=True)


async def _keep(console: Console, server: LocalServer) -> None:
    """Leaves the server to the user until Ctrl-C or SIGTERM."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    console.print(
        escape(
            "The server runs until Ctrl-C. Try:\n"
            f"  facegate verify --service {server.service} --device {server.device} --jwks {server.jwks_url} "
            "--trusted portrait.jpg --scan camera"
        ),
        highlight=False,
        soft_wrap=True,
    )
    await stopping.wait()


def _end_on_sigterm() -> None:
    """Makes SIGTERM end the demo as Ctrl-C does, so that no server and no folder is left behind."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
