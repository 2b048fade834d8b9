"""The sample bank, started as a person starts it, and walked through in Chromium.

Its sandbox server decides as it was asked to. A scan that real models decide runs the same page of the
server, and the same calls of a backend, in ``test_hosted_page.py``.
"""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.docs.pages import REPOSITORY
from tests.ports import held_port
from tests.server.process.server_process import FACEGATE
from tests.web.conftest import SERVER_PACKAGE, Recordings, run_script

pytestmark = pytest.mark.slow

_PERSON = "live/KwaiVGI__assets__examples__driving__d13.mp4"
_START_SECONDS = 90


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bank(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a bank, which ``npm start`` started with a server of its own, both on free ports."""
    folder = tmp_path_factory.mktemp("bank")
    for path in (REPOSITORY / "examples" / "bank").iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    (folder / "node_modules" / "@facegate").mkdir(parents=True)
    (folder / "node_modules" / "@facegate" / "server").symlink_to(SERVER_PACKAGE)
    with held_port() as port, held_port() as page:
        address = f"http://localhost:{port}/"
        endpoint = {
            "tenant": "default",
            "url": f"http://127.0.0.1:{port}/facegate",
            "secret_files": ["run/webhook-secret.txt"],
            "sandbox": "also",
            "allow_private": True,
        }
        chosen = {
            **{f"FACEGATE_LISTENERS__{name}__PORT": "0" for name in ("DEVICE", "SERVICE", "ADMIN")},
            "FACEGATE_LISTENERS__WEB__PORT": str(page),
            "FACEGATE_LISTENERS__WEB__HOSTED__ORIGIN": f"http://localhost:{page}",
            "FACEGATE_LISTENERS__WEB__HOSTED__RETURN_URLS": json.dumps([f"{address}done"]),
            "FACEGATE_WEBHOOKS__ENDPOINTS": json.dumps({"bank": endpoint}),
            "BANK_PORT": str(port),
            "BANK_SERVER": str(FACEGATE),
        }
        process = await asyncio.create_subprocess_exec(
            *("npm", "--silent", "start"),
            cwd=folder,
            env=os.environ | chosen,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(_START_SECONDS):
                while (
                    line := await process.stdout.readline()
                ) != f"The bank is open: {address[:-1]}\n".encode():
                    assert line, "the bank did not open"
            yield address
        finally:
            os.killpg(process.pid, 15)
            await process.wait()


async def test_a_second_bank_names_the_port_of_the_first(bank: str) -> None:
    port = bank[:-1].rpartition(":")[2]
    process = await asyncio.create_subprocess_exec(
        *("node", str(REPOSITORY / "examples" / "bank" / "start.mjs")),
        env=os.environ | {"BANK_PORT": port},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    wanted = f"The bank cannot open at port {port}: something listens there, such as another bank: stop it"
    assert said.decode().startswith(wanted)
    assert said.count(b"\n") == 1


async def test_an_address_that_is_none_is_refused(bank: str) -> None:
    for _ in range(2):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(bank[:-1].rpartition(":")[2]))
        writer.write(b"GET // HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
        writer.close()


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("verified", "Your account is open."),
        ("fault of the server", "Something failed on our side. Please try again. SERVER_FAULT"),
    ],
)
async def test_a_customer_sees_the_outcome(
    bank: str,
    recording: Recordings,
    tmp_path: Path,
    outcome: str,
    said: str,
) -> None:
    person = recording(_PERSON)
    portrait = tmp_path / "portrait.jpg"
    portrait.write_bytes(person.portrait)
    job = {"address": bank, "portrait": str(portrait), "outcome": outcome}
    answer = await run_script("bank", job | {"video": str(person.camera)})
    assert answer.get("error") is None, answer["error"]
    assert answer["said"] == said
    assert answer["returned"].startswith(f"{bank}done?check_id=")
    assert answer["others"] == "no such application"
    assert answer["violations"] == []
