"""``facegate try``: a server and a page on this machine, for a scan with its own camera."""

import asyncio
import os
import secrets
import socket
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from cli.errors import CommandError, fail
from cli.shown import say
from facegate_client import ClientError, Orchestrator
from lab.demo.local_server import FLASH_ALONE_POLICY, end_on_sigterm, open_tested
from lab.demo.pack import ChosenPack, available_pack
from lab.demo.runner import opened_runner
from lab.try_.attacks import AttackRoom
from lab.try_.checks import PersonChecks, TrialMode, offered_modes, write_trial_policy
from lab.try_.site import Guard, TrySite, open_socket
from server.base.private_files import make_private_folder
from server.base.version import server_version

_IMPOSSIBLE: Final = 2
_PORT: Final = 8447
_LOG: Final = "server.log"
_TEXT_BROWSERS: Final = frozenset({"browsh", "elinks", "links", "links2", "lynx", "w3m", "www-browser"})
"""They would take over the terminal, and have no camera."""
_FURTHER: Final = """\
listeners.web.port = 0
# People who try attacks on themselves fail often.
limits.failures.maximum = 1000
limits.failures.lock_seconds = 60
limits.failures.block_maximum = 4000
limits.failures.block_seconds = 60
"""


def try_command(
    *,
    port: Annotated[int, typer.Option(help="Port of the page; 0 for any.", min=0, max=65_535)] = _PORT,
    pack: Annotated[str | None, typer.Option(help="Pack that judges. By default the best available.")] = None,
    sandbox: Annotated[
        bool,
        typer.Option("--sandbox/--real", help="Tolerate virtual cameras."),
    ] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder for what is recorded. By default a temporary one, which is removed at the end.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Scan your own face in a page on this machine, and see why.

    Starts `facegate serve` and a page on loopback, and in a terminal opens the page. There you take or upload
    a portrait, choose a mode, are scanned by this machine's camera, and see the verdict with every signal,
    the evidence frame and the colours. A second page shows simulated attacks as the server saw them.

    Nothing leaves this machine. Portraits, frames and results are in a temporary folder, which is removed
    when you press Ctrl-C, unless you give `--data-dir`. The address of the page contains a secret: do not
    pass it on.

    It uses the best available pack, as `facegate demo` does. With `--sandbox`, virtual cameras and repeated
    frames are tolerated, and every result states this.

    For example, with the best pack, and with one of your own:

        facegate try

        facegate try --pack insightface:/srv/models/buffalo_l
    """
    console = Console()
    try:
        with _folder(data_dir) as folder, open_socket(port) as bound:
            asyncio.run(
                _try(
                    console,
                    folder,
                    bound,
                    pack=pack,
                    sandbox=sandbox,
                    kept=data_dir is not None,
                )
            )
    except (ClientError, CommandError) as error:
        fail(f"The page cannot be shown: {error}", _IMPOSSIBLE, console=console)
    except (KeyboardInterrupt, asyncio.CancelledError):
        pass
    kept = "was removed" if data_dir is None else f"is in {data_dir}"
    say(f"Stopped. What was recorded {kept}.")


@contextmanager
def _folder(chosen: Path | None) -> Iterator[Path]:
    if chosen is None:
        with tempfile.TemporaryDirectory(prefix="facegate-try-") as folder:
            yield Path(folder)
        return
    try:
        make_private_folder(chosen)
    except OSError as error:
        raise CommandError(f"{chosen} cannot be created: {error.strerror}") from error
    yield chosen


async def _try(
    console: Console,
    folder: Path,
    bound: socket.socket,
    *,
    pack: str | None,
    sandbox: bool,
    kept: bool,
) -> None:
    end_on_sigterm()
    port = bound.getsockname()[1]
    page = f"http://localhost:{port}"
    chosen = await available_pack(console, wanted=pack)
    tested = open_tested(folder / "platform", page=page)
    policies = folder / "platform" / "policies"
    write_trial_policy(policies)
    running = opened_runner(folder, log=folder / _LOG, chosen=chosen, tested=tested, further=_FURTHER)
    async with running as (server, runner):
        modes = offered_modes(chosen.pack, folder=policies)
        secret = secrets.token_urlsafe(24)
        caller = tested.sandbox if sandbox else tested.real
        checks = PersonChecks(
            Orchestrator(channel=runner.service, api_key=caller, accept_sandbox=sandbox),
            keys=runner.keys,
            pack=chosen.pack,
            modes=modes,
            thresholds=chosen.thresholds,
            sandbox=sandbox,
        )
        attacks = AttackRoom(
            runner,
            asked=chosen.flash_policy != FLASH_ALONE_POLICY,
            thresholds=chosen.thresholds,
            idle=checks.idle,
        )
        about = _about(chosen, modes) | {"scans": f"ws://{server.web}", "sandbox": sandbox, "kept": kept}
        guard = Guard(port=port, secret=secret, scans=f"ws://{server.web}")
        site = TrySite(guard=guard, checks=checks, attacks=attacks, about=about)
        await site.start(bound)
        try:
            _announce(chosen, f"{page}/#{secret}")
            await asyncio.Event().wait()
        finally:
            await site.stop()


def _about(chosen: ChosenPack, modes: tuple[TrialMode, ...]) -> dict[str, Any]:
    return {
        "version": server_version(),
        "pack": {
            "name": chosen.pack.name,
            "version": chosen.pack.version,
            "evaluation": chosen.pack.evaluation_only,
            "why": chosen.why,
        },
        "modes": [
            {"key": mode.key, "policy": mode.policy, "flashes": mode.flashes, "shortfall": mode.shortfall}
            for mode in modes
        ],
    }


def _announce(chosen: ChosenPack, address: str) -> None:
    if chosen.pack.evaluation_only:
        say("This pack is for evaluation only: do not decide about people with its results.", style="yellow")
    say(f"The page: {address}\nIt runs until Ctrl-C, and only this machine reaches it.")
    if not (sys.stdout.isatty() and _opened(address)):
        say("No browser was opened: open the address yourself.")


class _Unopened(webbrowser.BaseBrowser):
    """Takes the place of a text browser, so that the next browser is tried."""

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        return False


def _opened(address: str) -> bool:
    """Open the page in the first browser that can, but in no text browser."""
    chosen = os.environ.get("BROWSER", "").split(os.pathsep)
    os.environ["BROWSER"] = os.pathsep.join(one for one in chosen if not _is_text_browser(one))
    for name in _TEXT_BROWSERS:
        webbrowser.register(name, None, _Unopened(name))
    return webbrowser.open(address)


def _is_text_browser(command: str) -> bool:
    return Path(command.partition(" ")[0]).name in _TEXT_BROWSERS
