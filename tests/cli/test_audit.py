"""``facegate audit`` and the commands that the audit log records."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from facegate.v1 import audit_pb2
from sqlalchemy import Connection, text
from typer.testing import CliRunner, Result

from cli.main import app
from facegate_client import Compliance
from server.audit import (
    Actor,
    AuditAction,
    AuditEvent,
    CheckpointKeys,
    CheckpointSigner,
    LogChanged,
    subject_hash,
)
from server.configuration.loading import load_settings
from server.keyring.key_files import KeyFiles
from server.keyring.key_rotation import rotate_key
from server.keyring.keys import KeyFolder, read_audit_keys
from server.running.timestamps import TimestampAuthority, TimestampRoots
from server.storage.audit import AuditLog
from server.storage.audit_reader import AuditReader
from server.storage.audit_witness import AuditWitness
from server.storage.database import open_database
from tests.server.certificates import local_authority
from tests.server.compliance.office import Office, open_office
from tests.server.live import until

_RUN = CliRunner()
_NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
_CHECK = UUID("12345678-1234-5678-1234-567812345678")


class _Scene:
    """A server's folder with entries of two tenants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = KeyFolder(KeyFiles(folder / "keys")).keys
        self.url = load_settings(None).settings.database_url

    def append(
        self,
        count: int,
        *,
        tenant: str = "bank",
        start: int = 0,
        subject: str = "",
        detail: dict[str, str] | None = None,
    ) -> None:
        async def work() -> None:
            database = open_database(self.url)
            for index in range(start, start + count):
                event = AuditEvent(
                    tenant=tenant,
                    action=AuditAction.EVIDENCE_READ,
                    actor=Actor(name="anna", role="compliance_reader", address="192.0.2.7"),
                    check_id=_CHECK,
                    subject=subject_hash(self.keys.memory.tenant_key(tenant), subject),
                    purpose="[red]complaint[/red]",
                    detail=detail or {},
                )
                await AuditLog(database).append(event, now=_NOW + timedelta(minutes=index))
            await database.close()

        asyncio.run(work())

    def checkpoint(self, *, witness: bool = False) -> None:
        """Sign as a server does, with a witness or, as if somebody removed it afterwards, without."""

        async def work() -> None:
            database = open_database(self.url)
            log, kept = AuditLog(database), AuditWitness(load_settings(None).settings.witness_url)
            await log.checkpoint(self.keys.audit, now=datetime.now(UTC), witnessed=await kept.read())
            if witness:
                await kept.write(log.witness, position=log.position)
            await database.close()

        asyncio.run(work())

    def stamp(self) -> Path:
        """Stamp the newest checkpoints; return the roots of the authority."""

        async def work() -> Path:
            database = open_database(self.url)
            log = AuditLog(database)
            async with local_authority(self.folder / "authority") as authority:
                client = TimestampAuthority(authority.url, TimestampRoots(authority.roots))
                for signed in await log.without_timestamp(10):
                    await log.add_timestamp(signed, await client.stamp(signed.jws.encode()))
            await database.close()
            return authority.roots

        return asyncio.run(work())

    def tamper(self, *statements: str) -> None:
        def work(connection: Connection) -> None:
            for table in ("events", "heads", "checkpoints"):
                for change in ("update", "delete"):
                    connection.execute(text(f"DROP TRIGGER IF EXISTS audit_{table}_{change}"))
            for statement in statements:
                connection.execute(text(statement))

        async def run() -> None:
            database = open_database(self.url)
            await database.write(work)
            await database.close()

        asyncio.run(run())

    def run(self, *words: str, code: int = 0) -> str:
        result = _RUN.invoke(app, ["audit", *words])
        assert result.exit_code == code, result.output
        return result.stdout

    def save(self, name: str, *words: str) -> Path:
        file = self.folder / name
        file.write_text(self.run(*words))
        return file

    def export(self, *words: str) -> tuple[Path, tuple[str, ...]]:
        """Save an export; return it with the words that verify it offline."""
        file, keys = self.save("audit.jsonl", "export", *words), self.save("jwks.json", "export", "--keys")
        return file, ("verify", "--export", str(file), "--jwks", str(keys))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that each scene copies."""
    folder = tmp_path_factory.mktemp("audit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEGATE_DATA_DIR", str(folder))
        assert _RUN.invoke(app, ["db", "upgrade"]).exit_code == 0
        made = _Scene(folder)
        made.append(5)
        made.append(2, tenant="branch")
        made.checkpoint()
        made.append(1, start=5)
    return folder


@pytest.fixture
def scene(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Scene:
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path))
    return _Scene(tmp_path)


def test_a_whole_log_is_verified(scene: _Scene) -> None:
    assert "bank: whole; 6 entries, 1 checkpoint, signed up to entry 5" in scene.run("verify")
    assert "branch" not in scene.run("verify", "--tenant", "bank")
    report, all_logs = json.loads(scene.run("verify", "--tenant", "bank", "--json"))
    assert (all_logs["tenant"], all_logs["whole"], all_logs["checkpoints"]) == ("*", True, 2)
    assert (report["whole"], report["entries"], report["covered"], report["problems"]) == (True, 6, 5, [])


def test_a_changed_log_is_reported(scene: _Scene) -> None:
    scene.tamper("UPDATE audit_events SET purpose = 'other' WHERE tenant = 'bank' AND sequence = 2")
    shown = scene.run("verify", code=1)
    assert "bank: CHANGED" in shown
    assert "altered at 2" in shown
    assert "branch: whole" in shown


def test_an_export_is_verified_without_the_server(
    scene: _Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export, words = scene.export()
    kinds = [line["type"] for line in _lines(export) if line["tenant"] == "bank"]
    assert kinds == ["entry"] * 6 + ["checkpoint", "head"]
    # By default with the keys of the key folder.
    assert "bank: whole; 6 entries" in scene.run("verify", "--export", str(export))
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("FACEGATE_CONFIG", str(tmp_path / "none.toml"))
    assert "bank: whole; 6 entries" in scene.run(*words)
    assert not (tmp_path / "elsewhere").exists()


def _lines(export: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in export.read_text().splitlines()]


def _write(export: Path, lines: list[dict[str, Any]]) -> None:
    export.write_text("\n".join(map(json.dumps, lines)) + "\n")


_CHANGES: dict[str, Callable[[list[str]], list[str]]] = {
    "altered": lambda lines: [lines[0].replace("complaint", "compliment"), *lines[1:]],
    "removed": lambda lines: [lines[0], *lines[2:]],
    "doubled": lambda lines: [lines[0], *lines],
    "reordered": lambda lines: [lines[1], lines[0], *lines[2:]],
    "truncated": lambda lines: [*lines[:5], *lines[6:]],
    "cut": lambda lines: lines[:4],
    "cut with its head": lambda lines: [*lines[:3], lines[6]],
}


def test_a_changed_export_is_reported(scene: _Scene) -> None:
    export, words = scene.export("--tenant", "bank")
    lines = export.read_text().splitlines()
    for name, change in _CHANGES.items():
        export.write_text("\n".join(change(lines)) + "\n")
        assert "CHANGED" in scene.run(*words, code=1), name


def _changed(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield values that differ in one place, also in the type alone, with the place."""
    match value:
        case dict():
            for name, inner in value.items():
                for place, other in _changed(inner):
                    yield f"{name} {place}", value | {name: other}
                yield f"without {name}", {key: kept for key, kept in value.items() if key != name}
            yield "with more", value | {"comment": "approved"}
        case int():
            yield from ((repr(other), other) for other in (value + 1, -value, float(value), True, str(value)))
        case str():
            others = (f"{value}1", value[1:], value.upper(), None)
            yield from ((repr(other), other) for other in others if other != value)
        case _:
            yield from ((repr(other), other) for other in ("", "1", 0, False))


