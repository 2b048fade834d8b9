"""Files that a user names and that no command can use: each command says so in a sentence."""

import asyncio
import io
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from server.keyring.key_files import KeyFiles
from server.keyring.keys import KeyFolder
from tests.packs import real_pack
from tests.server.databases import make_tables
from tests.server.live import portrait

_RUN = CliRunner()


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("subject.json", "[]")
        archive.writestr("manifest.json", "{}")
    return file.getvalue()


_CONTENTS = {
    "empty": b"",
    "binary": bytes(range(256)) * 40,
    "text": b"hello\n",
    "number": b"7",
    "deep": b"[" * 100_000,
    "members": b'{"keys": [null], "key": [1], "entries": 3}',
    "archive": _zip(),
    "cut archive": _zip()[:-30],
    "PEM": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "cut image": b"\xff\xd8\xff\xe0\x00\x10JFIF\0" + b"\0" * 100,
}

_COMMANDS = [
    "verify --trusted FILE --simulate genuine",
    "verify --trusted ok.jpg --scan FILE",
    "verify --ticket FILE --scan ok.jpg",
    "verify --trusted ok.jpg --simulate genuine --ca FILE",
    "verify --trusted ok.jpg --simulate genuine --jwks FILE",
    "verify --trusted ok.jpg --simulate genuine --test-device FILE/android",
    "analyze FILE",
    "image inspect FILE",
    "image convert FILE out.jpg",
    "attest inspect FILE",
    "attest inspect ok.jpg --revocation FILE",
    "models import FILE --to made --weights terms --training-data terms",
    "result verify FILE --jwks audit-jwks.json",
    "result verify ok.jpg --jwks FILE",
    "checks list --service localhost:1 --ca FILE",
    "checks list --service localhost:1 --ca FILE --cert FILE --key FILE",
    "evaluate match --identities FILE",
    "evaluate pad --dataset FILE",
    "--config FILE config show",
    "policy show FILE",
    "audit verify --export ok.jsonl --jwks FILE",
    "audit verify --export FILE --jwks audit-jwks.json",
    "audit verify --witness FILE",
    "audit verify --timestamp-roots FILE",
    "restore database FILE",
    "restore objects FILE",
    "restore keys FILE --key-file backup.key",
    "restore keys ok.jpg --key-file FILE",
]

_USABLE = {
    ("--config FILE config show", "empty"),
    ("image inspect FILE", "cut image"),
    ("restore objects FILE", "a folder"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad-files")
    for name, content in {
        **_CONTENTS,
        "ok.jpg": portrait(),
        "backup.key": b"A" * 43 + b"=",
        "ok.jsonl": b"",
    }.items():
        path = folder / name
        path.touch(0o600)
        path.write_bytes(content)
        manifest = folder / f"{name}.manifest.json"
        manifest.write_bytes(content)
    (folder / "a folder").mkdir()
    KeyFolder(KeyFiles(folder / "data" / "keys"))
    asyncio.run(make_tables(f"sqlite:///{folder / 'data' / 'facegate.db'}"))
    environment = {"FACEGATE_DATA_DIR": str(folder / "data")}
    keys = _RUN.invoke(app, ["audit", "export", "--keys"], env=environment)
    assert keys.exit_code == 0, keys.output
    (folder / "audit-jwks.json").write_text(keys.stdout)
    return folder


@pytest.mark.parametrize("command", _COMMANDS)
def test_a_file_that_cannot_be_used_is_a_sentence(
    folder: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(folder / "data"))
    # It would be loaded anew for each file.
    monkeypatch.setattr("cli.analyze.command.load_pack", lambda *_, **__: real_pack())
    for name in (*_CONTENTS, "nothing", "ok.jpg/below", "n" * 300, "a folder"):
        result = _RUN.invoke(app, [name if word == "FILE" else word for word in command.split()])
        if (command, name) not in _USABLE:
            assert isinstance(result.exception, SystemExit), (name, result.exception)
            assert result.output.strip(), name
            if command.startswith("audit verify") and name in {"nothing", "text"}:
                # 1 says that the log was changed.
                assert result.exit_code == 2, (name, result.output)
