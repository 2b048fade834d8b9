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


@pytest.mark.slow
async def test_the_server_tightens_file_permissions_of_an_earlier_version(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    async with home.serving() as server:
        await _check(server)
        await server.kill()
    wide = [home.data, home.data / "objects", home.data / "keys", *home.data.glob("facegate.db*")]
    for path in wide:
        path.chmod(0o755 if path.is_dir() else 0o644)
    async with home.serving(umask=0):
        found = {str(path): stat.S_IMODE(path.stat().st_mode) & 0o077 for path in wide if path.exists()}
    assert set(found.values()) == {0}, found