def test_a_change_of_any_field_of_an_exported_entry_is_reported(scene: _Scene) -> None:
    scene.append(1, start=6, subject="customer-1", detail={"images": "2", "Ärger": "groß"})
    scene.append(1, start=7)
    export, words = scene.export("--tenant", "bank")
    lines = export.read_text().splitlines()
    missed = []
    for index in (6, 5):
        assert json.loads(lines[index])["sequence"] == index + 1
        for change, changed in _changed(json.loads(lines[index])):
            export.write_text("\n".join([*lines[:index], json.dumps(changed), *lines[index + 1 :]]) + "\n")
            if _RUN.invoke(app, ["audit", *words]).exit_code == 0:
                missed.append((index, change))
    assert missed == []
    export.write_text("\n".join([*lines[:6], lines[6].replace('"groß"', '"klein"', 1), *lines[7:]]) + "\n")
    shown = scene.run(*words, code=1)
    assert "altered at 7: fields of its line are not what its hash covers: detail\n" in shown
    doubled = lines[6].replace('"time":', '"time":"2020-01-01T00:00:00.000000Z","time":')
    export.write_text("\n".join([*lines[:6], doubled, *lines[7:]]) + "\n")
    result = _RUN.invoke(app, ["audit", *words])
    assert result.exit_code == 2
    assert "line 7: it has a field twice" in result.stderr


