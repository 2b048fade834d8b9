"""The Kotlin SDK in a process of its own, as the device of a server.

Skipped where Java or what ``make sdk`` builds is not there.
"""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest

from lab.simulator.devices import TestDevice
from lab.simulator.devices.client import (
    DeviceAttestor,
    camera_profile_of,
    device_profile_of,
    runtime_findings_of,
)

CORE: Final = Path(__file__).resolve().parents[2] / "clients" / "kotlin" / "core" / "target"
_SCAN_SECONDS: Final = 240
_CLOSE_SECONDS: Final = 60
_LONGEST_LINE: Final = 2**20
_LOG_ALL: Final = """\
handlers = java.util.logging.ConsoleHandler
java.util.logging.ConsoleHandler.level = ALL
.level = ALL
"""


@pytest.fixture(scope="session", autouse=True)
def _java() -> None:
    if shutil.which("java") is None:
        pytest.skip("Java is not installed")
    if not (CORE / "test-classpath").is_file():
        pytest.skip("clients/kotlin is not built: run 'make sdk'")


class KotlinClient:
    """The runner of ``clients/kotlin/core/src/test``, which makes several scans at once."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout
        self._ids = count()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._devices: dict[int, TestDevice] = {}
        self.pid = process.pid

    async def scan(self, device: TestDevice | None = None, /, **job: Any) -> dict[str, Any]:
        """Make a scan, with the claims and the evidence of a device if there is one.

        Returns:
            How it ended and what was seen of it.
        """
        number = next(self._ids)
        if device is not None:
            self._devices[number] = device
            job["device"] = {
                "profile": device_profile_of(device.claim).SerializeToString().hex(),
                "camera": camera_profile_of(device.camera).SerializeToString().hex(),
                "findings": runtime_findings_of(device.report).SerializeToString().hex(),
                "attestors": len(device.evidence(bytes(32), now=datetime.now(UTC))),
            }
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        await self._write(job | {"id": number})
        async with asyncio.timeout(_SCAN_SECONDS):
            return await answer

    async def _write(self, line: dict[str, Any]) -> None:
        self._input.write(json.dumps(line).encode() + b"\n")
        await self._input.drain()

    async def read_answers(self) -> None:
        """Hand each answer to its scan, until the process ends."""
        async for said in self._output:
            answer = json.loads(said)
            if "piece" in answer:
                await self._attest(answer)
                continue
            # A test may have given it up.
            if not (waiting := self._answers.pop(answer["id"])).done():
                waiting.set_result(answer)
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(RuntimeError("the process of the Kotlin SDK has ended"))

    async def _attest(self, asked: dict[str, Any]) -> None:
        attestor = DeviceAttestor(self._devices[asked["id"]])
        made = [one async for one in attestor.attest(binding=bytes.fromhex(asked["challenge"]))]
        evidence = made[asked["number"]].SerializeToString().hex()
        await self._write({"piece": asked["piece"], "evidence": evidence})


@asynccontextmanager
async def kotlin(*, log: Path | None = None) -> AsyncIterator[KotlinClient]:
    """Start the process.

    Args:
        log: A new file for everything that any of its packages logs, and for its standard error.
    """
    logging = []
    if log is not None:
        settings = log.with_suffix(".properties")
        settings.write_text(_LOG_ALL, encoding="utf-8")
        logging.append(f"-Djava.util.logging.config.file={settings}")
    errors = None if log is None else log.open("wb")
    classpath = [str(CORE / "classes"), str(CORE / "test-classes")]
    classpath.append((CORE / "test-classpath").read_text(encoding="utf-8").strip())
    process = await asyncio.create_subprocess_exec(
        "java",
        "-XX:+UseSerialGC",
        "-Xmx768m",
        *logging,
        "-cp",
        ":".join(classpath),
        "org.facegate.core.runner.RunnerKt",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=errors,
        limit=_LONGEST_LINE,
    )
    if errors is not None:
        errors.close()
    client = KotlinClient(process)
    reading = asyncio.create_task(client.read_answers())
    try:
        yield client
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
        await reading
