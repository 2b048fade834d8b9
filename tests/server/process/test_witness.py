"""The audit log's witness beside keys that the server cannot write, as they are mounted."""

import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from facegate.v1 import verification_service_pb2 as service_pb2

from tests.server.live import until
from tests.server.object_stores import running_s3
from tests.server.private_files import private
from tests.server.process.server_process import FACEGATE, DataFolder, ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_ORDINARY = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
"""Takes root's right to write everywhere, so that permissions hold as for the user of a server."""


@pytest.fixture
def witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket; ``tests/server/test_audit_log.py`` has folders."""
    with running_s3(tmp_path) as server:
        server.make_bucket("witness")
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield "s3://witness/kept"


@dataclass(frozen=True)
class _Machine:
    """A deployment, the folder of its keys, and what its commands begin with."""

    home: DataFolder
    keys: Path
    program: tuple[str, ...]

    async def run(self, *arguments: str, answer: str = "") -> tuple[int, str]:
        """Run ``facegate`` as the server's user; its exit status and what it printed."""
        process = await asyncio.create_subprocess_exec(
            *self.program,
            *arguments,
            env=os.environ | {"FACEGATE_CONFIG": str(self.home.config)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output = (await process.communicate(answer.encode()))[0].decode()
        assert process.returncode is not None
        return process.returncode, output

    async def stop(self, server: ServerProcess) -> None:
        server.terminate()
        assert await server.ended() == 0


@pytest_asyncio.fixture
async def machine(witness: str, tmp_path: Path) -> _Machine:
    program: tuple[str, ...] = (FACEGATE,)
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may write everywhere, and setpriv is not there")
        program = (*_ORDINARY, FACEGATE)
    keys = tmp_path / "keys"
    home = DataFolder(tmp_path / "home", keys={"folder": str(keys)}, audit={"witness_url": witness})
    machine = _Machine(home, keys, program)
    async with home.serving() as server:
        await machine.stop(server)
    for path in keys.iterdir():
        path.chmod(0o400)
    keys.chmod(0o500)
    code, told = await machine.run("keys", "rotate", "audit")
    assert code == 2, told
    assert "audit-0002.pem: cannot be written" in told
    return machine


async def _signing_stopped(server: ServerProcess) -> bool:
    url = f"http://127.0.0.1:{server.admin_port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return "facegate_audit_signing_stopped 1.0" in await answer.text()


async def _check(server: ServerProcess) -> None:
    upload = await server.upload(str(uuid4()))
    await server.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=upload.check_id))
    await server.finish(upload.check_id)


async def _witnessed(machine: _Machine) -> tuple[bool, str]:
    """Whether the log is whole, and what it was compared with."""
    code, told = await machine.run("audit", "verify", "--json")
    assert code in {0, 1}, told
    found = {each["tenant"]: each for each in json.loads(told)}
    assert all(each["whole"] for each in found.values()) is (code == 0)
    return code == 0, found["*"]["witness"]


async def test_a_server_with_keys_it_cannot_write_keeps_and_obeys_its_witness(machine: _Machine) -> None:
    database = machine.home.data / "facegate.db"
    older = database.read_bytes()
    before = {path.name: path.read_bytes() for path in machine.keys.iterdir()}

    async with machine.home.serving(program=machine.program) as server:
        await _check(server)
        await machine.stop(server)
    whole, compared = await _witnessed(machine)
    assert whole
    assert compared.startswith("the server's, up to checkpoint")

    # An older database comes back: nothing is signed, and checks go on.
    for file in machine.home.data.glob("facegate.db*"):
        file.unlink()
    private(database, older)
    async with machine.home.serving(program=machine.program) as server:
        await until(lambda: _signing_stopped(server))
        await _check(server)

        # The audited command accepts it, beside the running server.
        code, told = await machine.run("audit", "accept", "--reason", "a restored backup", answer="y\n")
        assert code == 0, told
        whole, accepted = await _witnessed(machine)
        assert whole
        assert accepted != compared
        await machine.stop(server)
    assert {path.name: path.read_bytes() for path in machine.keys.iterdir()} == before