def test_keys_of_another_installation_do_not_verify(scene: _Scene, tmp_path: Path) -> None:
    jwks = CheckpointSigner(ec.generate_private_key(ec.SECP256R1())).jwks()
    (tmp_path / "jwks.json").write_text(json.dumps(jwks))
    (tmp_path / "audit.jsonl").write_text(scene.run("export"))
    for place in ((), ("--export", str(tmp_path / "audit.jsonl"))):
        shown = scene.run("verify", *place, "--jwks", str(tmp_path / "jwks.json"), code=1)
        assert "checkpoint_invalid at 1" in shown
        assert "bank: cannot be verified without the keys of" in shown
        assert "CHANGED" not in shown


def test_checkpoints_of_a_retired_key_stay_valid(scene: _Scene, tmp_path: Path) -> None:
    assert _RUN.invoke(app, ["keys", "rotate", "audit"]).exit_code == 0
    assert (
        _RUN.invoke(app, ["keys", "retire", "1", "--purpose", "audit", "--reason", "yearly"]).exit_code == 0
    )
    assert {path.name for path in (tmp_path / "keys").glob("audit-*")} == {"audit-0001.pub", "audit-0002.pem"}
    assert "bank: whole; 6 entries, 1 checkpoint, signed up to entry 5" in scene.run("verify")
    retired = json.loads(scene.run("export", "--keys"))["keys"][1]
    assert retired["iat"] <= retired["exp"]
    entries = [json.loads(line) for line in scene.run("show", "--tenant", "_server", "--json").splitlines()]
    assert [(entry["action"], entry["purpose"], entry["detail"]) for entry in entries] == [
        ("key.rotated", "", {"purpose": "audit"}),
        ("key.retired", "yearly", {"purpose": "audit", "number": "1"}),
    ]
    assert {entry["actor"]["role"] for entry in entries} == {"shell"}


def test_a_key_is_not_rotated_without_an_entry(scene: _Scene, tmp_path: Path) -> None:
    scene.tamper("CREATE TRIGGER full BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'full'); END")
    assert _RUN.invoke(app, ["keys", "rotate", "result"]).exit_code == 2
    assert not (tmp_path / "keys" / "result-0002.pem").exists()


def test_a_rotation_that_fails_leaves_no_entry(scene: _Scene) -> None:
    assert _RUN.invoke(app, ["keys", "retire", "1"]).exit_code == 2
    assert scene.run("show", "--tenant", "_server", "--json") == ""


def test_a_tenant_that_was_removed_is_found_by_an_earlier_export(scene: _Scene) -> None:
    export = scene.save("earlier.jsonl", "export")
    scene.tamper(*(statement.replace("bank", "branch") for statement in _FORGERIES["a tenant"]))
    assert "branch" not in scene.run("verify")
    assert "branch: CHANGED" in scene.run("verify", "--witness", str(export), code=1)


def test_time_stamps_are_verified(scene: _Scene) -> None:
    roots = scene.stamp()
    report, *_ = json.loads(scene.run("verify", "--timestamp-roots", str(roots), "--json"))
    assert report["timestamp"]
    export, offline = scene.export()
    offline += ("--timestamp-roots", str(roots))
    assert "time stamp of 20" in scene.run(*offline)
    lines = _lines(export)
    for line in lines:
        if line["type"] == "checkpoint" and line["tenant"] == "bank":
            line["timestamp"] = next(
                other["timestamp"] for other in lines if other["tenant"] == "branch" and "timestamp" in other
            )
    _write(export, lines)
    assert "timestamp_invalid at 1" in scene.run(*offline, code=1)


