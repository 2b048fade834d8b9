"""The ``facegate`` command in a process of its own."""

import asyncio
import sys
from pathlib import Path

__all__ = ["FACEGATE", "run_facegate"]

FACEGATE = str(Path(sys.executable).with_name("facegate"))


async def run_facegate(*arguments: str) -> tuple[int, str, str]:
    """Runs the command; its exit status, output and messages."""
    process = await asyncio.create_subprocess_exec(
        FACEGATE, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, messages = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), messages.decode()
