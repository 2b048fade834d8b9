"""Runs ``facegate serve`` on loopback with all its data in one folder, its callers, and its test platform."""

import asyncio
import json
import os
import re
import signal
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cli.errors import CommandError
from facegate_client import ApiKey
from lab.simulate import write_platform
from lab.simulator.devices import TestPlatform, settings_text
from server.access.api_keys import new_api_key
from server.configuration.settings import EVALUATION_POLICY
from vision.own_process import module_command

POLICY: Final = "standard"
"""Policy of the checks in EXPRESS without evidence."""
TRIAL_POLICY: Final = EVALUATION_POLICY
"""The same for packs for evaluation, which cannot meet the match of others; DYNAMIC raises its mode."""
FLASH_POLICY: Final = "dynamic"
"""Policy of the checks in DYNAMIC without evidence. It demands a blink and the head's depth."""
DOUBT_POLICY: Final = "doubt"
"""Policy of the check whose doubt leads to the flash, with the match of the others."""
FLASH_ALONE_POLICY: Final = "adaptive"
"""The same for packs that cannot measure a blink. It demands only the flash."""

_START_SECONDS: Final = 180.0
_STOP_SECONDS: Final = 15.0
_LAST_LINES: Final = 8
_OWNER_ONLY: Final = 0o600
_READY: Final = re.compile(r"Facegate serves: device (\S+), service (\S+), admin port (\d+)(?:, web (\S+))?")
_COMMAND: Final = module_command("facegate_app", "serve", "--config")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalServer:
    """The addresses of the listeners of a running server, as ``host:port``; ``web`` is None without one."""

    device: str
    service: str
    admin_port: int
    web: str | None = None

    @property
    def jwks_url(self) -> str:
        """Address of the published result keys."""
        return f"http://127.0.0.1:{self.admin_port}/.well-known/jwks.json"


@asynccontextmanager
async def local_server(
    folder: Path, *, log: Path, pack: str, models_dir: Path, further: str = ""
) -> AsyncIterator[LocalServer]:
    """Start a server on free ports, and stops it with SIGTERM.

    Args:
        folder: Folder for its settings, database, evidence and keys.
        further: Further settings, TOML.
    """
    settings = folder / "facegate.toml"
    try:
        settings.write_text(_settings(folder / "data", pack, models_dir) + further, encoding="utf-8")
        sink = log.open("w", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be written: {error.strerror}") from error
    with sink:
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            str(settings),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
            # Ctrl-C goes to the caller only, which then stops the server itself.
            start_new_session=True,
        )
        started: asyncio.Future[LocalServer] = asyncio.get_running_loop().create_future()

        async def follow() -> None:
            last: deque[str] = deque(maxlen=_LAST_LINES)
            async for line in _lines(process):
                sink.write(line)
                sink.flush()
                last.append(line)
                if not started.done() and (ready := _READY.search(line)):
                    started.set_result(
                        LocalServer(device=ready[1], service=ready[2], admin_port=int(ready[3]), web=ready[4])
                    )
            if not started.done():
                started.set_exception(CommandError("the server did not start:\n" + "".join(last)))

        following = asyncio.create_task(follow())
        try:
            async with asyncio.timeout(_START_SECONDS):
                server = await started
            yield server
        except TimeoutError as error:
            if started.done() and not started.cancelled():
                raise
            raise CommandError(f"the server did not start within {_START_SECONDS:g} seconds") from error
        finally:
            await _end(process)
            await following


def end_on_sigterm() -> None:
    """Make SIGTERM end the running task as Ctrl-C does, so that no server and no folder remains."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def _lines(process: asyncio.subprocess.Process) -> AsyncIterator[str]:
    if process.stderr is None:
        return
    async for line in process.stderr:
        yield line.decode("utf-8", errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _settings(data: Path, pack: str, models_dir: Path) -> str:
    # JSON strings are TOML strings.
    return (
        f"data_dir = {json.dumps(str(data))}\npack = {json.dumps(pack)}\n"
        f"models_dir = {json.dumps(str(models_dir))}\n"
        "allow_evaluation_pack = true\n"
        "listeners.device.port = 0\nlisteners.service.port = 0\nlisteners.admin.port = 0\n"
        'log.format = "console"\n'
    )


def _environment() -> dict[str, str]:
    """Return this process's environment without the settings of another server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FACEGATE_")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A platform and two callers, and the settings with which a server trusts them.

    Attributes:
        sandbox: The key of the sandbox caller, which makes nearly every check. It accepts test devices.
        real: The key of a caller that is not a sandbox caller.
        settings: TOML.
    """

    platform: TestPlatform
    sandbox: ApiKey
    real: ApiKey
    settings: str


def open_tested(folder: Path, *, page: str | None = None) -> Tested:
    """Create a test platform and two callers in a folder.

    Args:
        page: Origin of a page on this machine that may scan; None for none.
    """
    stored = write_platform(folder, now=datetime.now(UTC))
    keys = folder.resolve() / "api_keys.toml"
    sandbox, sandbox_entry = _caller("sandbox", sandbox=True)
    real, real_entry = _caller("real", sandbox=False)
    write_text(keys, sandbox_entry + real_entry, mode=_OWNER_ONLY)
    return Tested(
        platform=stored.platform,
        sandbox=sandbox,
        real=real,
        # JSON strings are TOML strings.
        settings=f"listeners.service.api_keys_file = {json.dumps(str(keys))}\n"
        + settings_text(stored.platform, folder.resolve(), page=page),
    )


def write_doubt_policy(folder: Path, *, max_fmr: float) -> None:
    """Write the policy ``DOUBT_POLICY``."""
    text = f'''\
name = "{DOUBT_POLICY}"
version = 1
description = "For the demonstration: doubt leads to the flash."
mode = "EXPRESS"

[match]
max_fmr = {max_fmr!r}

[doubt]
order = ["flash"]
'''
    write_text(folder / "policies" / f"{DOUBT_POLICY}.toml", text)


def _caller(name: str, *, sandbox: bool) -> tuple[ApiKey, str]:
    """Return the key of a new caller, and its entry in the file of API keys."""
    key, digest = new_api_key()
    entry = (
        f'[[key]]\nname = "{name}"\nsha256 = "{digest}"\nroles = ["orchestrator"]\n'
        f"sandbox = {str(sandbox).lower()}\n"
    )
    return ApiKey(key), entry


def write_text(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Write a file."""
    try:
        path.touch(mode=mode)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error