def test_an_export_may_begin_later(scene: _Scene) -> None:
    since = f"{_NOW + timedelta(minutes=3):%Y-%m-%dT%H:%M:%S}"
    export, words = scene.export("--tenant", "bank", "--since", since)
    lines = _lines(export)
    assert [(line["type"], line["sequence"]) for line in lines] == [
        ("start", 3), ("entry", 4), ("entry", 5), ("entry", 6), ("checkpoint", 5), ("head", 6),
    ]  # fmt: skip
    assert "bank: whole; 3 entries" in scene.run(*words)
    lines[0]["hash"] = "00" * 32
    _write(export, lines)
    assert "CHANGED" in scene.run(*words, code=1)
    later, words = scene.export("--tenant", "bank", "--since", "2099-01-01")
    assert [line["type"] for line in _lines(later)] == ["start", "checkpoint", "head"]
    assert "bank: whole; 0 entries" in scene.run(*words)


@pytest.mark.slow
def test_an_export_follows_new_entries(scene: _Scene, tmp_path: Path) -> None:
    words = ["export", "--tenant", "bank", "--follow"]
    # A shell that runs the tests in its background has them ignore SIGINT.
    heeds = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [sys.executable, "-c", f"{heeds}; from cli.audit import app; app()", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        first = [json.loads(process.stdout.readline()) for _ in range(7)]
        assert [line["type"] for line in first] == ["entry"] * 6 + ["checkpoint"]
        scene.append(1, start=6)
        assert json.loads(process.stdout.readline())["sequence"] == 7
        scene.checkpoint()
        assert json.loads(process.stdout.readline())["number"] == 2
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == ""
    assert process.returncode == 0


def test_a_folder_without_keys_gives_no_empty_key_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path))
    result = _RUN.invoke(app, ["audit", "export", "--keys"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert str(tmp_path / "keys") in result.stderr


def test_entries_are_shown(scene: _Scene) -> None:
    scene.append(1, start=6, subject="customer-1")
    shown = scene.run("show", "--tenant", "bank", "--last", "3")
    assert "[red]complaint[/red]" in shown
    assert "evidence.read" in shown
    assert "customer-1" not in shown

    def count(*words: str) -> int:
        return len(scene.run("show", "--tenant", "bank", "--json", *words).splitlines())

    assert count("--last", "3") == 3
    assert count("--check", str(_CHECK)) == 7
    assert count("--check", str(UUID(int=0))) == 0
    assert count("--subject", "customer-1") == 1
    assert count("--subject", "customer-2") == 0
    assert count("--actor", "nobody") == 0
    assert count("--action", "hold.placed") == 0
    assert count("--since", "2027-03-01T12:05:00") == 2


def test_entries_that_are_not_shown_are_mentioned(scene: _Scene) -> None:
    def run(*words: str) -> tuple[int, str]:
        result = _RUN.invoke(app, ["audit", "show", "--tenant", "bank", "--json", *words])
        return len(result.stdout.splitlines()), result.stderr

    count, said = run("--last", "2")
    assert count == 2
    assert "these are the newest 2" in said
    assert run("--last", "6") == (6, "")
    assert run("--last", "1", "--since", "2027-03-01T12:05:00") == (1, "")
    scene.append(15, start=6)
    count, said = run()
    assert count == 20
    assert "these are the newest 20" in said


def test_rotation_in_a_new_folder_makes_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path / "new"))
    assert _RUN.invoke(app, ["keys", "rotate", "audit"]).exit_code == 0
    assert (tmp_path / "new" / "keys" / "audit-0001.pem").exists()
    assert "_server: whole; 1 entry" in _RUN.invoke(app, ["audit", "verify"]).stdout


def test_an_unreadable_key_is_reported(scene: _Scene, tmp_path: Path) -> None:
    rotate_key(KeyFiles(tmp_path / "keys"), "audit")
    (tmp_path / "keys" / "audit-0001.pem").write_text("no key")
    result = _RUN.invoke(app, ["audit", "verify"])
    assert result.exit_code == 2
    assert "audit-0001.pem" in result.stderr


def test_accept_names_no_option_that_it_lacks(scene: _Scene, tmp_path: Path) -> None:
    (tmp_path / "facegate.db").unlink()
    result = _RUN.invoke(app, ["audit", "accept", "--reason", "none"])
    assert (result.exit_code, "no database was found" in result.stderr) == (2, True)
    assert "--service" not in result.stderr


