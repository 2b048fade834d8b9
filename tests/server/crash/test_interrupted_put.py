"""kill -9 of a process that writes an object."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from server.storage.objects import open_object_store

_WRITER: Final = """
import asyncio, os, signal, sys, threading
from pathlib import Path
from server.storage.objects import open_object_store

def watch(folder):
    while not [path for path in folder.rglob("*") if path.is_file()]:
        pass
    os.kill(os.getpid(), signal.SIGKILL)

threading.Thread(target=watch, args=[Path(sys.argv[1])], daemon=True).start()
asyncio.run(open_object_store(sys.argv[1]).put("evidence/check/object", bytes(300_000_000)))
"""


@pytest.mark.crash
async def test_a_part_of_an_object_is_swept(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = (sys.executable, "-c", _WRITER, str(tmp_path))
    ended = await asyncio.to_thread(subprocess.run, command, env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert [path.name for path in _files(tmp_path)] == ["object#1"]
    store, now = open_object_store(str(tmp_path)), datetime.now(UTC)
    assert [info.key async for info in store.list("")] == []
    # It may be the part of an object that another replica writes now.
    assert await store.remove_interrupted("evidence", older_than=now - timedelta(hours=1)) == 0
    assert await store.remove_interrupted("evidence", older_than=now + timedelta(hours=1)) == 1
    assert _files(tmp_path) == []


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
