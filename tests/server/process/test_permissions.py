"""Whatever the umask, only the owner may read or change a server's files."""

import stat
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.server.live import pictures
from tests.server.process.server_process import DataFolder, ServerProcess
from tests.server.raw_device import RawDevice


async def _check(server: ServerProcess) -> None:
    """A whole check, with an image as evidence."""
    upload = await server.upload(str(uuid4()))
    stream = await RawDevice(server.device, upload).open()
    await stream.run_attempt(pictures()[:9])
    assert await stream.outcome() is None
    assert (await server.finish(upload.check_id)).evidence_frame.image


def _modes(folder: Path) -> Iterator[tuple[str, int]]:
    for path in (folder, *folder.rglob("*")):
        status = path.stat()
        yield f"{path.relative_to(folder)}{'/' if path.is_dir() else ''}", stat.S_IMODE(status.st_mode)


@pytest.mark.slow
async def test_a_server_makes_files_for_its_owner_only(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    async with home.serving(umask=0) as server:
        await _check(server)
        found = dict(_modes(home.data))
    assert {"./", "keys/", "objects/", "facegate.db", "facegate.db-wal", "facegate.db-shm"} <= found.keys()
    assert any(name.startswith("objects/evidence/") and not name.endswith("/") for name in found)
    assert {
        name: mode for name, mode in found.items() if mode != (0o700 if name.endswith("/") else 0o600)
    } == {}