_CUT = (
    "DELETE FROM audit_checkpoints WHERE tenant = 'bank' AND number = 2",
    "DELETE FROM audit_events WHERE tenant = 'bank' AND sequence = 6",
    "UPDATE audit_heads SET sequence = 5, hash = (SELECT hash FROM audit_events WHERE tenant = 'bank' AND "
    "sequence = 5) WHERE tenant = 'bank'",
)
_FORGERIES: dict[str, tuple[str, ...]] = {
    "the newest entry and checkpoint": _CUT,
    "a tenant": tuple(
        f"DELETE FROM {table} WHERE tenant = 'bank'"  # noqa: S608 - of this test
        for table in ("audit_events", "audit_heads", "audit_checkpoints")
    ),
    "all checkpoints of a tenant": ("DELETE FROM audit_checkpoints WHERE tenant = 'bank'",),
    "everything": tuple(f"DELETE FROM audit_{name}" for name in ("events", "heads", "checkpoints")),  # noqa: S608 - of this test
}


@pytest.mark.parametrize("forgery", _FORGERIES)
def test_what_was_removed_with_its_checkpoints_is_missing_from_the_witness(
    scene: _Scene, forgery: str
) -> None:
    scene.checkpoint(witness=True)
    assert "witness: the server's, up to checkpoint 3" in scene.run("verify")
    scene.tamper(*_FORGERIES[forgery])
    shown = scene.run("verify", code=1)
    assert "bank: CHANGED" in shown
    assert "checkpoint_removed at 2" in shown
    assert "covers the entries up to 6" in shown


def test_checkpoints_that_are_missing_between_those_of_others_need_no_witness(scene: _Scene) -> None:
    scene.append(1, tenant="branch", start=2)
    scene.checkpoint()
    scene.checkpoint()
    scene.tamper(*_FORGERIES["all checkpoints of a tenant"])
    (*_, all_logs) = json.loads(scene.run("verify", "--json", code=1))
    assert [(one["kind"], one["sequence"]) for one in all_logs["problems"]] == [
        ("checkpoint_removed", 2),
        ("checkpoint_removed", 4),
    ]
    assert "all logs: CHANGED" in scene.run(*scene.export()[1], code=1)


def test_checkpoints_without_the_positions_that_they_state_are_reported(scene: _Scene) -> None:
    scene.checkpoint(witness=True)
    scene.tamper("UPDATE audit_checkpoints SET position = NULL")
    (*logs, all_logs) = json.loads(scene.run("verify", "--json", code=1))
    for report in logs:
        assert {problem["kind"] for problem in report["problems"]} == {"checkpoint_invalid"}
    # The head of the witness must be in the chain over all logs, as the other copies.
    assert [(one["kind"], one["sequence"]) for one in all_logs["problems"]] == [
        ("checkpoint_removed", position) for position in (2, 3)
    ]


def test_an_export_without_a_tenant_is_reported_whatever_its_head_states(scene: _Scene) -> None:
    scene.append(1, tenant="branch", start=2)
    scene.checkpoint()
    export, words = scene.export()
    assert "CHANGED" not in scene.run(*words)
    lines = [line for line in _lines(export) if line["tenant"] != "bank"]
    assert (lines[-1]["type"], lines[-1]["tenant"]) == ("head", "*")
    lines[-1] |= {"sequence": 0, "hash": ""}
    _write(export, lines)
    assert "CHANGED" in scene.run(*words, code=1)
    for line in lines:
        if line["type"] == "checkpoint":
            line["position"] = 0
    _write(export, lines)
    assert "CHANGED" in scene.run(*words, code=1)


def test_an_export_without_a_head_of_all_logs_is_not_called_whole_together(scene: _Scene) -> None:
    export, words = scene.export()
    _write(export, _lines(export)[:-1])
    assert "all logs: not verified together" in scene.run(*words)


def test_an_export_without_a_head_of_all_logs_must_have_every_tenant_of_the_witness(scene: _Scene) -> None:
    whole = scene.save("earlier.jsonl", "export")
    cut, words = scene.export()
    words = (*words, "--witness", str(whole))
    _write(cut, [line for line in _lines(whole) if line["tenant"] == "bank"])
    shown = scene.run(*words, code=1)
    assert "branch: CHANGED" in shown
    assert "bank: CHANGED" not in shown
    assert "branch: CHANGED" in scene.run(*words, "--tenant", "branch", code=1)
    # As in an export of this tenant only.
    assert "bank: whole" in scene.run(*words, "--tenant", "bank")
    cut.write_text("")
    shown = scene.run(*words, code=1)
    assert "branch: CHANGED" in shown
    assert "bank: CHANGED" in shown


