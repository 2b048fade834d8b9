"""The server and the program in Node.js of docs/orchestrator.md, as they stand there."""

import asyncio
import sqlite3
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import REPOSITORY, CodeBlock, code_blocks, commands, program_of
from tests.server.analysis.uploads import genuine, video
from tests.server.live import portrait
from tests.server.process.server_process import FACEGATE, DataFolder, run_facegate
from tests.web.conftest import SDK

pytestmark = pytest.mark.slow

_BLOCKS = list(code_blocks(REPOSITORY / "docs" / "orchestrator.md"))
_REQUEST = "0d4ad5a6-8f8f-4d43-9b02-3c8a5f6e7d11"


def _block(language: str, having: str) -> CodeBlock:
    (found,) = (block for block in _BLOCKS if block.language == language and having in block.text)
    return found


async def _run(folder: Path, *words: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *words, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_the_program_in_node_reads_the_verdict_of_a_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    certificate, new_key, serve, fetch = (list(words) for words in commands(_block("console", "openssl req")))
    for words in (certificate, [FACEGATE, *new_key[1:]]):
        code, output = await _run(tmp_path, *words)
        assert code == 0, output
    assert serve == ["facegate", "serve", "--config", "facegate.toml"]
    listeners = tomllib.loads(_block("toml", "api_keys_file").text)["listeners"]
    for table in listeners.values():
        table["port"] = 0
    home = DataFolder(tmp_path / "home", listeners=listeners | {"admin": {"port": 0}})

    (tmp_path / "verify_result.mjs").write_text(_block("javascript", "function verifyResult").text)
    (tmp_path / "node_modules").symlink_to(SDK / "node_modules")
    (tmp_path / "protos").symlink_to(REPOSITORY / "protos")
    (tmp_path / "portrait.jpg").write_bytes(portrait())
    (tmp_path / "selfie.mp4").write_bytes(video(genuine(26)))
    program = _block("javascript", "UploadTrustedImage").text
    async with home.serving() as server:
        assert '"localhost:8444"' in program
        targets = (server.service_target, server.device_target)
        service, device = (f"localhost:{target.rpartition(':')[2]}" for target in targets)
        (tmp_path / "check.mjs").write_text(program.replace("localhost:8444", service))
        fetched = [word.replace("8445", str(server.admin_port)) for word in fetch]
        assert (await _run(tmp_path, *fetched))[0] == 0

        node, scan = (program_of(list(words)) for words in commands(_block("console", "check.mjs")))
        checking = asyncio.create_task(_run(tmp_path, node[0], *node[1], _REQUEST))
        while not (tmp_path / "challenge-key.txt").exists():
            assert not checking.done(), checking.result()
            await asyncio.sleep(0.05)
        key = (tmp_path / "challenge-key.txt").read_text()
        here = {"$(cat challenge-key.txt)": key, "localhost:8443": device}
        scanned, _, shown = await run_facegate(*(here.get(word, word) for word in scan[1]))
        assert scanned in {0, 1}, shown
        code, output = await checking
        assert code == 0, output
        states, verdict = output.splitlines()[:-1], output.splitlines()[-1]
        assert states[0] == "STATE_WAITING"
        assert states[-1] == "STATE_DECIDED"
        # Whether a busy machine sends enough frames for SUCCESS or not: what the device learned.
        assert verdict.startswith("verified" if scanned == 0 else "not verified"), output

        # Another process, with the requestId that was kept: the same check, and its result.
        code, output = await _run(tmp_path, node[0], *node[1], _REQUEST)
        assert code == 0, output
        assert output.splitlines()[-1] == verdict

        # A refusal: its reason in a sentence.
        code, output = await _run(tmp_path, node[0], *node[1], "no uuid")
        assert (code, output.startswith("INVALID_FIELD: "), output.count("\n")) == (1, True, 1), output
    with sqlite3.connect(home.data / "facegate.db") as database:
        assert database.execute("SELECT count(*) FROM checks").fetchone() == (1,)
