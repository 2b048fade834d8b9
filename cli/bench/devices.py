"""Starts the device process and gives it jobs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from cli.bench.jobs import DeviceJob, ScanTimes
from cli.errors import DeviceProcessFailed
from vision.own_process import module_command

__all__ = ["Devices", "open_devices"]

_COMMAND: Final = module_command("cli.bench.device_process")
_JOB_SECONDS: Final = 120.0
_LEAVE_SECONDS: Final = 5.0


class Devices:
    """A process that makes scans, one job at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Uses a running process."""
        self._process = process

    async def scan(self, job: DeviceJob) -> tuple[ScanTimes, ...]:
        """Makes the scans of a job.

        Raises:
            DeviceProcessFailed: The process ended, gave an invalid answer, or took over two minutes.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise DeviceProcessFailed("the device process has no pipes")
        try:
            stdin.write(job.to_line().encode())
            await stdin.drain()
            async with asyncio.timeout(_JOB_SECONDS):
                line = await stdout.readline()
            return ScanTimes.from_line(line.decode())
        except TimeoutError as error:
            raise DeviceProcessFailed(
                f"the device process did not answer within {_JOB_SECONDS:g} seconds"
            ) from error
        except (OSError, ValueError) as error:
            raise DeviceProcessFailed("the device process ended or gave an invalid answer") from error


@asynccontextmanager
async def open_devices() -> AsyncIterator[Devices]:
    """Starts the process, and stops it at the end."""
    process = await asyncio.create_subprocess_exec(
        *_COMMAND,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Devices(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