def test_a_tenant_without_a_log_is_named_with_those_that_have_one(scene: _Scene) -> None:
    for words in (("verify",), scene.export()[1]):
        result = _RUN.invoke(app, ["audit", *words, "--tenant", "nope"])
        assert result.exit_code == 1
        assert "nope: whole" not in result.stdout
        assert "there is no log of nope. Tenants with a log: bank, branch." in result.stderr


def test_a_saved_checkpoint_is_a_witness_in_each_of_its_forms(scene: _Scene, tmp_path: Path) -> None:
    scene.checkpoint()
    newest = next(line for line in _lines(scene.save("earlier.jsonl", "export")) if line.get("position") == 3)
    (tmp_path / "saved.jws").write_text(newest["jws"] + "\n")
    (tmp_path / "server.log").write_text(json.dumps({"event": "audit_checkpoint", "jws": newest["jws"]}))
    scene.tamper(*_CUT)
    _, offline = scene.export()
    for saved in ("earlier.jsonl", "saved.jws", "server.log"):
        witness = ("--witness", str(tmp_path / saved))
        assert "checkpoint_removed at 2" in scene.run("verify", *witness, code=1)
        assert "checkpoint_removed at 2" in scene.run(*offline, *witness, code=1)
    for content in ("nonsense", "{", "a.b"):
        (tmp_path / "saved.jws").write_text(content)
        scene.run("verify", "--witness", str(tmp_path / "saved.jws"), code=2)
    (tmp_path / "saved.jws").write_text("a.b.c")
    assert "all logs: CHANGED" in scene.run("verify", "--witness", str(tmp_path / "saved.jws"), code=1)


def test_a_witness_that_cannot_be_read_is_no_witness_that_agrees(scene: _Scene, tmp_path: Path) -> None:
    (tmp_path / "objects").write_text("no folder")
    scene.run("verify", code=2)
    (tmp_path / "objects").unlink()
    assert "compared with nothing outside" in scene.run("verify")
    assert not (tmp_path / "objects").exists()


def test_a_restored_backup_is_accepted_with_an_entry_and_its_loss_stays_visible(
    scene: _Scene, tmp_path: Path
) -> None:
    scene.checkpoint(witness=True)
    assert "nothing to accept" in scene.run("accept", "--reason", "none", "--yes")
    file = tmp_path / "facegate.db"
    backup = file.read_bytes()
    saved = scene.save("saved.jsonl", "export")
    scene.append(3, start=6)
    scene.checkpoint(witness=True)
    later = scene.save("later.jsonl", "export")
    file.write_bytes(backup)
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    assert "the log lacks this checkpoint" in scene.run("verify", code=1)
    with pytest.raises(LogChanged):
        scene.checkpoint()
    assert _RUN.invoke(app, ["audit", "accept", "--reason", "incident 12"], input="n\n").exit_code == 1
    assert _RUN.invoke(app, ["audit", "accept", "--reason", " ", "--yes"]).exit_code == 2
    assert "from checkpoint 5 on" in scene.run("accept", "--reason", "incident 12", "--yes")
    shown = scene.run("verify")
    assert "CHANGED" not in shown
    assert "lost: checkpoints 4 to 4" in shown
    for witness in (saved, later):
        assert "lost: checkpoints 4 to 4" in scene.run("verify", "--witness", str(witness))
    (entry,) = map(json.loads, scene.run("show", "--tenant", "_server", "--json").splitlines())
    assert (entry["action"], entry["purpose"]) == ("audit.accepted", "incident 12")
    assert entry["detail"]["witnessed"] == "4"
    assert "lost: checkpoints 4 to 4" in scene.run(*scene.export()[1])
    scene.append(1, start=9)
    scene.checkpoint(witness=True)
    assert "CHANGED" not in scene.run("verify")


