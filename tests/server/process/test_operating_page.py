"""The worked examples of docs/operating.md as they stand there, with a server process and its data."""

import asyncio
import os
import re
import shlex
import sys
import zipfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.pages import REPOSITORY, code_blocks
from tests.server.live import pictures, portrait, until
from tests.server.process.server_process import FACEGATE, DataFolder, ServerProcess

pytestmark = pytest.mark.slow


def _lines(having: str) -> list[str]:
    """The commands of the block with this text, without their prompts."""
    (text,) = (
        block.text for block in code_blocks(REPOSITORY / "docs" / "operating.md") if having in block.text
    )
    return [line[2:] for line in text.replace("\\\n", " ").splitlines() if line.startswith("$ ")]


@dataclass
class _Machine:
    """A machine whose folders lie below one of the test.

    Attributes:
        names: What takes the place of a name in the page.
    """

    folder: Path
    home: DataFolder
    names: dict[str, str]
    server: ServerProcess | None = None
    stack: AsyncExitStack | None = None

    async def start(self) -> ServerProcess:
        self.stack = AsyncExitStack()
        self.server = await self.stack.enter_async_context(self.home.serving())
        self.names["facegate.bank.example:8444 --ca ca.pem"] = self.server.service_target
        return self.server

    async def stop(self) -> None:
        assert self.server is not None
        assert self.stack is not None
        self.server.terminate()
        assert await self.server.ended() == 0
        await self.stack.aclose()

    async def run(self, line: str) -> str:
        """Run a line of the page; systemctl is the test's own."""
        if line == "systemctl stop facegate":
            await self.stop()
            return ""
        if line == "systemctl start facegate":
            await self.start()
            return ""
        for name, here in self.names.items():
            line = line.replace(name, here)
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", line),
            cwd=self.folder,
            env=os.environ | {"PATH": f"{Path(FACEGATE).parent}:{os.environ['PATH']}"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output = (await process.communicate(b"y\n"))[0].decode()
        # With warnings alone, doctor ends with 4.
        assert process.returncode == 0 or (process.returncode == 4 and "doctor" in line), output
        return output

    async def check(self) -> str:
        """Make a check with a scan, and return its identifier."""
        assert self.server is not None
        line = (
            "facegate verify --trusted portrait.jpg --scan scan --api-key-file anna.txt --json "
            f"--service {self.server.service_target} --device {self.server.device_target} || test $? = 1"
        )
        (found,) = re.findall(r'"check_id": "([^"]+)"', await self.run(line))
        return str(found)

    async def export(self, check_id: str, line: str) -> set[str]:
        """Export a check as the page does, and return the names in the archive."""
        await self.run(line.replace("CHECK", check_id, 1))
        with zipfile.ZipFile(self.folder / "restored.zip") as archive:
            return set(archive.namelist())


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Machine:
    for name in ("backup", "key-backup", "safe", "scan"):
        (tmp_path / name).mkdir()
    for number, picture in enumerate(pictures(count=60)):
        (tmp_path / "scan" / f"{number:02}.jpg").write_bytes(picture.jpeg)
    (tmp_path / "portrait.jpg").write_bytes(portrait())
    free = {"port": 0}
    home = DataFolder(
        tmp_path / "home",
        keys={"folder": str(tmp_path / "keys")},
        audit={"witness_url": str(tmp_path / "witness")},
        listeners={
            "device": free,
            "service": free | {"api_keys_file": str(tmp_path / "api_keys.toml")},
            "admin": free,
        },
    )
    monkeypatch.setenv("FACEGATE_CONFIG", str(home.config))
    places: Mapping[str, Path] = {
        "/var/lib/facegate-keys": tmp_path / "keys",
        "/var/lib/facegate": home.data,
        "/var/lost": tmp_path / "lost",
        " /backup": tmp_path / "backup",
        "/key-backup": tmp_path / "key-backup",
        "/safe": tmp_path / "safe",
    }
    names = {name: f"{' ' * name.startswith(' ')}{here}" for name, here in places.items()}
    return _Machine(tmp_path, home, names)


_KEY = (
    "facegate keys new-api-key anna --role orchestrator --role compliance_reader --file api_keys.toml "
    "--out anna.txt"
)


async def _has_read(server: ServerProcess, file: str) -> bool:
    lines = (await server.written()).splitlines()
    return any('"keys_read"' in line and file in line for line in lines)


@pytest.mark.long
async def test_a_backup_is_restored(machine: _Machine) -> None:
    *restoring, export = _lines("facegate restore database")
    await machine.run(_KEY)
    await machine.start()
    kept = await machine.check()
    for line in _lines("facegate backup objects"):
        await machine.run(line)
    # The server that ends gives the witness the checkpoints that the backup lacks.
    lost = await machine.check()

    told = {}
    for line in restoring:
        if not line.startswith("chown"):
            told[line.partition(" #")[0].strip()] = await machine.run(line)
    assert " 1 check" in told["facegate restore database /backup/facegate.backup"]
    assert "an operator accepted" in told["facegate audit verify"]
    assert "0 failures" in told["facegate doctor --skip backup"]
    with pytest.raises(AssertionError, match="CHECK_NOT_FOUND"):
        await machine.export(lost, export)
    assert "images/evidence_frame.jpg" in await machine.export(kept, export)
    await machine.stop()


_SOON = (
    "import datetime; from cli.main import main; from server.keyring import key_rotation; "
    "key_rotation._SETTLED = datetime.timedelta(seconds=1); main()"
)
"""The program, for which the minute after which a retired key may be destroyed is a second."""


@pytest.mark.long
async def test_an_evidence_key_is_replaced(machine: _Machine) -> None:
    *_, export = _lines("facegate restore database")
    await machine.run(_KEY)
    server = await machine.start()
    before = await machine.check()
    await machine.run("umask 077; openssl rand -base64 32 > /safe/backup.key")
    machine.names["facegate keys destroy"] = shlex.join([sys.executable, "-c", _SOON, "keys", "destroy"])
    for line in _lines("facegate keys destroy 1 "):
        if line.startswith("facegate keys destroy"):
            await asyncio.sleep(1)
        await machine.run(line)
        if line.startswith("facegate keys rotate"):
            await until(lambda: _has_read(server, "evidence-0002.key"))
    assert sorted(path.name for path in (machine.folder / "keys").glob("evidence-*")) == ["evidence-0002.key"]
    assert "images/evidence_frame.jpg" in await machine.export(before, export)
    await machine.stop()
