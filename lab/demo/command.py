"""``facegate demo``: runs checks in both modes, with photos from installed packages."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from cli.errors import CommandError, fail
from cli.shown import say
from facegate_client import ClientError
from lab.demo.local_server import (
    FLASH_ALONE_POLICY,
    end_on_sigterm,
    open_tested,
    write_doubt_policy,
)
from lab.demo.pack import available_pack
from lab.demo.page import make_folder, render_page, write_files
from lab.demo.printing import DemoDisplay, passed_attacks, summary_table, unexpected
from lab.demo.runner import CheckRunner, in_turn, opened_runner
from lab.demo.scenarios import (
    DemoRecord,
    Scenario,
    demo_scenarios,
    expectation_text,
    mode_word,
    outcome_text,
)
from lab.demo.stage import Stage, open_stage
from server.policies import load_policies

UNEXPECTED, IMPOSSIBLE = 1, 2

_LOG: Final = "server.log"


def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder for page, evidence frames and log.")] = Path("demo"),
    pack: Annotated[str | None, typer.Option(help="Pack that judges; by default the best available.")] = None,
) -> None:
    """Run twenty-one checks in both modes, and write a page.

    Starts `facegate serve` on loopback and simulates scans from photos of installed packages. In EXPRESS: the
    same person, another person, three attacks, a portrait that is too small, a screen replay that only
    informs, and a virtual camera, which decides for a caller that is not a sandbox caller. In DYNAMIC, in
    which the screen flashes: the same person and seven attackers of the simulator, each with a strip of
    frames; a mask and a cut-out may pass, and only inform, if the pack cannot measure a blink. With evidence
    of the device: an honest phone, a repackaged app, evidence of a clean phone that another phone relays, and
    the strongest attacker, a video relit in real time, in a changed app. Takes about two minutes.

    The genuine person's checks run first, each alone. Attackers leave after one attempt: if it does not
    decide the check, the check fails as ABANDONED.

    It uses the best available pack, and prints which one and why: one from the models folder, else `open`,
    which it tries to pull for at most 30 seconds, else `embedded`.

    The exit status is 0 if every outcome is the expected one, 1 if one is not, and 2 if the demo could not
    run.

    For example, with the best pack, without any network, and with one of your own:

        facegate demo

        facegate demo --pack embedded

        facegate demo --pack insightface:/srv/models/buffalo_l
    """
    console = Console()
    try:
        make_folder(out)
        with tempfile.TemporaryDirectory(prefix="facegate-demo-") as folder:
            records = asyncio.run(_demo(console, Path(folder), out=out, pack=pack))
    except (ClientError, CommandError) as error:
        fail(f"The demo cannot run: {error}", IMPOSSIBLE, console=console)
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("The demo was stopped.", console=console)
        raise typer.Exit(IMPOSSIBLE) from None
    raise typer.Exit(UNEXPECTED if unexpected(records) else 0)


async def _demo(console: Console, folder: Path, *, out: Path, pack: str | None) -> tuple[DemoRecord, ...]:
    end_on_sigterm()
    began = time.monotonic()
    chosen = await available_pack(console, wanted=pack)
    if chosen.pack.evaluation_only:
        say(
            "This pack is for evaluation only; the demo's server allows it (allow_evaluation_pack), and the "
            f"policy {chosen.policy} allows as many false matches as it supports.",
            style="yellow",
            console=console,
        )
    say("Starting a server; all scans are simulated.", console=console)
    scenarios = demo_scenarios(asked=chosen.flash_policy != FLASH_ALONE_POLICY)
    photos = frozenset(name for s in scenarios for name in (s.portrait, s.scanned) if name is not None)
    stage = await asyncio.to_thread(open_stage, photos)
    tested = open_tested(folder / "platform")
    match = load_policies(None).get(chosen.policy).policy.match
    write_doubt_policy(folder / "platform", max_fmr=match.max_fmr)
    async with opened_runner(folder, log=out / _LOG, chosen=chosen, tested=tested) as (_, runner):
        records = await _checks(console, runner, stage, scenarios)
        seconds = time.monotonic() - began
        html = render_page(records, chosen, made=datetime.now(UTC), seconds=seconds)
        page = write_files(out, records=records, page=html, keys=runner.keys)
        conclude(console, records, page=page, seconds=seconds)
    return records


async def _checks(
    console: Console, runner: CheckRunner, stage: Stage, scenarios: Sequence[Scenario]
) -> tuple[DemoRecord, ...]:
    records: dict[Scenario, DemoRecord] = {}
    with DemoDisplay(console, checks=len(scenarios)) as display:

        async def check(scenario: Scenario) -> None:
            view = display.begin(scenario)
            records[scenario], _ = await runner.check(stage, scenario, watcher=view)
            view.end(records[scenario])

        await in_turn(scenarios, check)
    return tuple(records[scenario] for scenario in scenarios)


def conclude(console: Console, records: Sequence[DemoRecord], *, page: Path, seconds: float) -> None:
    """Print the table, what was not as expected and why, and where the page is."""
    console.print()
    console.print(summary_table(records))
    wrong = unexpected(records)
    for record in wrong:
        came = outcome_text(record.status, record.reasons)
        signed = "" if record.response is None or record.signature_verified else ", signature NOT VERIFIED"
        wanted = expectation_text(record.scenario.expected)
        say(
            f"{record.scenario.title}: expected {wanted}, got {came}{signed}",
            style="bold red",
            console=console,
        )
    if any(record.frames_late for record in wrong):
        say(
            "Frames came late: this machine is too busy for scans in real time. Close other programs, and "
            "run the demo again.",
            style="bold yellow",
            console=console,
        )
    if not wrong:
        say("Every outcome was as expected.", style="green", console=console)
    if left := [record for record in records if record.left_undecided]:
        say(
            f"Not let in, but not decided either: {_named(left)}. The attacker left after one attempt; "
            "another may try again, as often as the policy allows.",
            console=console,
        )
    if passed := passed_attacks(records):
        say(f"Attacks that passed: {_named(passed)}.", style="yellow", console=console)
    say(f"Took {seconds:.0f} s. Open {page}", console=console)


def _named(records: Sequence[DemoRecord]) -> str:
    return "; ".join(f"{one.scenario.title} ({mode_word(one.scenario)})" for one in records)