@pytest.mark.parametrize("key", ["rotated", "made anew"])
def test_the_loss_of_an_audit_key_is_named_and_accepted(scene: _Scene, tmp_path: Path, key: str) -> None:
    if key == "rotated":
        rotate_key(KeyFiles(tmp_path / "keys"), "audit")
    lost = max((tmp_path / "keys").glob("audit-*.pem"))
    scene.keys = KeyFolder(KeyFiles(tmp_path / "keys")).keys
    kid = scene.keys.audit.jwks()["keys"][0]["kid"]
    scene.checkpoint(witness=True)
    lost.unlink()
    scene.keys = KeyFolder(KeyFiles(tmp_path / "keys")).keys
    with pytest.raises(LogChanged, match=kid):
        scene.checkpoint(witness=True)
    named = f"the key {kid} signed it, and its public half is missing from {tmp_path / 'keys'}"
    shown = scene.run("verify", code=1)
    assert named in shown
    assert "cannot be verified" in shown.splitlines()[-1]
    assert "empty" not in shown.splitlines()[-1]
    result = _RUN.invoke(app, ["audit", "accept", "--reason", "the key was lost", "--yes"])
    assert result.exit_code == 0, result.output
    assert named in result.stderr
    (entry,) = map(json.loads, scene.run("show", "--tenant", "_server", "--json").splitlines())
    assert (entry["action"], entry["detail"]["witnessed"]) == ("audit.accepted", "3")
    assert kid in entry["detail"]["first"]
    scene.append(1, start=9)
    scene.checkpoint(witness=True)
    shown = scene.run("verify", code=1)
    assert named in shown
    assert shown.splitlines()[-1] == "witness: the server's, up to checkpoint 7"


def test_a_log_that_is_empty_is_stated_with_the_name_of_its_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path))
    assert _RUN.invoke(app, ["db", "upgrade"]).exit_code == 0
    name = str(tmp_path / "facegate.db")
    for words in (["show"], ["show", "--json"], ["export"], ["verify"]):
        result = _RUN.invoke(app, ["audit", *words])
        assert result.exit_code == 0
        assert name in result.output.replace("\n", ""), words
        assert "{" not in result.stdout


def test_an_empty_export_is_no_whole_log(scene: _Scene) -> None:
    export, words = scene.export()
    export.write_bytes(b"")
    result = _RUN.invoke(app, ["audit", *words])
    assert (result.exit_code, "audit.jsonl is empty" in result.stderr) == (1, True)
    assert _RUN.invoke(app, ["audit", *words, "--json"]).exit_code == 1


@pytest.mark.parametrize(
    "words",
    [
        ["audit", "show"],
        ["audit", "verify"],
        ["audit", "export"],
        ["audit", "accept", "--reason", "none"],
        ["db", "forget-devices", "--subject", "customer-1"],
        ["retention", "run", "--dry-run"],
        ["retention", "run"],
        ["keys", "rewrap"],
        ["keys", "retire", "1"],
        ["keys", "destroy", "1"],
        ["backup", "database", "backup.gz"],
        ["backup", "objects", "copies"],
        pytest.param(["doctor"], marks=pytest.mark.slow),  # it loads the models
    ],
)
def test_no_command_but_those_that_make_one_makes_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path / "data"))
    result = _RUN.invoke(app, words)
    assert result.exit_code in {1, 2}, result.output
    assert not list(tmp_path.rglob("*.db*"))
    if words[0] == "audit" and words[1] != "accept":
        assert "--service" in result.stderr
        assert "facegate.db" in result.stderr


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    async with open_office(tmp_path_factory.mktemp("office")) as office:
        check_id = await office.check("audit-1")
        await office.of("anna").place_hold(check_id, reference="case-1", reason="court order")
        await office.of("other").list_audit_events(audit_pb2.ListAuditEventsRequest())
        database = open_database(office.live.settings.database_url)

        async def signed() -> bool:
            return bool(await AuditReader(database).checkpoints("bank"))

        await until(signed)
        await database.close()
        yield office


class Shell:
    """Runs commands on a laptop that has neither the database nor the keys of the server."""

    def __init__(self, office: Office, folder: Path) -> None:
        self.office = office
        self.folder = folder
        self.jwks = folder / "jwks.json"
        keys = CheckpointKeys(read_audit_keys(KeyFiles(office.live.settings.key_folder)))
        self.jwks.write_text(json.dumps(keys.jwks()))

    async def run(self, *words: str, by: str = "reader") -> Result:
        file = self.folder / f"{by}.key"
        await asyncio.to_thread(file.write_text, self.office.keys[by])
        target = ("--service", self.office.live.server.service_target, "--api-key-file", str(file))
        whole = ["audit", *words, *target]
        env = {"FACEGATE_DATA_DIR": str(self.folder / "data")}
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, whole, env=env))


@pytest.fixture
def shell(office: Office, tmp_path: Path) -> Shell:
    return Shell(office, tmp_path)


