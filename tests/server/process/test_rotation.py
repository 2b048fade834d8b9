"""Two servers over one database and one key folder while keys are rotated."""

import json
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from facegate_client.result_signature import KeySet, load_key_set, verify_response
from server.keyring.key_files import KeyFiles
from server.keyring.key_rotation import rotate_key
from tests.server.live import pictures, until
from tests.server.process.server_process import DataFolder, ServerProcess
from tests.server.raw_device import RawDevice


async def _read(server: ServerProcess, files: int) -> None:
    """Waits until a server read that many key files again."""

    async def read() -> bool:
        entries = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
        return any(entry["event"] == "keys_read" and len(entry["files"]) == files for entry in entries)

    await until(read)


async def _published(server: ServerProcess) -> KeySet:
    url = f"http://127.0.0.1:{server.admin_port}/.well-known/jwks.json"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return load_key_set(await answer.read())


@pytest.mark.slow
async def test_checks_keep_their_keys_across_a_rotation_and_replicas(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    keys = home.data / "keys"
    async with home.serving() as first:
        before = await first.upload(str(uuid4()))
        for purpose in ("token", "challenge", "result", "evidence"):
            rotate_key(KeyFiles(keys), purpose)
        await _read(first, files=10)
        async with home.serving() as second:
            after = await second.upload(str(uuid4()))
            assert after.challenge_key_sha256 != before.challenge_key_sha256
            # Each is scanned and finished at the server that did not make it: the device verifies the
            # Challenge with the key that it pinned.
            for server, upload in ((second, before), (first, after)):
                stream = await RawDevice(server.device, upload).open()
                await stream.run_attempt(pictures()[:9])
                assert await stream.outcome() is None
                answer = await server.finish(upload.check_id)
                assert answer.evidence_frame.image
                # Either server publishes the keys of both.
                for publisher in (first, second):
                    published = await _published(publisher)
                    verify_response(answer, published, check_id=upload.check_id, accept_sandbox=True)
