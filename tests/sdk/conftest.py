"""The Kotlin SDK in a process of its own, as the device of a server.

Skipped where Java or what ``make sdk`` builds is not there.
"""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest

__all__ = ["KotlinClient", "kotlin"]

CORE: Final = Path(__file__).resolve().parents[2] / "sdk" / "kotlin" / "core" / "target"
_SCAN_SECONDS: Final = 240
_CLOSE_SECONDS: Final = 20
_LONGEST_LINE: Final = 2**20


@pytest.fixture(scope="session", autouse=True)
def _java() -> None:
    if shutil.which("java") is None:
        pytest.skip("Java is not installed")
    if not (CORE / "test-classpath").is_file():
        pytest.skip("sdk/kotlin is not built: run 'make sdk'")


class KotlinClient:
    """The runner of ``sdk/kotlin/core/src/test``, which makes several scans at once."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout
        self._ids = count()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.pid = process.pid

    async def scan(self, **job: Any) -> dict[str, Any]:
        """Makes a scan; returns how it ended and what was seen of it."""
        number = next(self._ids)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self._input.write(json.dumps(job | {"id": number}).encode() + b"\n")
        await self._input.drain()
        async with asyncio.timeout(_SCAN_SECONDS):
            return await answer

    async def read_answers(self) -> None:
        """Hands each answer to its scan, until the process ends."""
        async for said in self._output:
            answer = json.loads(said)
            self._answers.pop(answer["id"]).set_result(answer)
        for waiting in self._answers.values():
            waiting.set_exception(RuntimeError("the process of the Kotlin SDK has ended"))


@asynccontextmanager
async def kotlin() -> AsyncIterator[KotlinClient]:
    """Starts the process."""
    classpath = [str(CORE / "classes"), str(CORE / "test-classes")]
    classpath.append((CORE / "test-classpath").read_text(encoding="utf-8").strip())
    process = await asyncio.create_subprocess_exec(
        "java",
        "-XX:+UseSerialGC",
        "-Xmx768m",
        "-cp",
        ":".join(classpath),
        "org.facegate.core.runner.RunnerKt",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
    )
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