async def test_the_log_of_ones_tenant_is_shown(shell: Shell) -> None:
    shown = await shell.run("show", "--action", "hold.placed", "--json")
    assert shown.exit_code == 0
    (entry,) = map(json.loads, shown.stdout.splitlines())
    assert (entry["tenant"], entry["actor"]["name"]) == ("bank", "anna")
    assert "hold.placed" in (await shell.run("show", "--last", "1000")).stdout
    newest = await shell.run("show", "--last", "1", "--json")
    assert len(newest.stdout.splitlines()) == 1
    assert "these are the newest 1." in newest.stderr
    nothing = await shell.run("show", "--actor", "nobody")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert shell.office.live.server.service_target in nothing.stderr
    assert not (shell.folder / "data").exists()


async def test_the_log_is_verified_at_the_client(shell: Shell) -> None:
    verified = await shell.run("verify", "--jwks", str(shell.jwks))
    assert verified.exit_code == 0, verified.output
    assert "bank: whole" in verified.stdout
    assert ", signed up to entry 0" not in verified.stdout
    assert "branch" not in verified.stdout
    # The keys of another installation do not verify it.
    shell.jwks.write_text('{"keys": []}')
    other = await shell.run("verify", "--jwks", str(shell.jwks))
    assert (other.exit_code, "checkpoint_invalid at 1" in other.stdout) == (1, True)
    assert (await shell.run("verify")).exit_code == 2


async def test_an_export_of_a_server_is_verified_offline_and_is_a_witness(shell: Shell) -> None:
    exported = await shell.run("export", "--purpose", "case 12")
    assert exported.exit_code == 0
    lines = [json.loads(line) for line in exported.stdout.splitlines()]
    assert {line["tenant"] for line in lines} == {"bank"}
    assert [line["purpose"] for line in lines if line["type"] == "entry"][-1] == "case 12"
    file = shell.folder / "audit.jsonl"
    file.write_text(exported.stdout)
    offline = ["audit", "verify", "--export", str(file), "--jwks", str(shell.jwks)]
    assert CliRunner().invoke(app, offline).exit_code == 0
    witness = await shell.run("verify", "--jwks", str(shell.jwks), "--witness", str(file))
    assert (witness.exit_code, "saved checkpoint" in witness.stdout) == (0, True)
    later = await shell.run("export", "--since", "2099-01-01")
    assert {json.loads(line)["type"] for line in later.stdout.splitlines()} == {"start", "checkpoint", "head"}


async def test_saved_checkpoints_of_other_tenants_are_not_expected_of_a_server(shell: Shell) -> None:
    saved = shell.folder / "saved.jsonl"

    async def signed() -> bool:
        saved.write_text((await shell.run("export", by="other")).stdout)
        return '"type":"checkpoint","tenant":"branch"' in saved.read_text()

    await until(signed)
    verified = await shell.run("verify", "--jwks", str(shell.jwks), "--witness", str(saved))
    assert (verified.exit_code, "branch" in verified.stdout) == (0, False), verified.output


@pytest.mark.parametrize("altered", ["entry", "stale", "cut"])
async def test_a_server_that_sends_another_log_is_not_believed(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, altered: str
) -> None:
    file = shell.folder / "saved.jsonl"
    file.write_text((await shell.run("export")).stdout)
    real = Compliance.export_audit_log

    async def send(self: Compliance, request: audit_pb2.ExportAuditLogRequest) -> AsyncIterator[bytes]:
        lines = b"".join([part async for part in real(self, request)]).splitlines()
        match altered:
            case "entry":
                yield b"\n".join([lines[0].replace(b'"actor":{"name":"', b'"actor":{"name":"x'), *lines[1:]])
            case "stale":
                yield file.read_bytes()
            case "cut":
                yield lines[0] + b"\n"

    monkeypatch.setattr(Compliance, "export_audit_log", send)
    verified = await shell.run("verify", "--jwks", str(shell.jwks))
    assert verified.exit_code == 1
    assert "CHANGED" in verified.stdout


async def test_only_who_may_read_the_log_gets_it(shell: Shell) -> None:
    for words in (["show"], ["export"], ["verify", "--jwks", str(shell.jwks)]):
        refused = await shell.run(*words, by="backend")
        assert (refused.exit_code, "audit.read" in refused.stderr) == (2, True)
    for words in (["show", "--tenant", "branch"], ["export", "--follow"], ["verify", "--export", "x"]):
        assert (await shell.run(*words)).exit_code == 2
