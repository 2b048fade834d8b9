"""``facegate audit`` and the commands that the audit log records."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection, text
from typer.testing import CliRunner

from cli.main import app
from server.audit import Actor, AuditAction, AuditEvent, CheckpointSigner, LogChanged, subject_hash
from server.configuration.loading import load_settings
from server.keyring.key_files import KeyFiles
from server.keyring.key_rotation import rotate_key
from server.keyring.keys import KeyFolder
from server.running.timestamps import TimestampAuthority, TimestampRoots
from server.storage.audit import AuditLog
from server.storage.audit_witness import AuditWitness
from server.storage.database import open_database
from tests.server.certificates import local_authority

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
            for trigger in (
                "events_update",
                "events_delete",
                "heads_update",
                "heads_delete",
                "checkpoints_update",
                "checkpoints_delete",
            ):
                connection.execute(text(f"DROP TRIGGER IF EXISTS audit_{trigger}"))
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
    export, keys = scene.save("audit.jsonl", "export"), scene.save("jwks.json", "export", "--keys")
    lines = [json.loads(line) for line in export.read_text().splitlines()]
    assert [line["type"] for line in lines if line["tenant"] == "bank"] == ["entry"] * 6 + [
        "checkpoint",
        "head",
    ]
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path / "elsewhere"))
    words = ["verify", "--export", str(export), "--jwks", str(keys)]
    assert "bank: whole; 6 entries" in scene.run(*words)
    assert not (tmp_path / "elsewhere").exists()


_Lines = list[str]
_CHANGES: dict[str, Callable[[_Lines], _Lines]] = {
    "altered": lambda lines: [lines[0].replace("complaint", "compliment"), *lines[1:]],
    "removed": lambda lines: [lines[0], *lines[2:]],
    "doubled": lambda lines: [lines[0], *lines],
    "reordered": lambda lines: [lines[1], lines[0], *lines[2:]],
    "truncated": lambda lines: [*lines[:5], *lines[6:]],
    "cut": lambda lines: lines[:4],
    "cut with its head": lambda lines: [*lines[:3], lines[6]],
}


@pytest.mark.parametrize("change", _CHANGES)
def test_a_changed_export_is_reported(scene: _Scene, change: str) -> None:
    export, keys = (
        scene.save("audit.jsonl", "export", "--tenant", "bank"),
        scene.save("jwks.json", "export", "--keys"),
    )
    changed = _CHANGES[change](export.read_text().splitlines())
    export.write_text("\n".join(changed) + "\n")
    assert "CHANGED" in scene.run("verify", "--export", str(export), "--jwks", str(keys), code=1)


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
    export, keys = (
        scene.save("audit.jsonl", "export", "--tenant", "bank"),
        scene.save("jwks.json", "export", "--keys"),
    )
    lines = export.read_text().splitlines()
    words = ["audit", "verify", "--export", str(export), "--jwks", str(keys)]
    missed = []
    for index in (6, 5):
        assert json.loads(lines[index])["sequence"] == index + 1
        for change, changed in _changed(json.loads(lines[index])):
            export.write_text("\n".join([*lines[:index], json.dumps(changed), *lines[index + 1 :]]) + "\n")
            if _RUN.invoke(app, words).exit_code == 0:
                missed.append((index, change))
    assert missed == []
    export.write_text("\n".join([*lines[:6], lines[6].replace('"groß"', '"klein"', 1), *lines[7:]]) + "\n")
    assert "altered at 7: fields of its line are not what its hash covers: detail\n" in scene.run(
        *words[1:], code=1
    )
    doubled = lines[6].replace('"time":', '"time":"2020-01-01T00:00:00.000000Z","time":')
    export.write_text("\n".join([*lines[:6], doubled, *lines[7:]]) + "\n")
    result = _RUN.invoke(app, words)
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


def test_a_log_that_was_cut_with_its_checkpoints_is_found_by_an_earlier_export(scene: _Scene) -> None:
    scene.checkpoint()
    export = scene.save("earlier.jsonl", "export")
    hash_of_5 = json.loads(export.read_text().splitlines()[4])["hash"]
    scene.tamper(
        "DELETE FROM audit_checkpoints WHERE tenant = 'bank' AND number = 2",
        "DELETE FROM audit_events WHERE tenant = 'bank' AND sequence = 6",
        "DELETE FROM audit_heads WHERE tenant = 'bank'",
        f"INSERT INTO audit_heads VALUES ('bank', 5, '{hash_of_5}')",  # noqa: S608 - of this test
    )
    assert "CHANGED" not in scene.run("verify")
    shown = scene.run("verify", "--witness", str(export), code=1)
    assert "checkpoint_removed at 2" in shown
    assert "branch: whole" in shown


def test_a_tenant_that_was_removed_is_found_by_an_earlier_export(scene: _Scene) -> None:
    export = scene.save("earlier.jsonl", "export")
    scene.tamper(
        "DELETE FROM audit_events WHERE tenant = 'branch'",
        "DELETE FROM audit_heads WHERE tenant = 'branch'",
        "DELETE FROM audit_checkpoints WHERE tenant = 'branch'",
    )
    assert "branch" not in scene.run("verify")
    assert "branch: CHANGED" in scene.run("verify", "--witness", str(export), code=1)


def test_time_stamps_are_verified(scene: _Scene) -> None:
    roots = scene.stamp()
    words = ["verify", "--timestamp-roots", str(roots)]
    report, *_ = json.loads(scene.run(*words, "--json"))
    assert report["timestamp"]
    export, keys = scene.save("audit.jsonl", "export"), scene.save("jwks.json", "export", "--keys")
    offline = [*words, "--export", str(export), "--jwks", str(keys)]
    assert "time stamp of 20" in scene.run(*offline)
    lines = [json.loads(line) for line in export.read_text().splitlines()]
    for line in lines:
        if line["type"] == "checkpoint" and line["tenant"] == "bank":
            line["timestamp"] = next(
                other["timestamp"] for other in lines if other["tenant"] == "branch" and "timestamp" in other
            )
    export.write_text("\n".join(map(json.dumps, lines)) + "\n")
    assert "timestamp_invalid at 1" in scene.run(*offline, code=1)


def test_an_export_may_begin_later(scene: _Scene) -> None:
    since = f"{_NOW + timedelta(minutes=3):%Y-%m-%dT%H:%M:%S}"
    export = scene.save("audit.jsonl", "export", "--tenant", "bank", "--since", since)
    lines = [json.loads(line) for line in export.read_text().splitlines()]
    assert [(line["type"], line["sequence"]) for line in lines] == [
        ("start", 3), ("entry", 4), ("entry", 5), ("entry", 6), ("checkpoint", 5), ("head", 6),
    ]  # fmt: skip
    keys = scene.save("jwks.json", "export", "--keys")
    words = ["verify", "--export", str(export), "--jwks", str(keys)]
    assert "bank: whole; 3 entries" in scene.run(*words)
    lines[0]["hash"] = "00" * 32
    export.write_text("\n".join(map(json.dumps, lines)))
    assert "CHANGED" in scene.run(*words, code=1)
    later = scene.save("later.jsonl", "export", "--tenant", "bank", "--since", "2099-01-01")
    assert [json.loads(line)["type"] for line in later.read_text().splitlines()] == [
        "start",
        "checkpoint",
        "head",
    ]
    assert "bank: whole; 0 entries" in scene.run("verify", "--export", str(later), "--jwks", str(keys))


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


@pytest.mark.parametrize(
    "line", ["", "{}", "nonsense", '{"version":1,"type":"other","tenant":"bank"}', "\x00"]
)
def test_a_file_that_is_no_export_is_refused(scene: _Scene, tmp_path: Path, line: str) -> None:
    file = tmp_path / "export.jsonl"
    file.write_text(line + "\n")
    keys = scene.save("jwks.json", "export", "--keys")
    result = _RUN.invoke(app, ["audit", "verify", "--export", str(file), "--jwks", str(keys)])
    assert result.exit_code == 2
    assert "line 1" in result.stderr


def test_a_folder_without_keys_gives_no_empty_key_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path))
    result = _RUN.invoke(app, ["audit", "export", "--keys"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert str(tmp_path / "keys") in result.stderr


@pytest.mark.parametrize("option", ["--export", "--witness", "--jwks", "--timestamp-roots"])
def test_a_file_that_is_missing_is_reported(scene: _Scene, tmp_path: Path, option: str) -> None:
    result = _RUN.invoke(app, ["audit", "verify", option, str(tmp_path / "missing")])
    assert result.exit_code == 2
    assert "missing" in result.stderr


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
    assert "--last" in said
    assert run("--last", "6") == (6, "")
    assert run() == (6, "")
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
    assert result.exit_code == 2
    assert "no database was found" in result.stderr
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
    "all checkpoints": ("DELETE FROM audit_checkpoints",),
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


@pytest.mark.parametrize("forgery", ["all checkpoints of a tenant"])
def test_checkpoints_that_are_missing_between_those_of_others_need_no_witness(
    scene: _Scene, forgery: str
) -> None:
    scene.append(1, tenant="branch", start=2)
    scene.checkpoint()
    scene.checkpoint()
    scene.tamper(*_FORGERIES[forgery])
    shown = scene.run("verify", code=1)
    assert "all logs: CHANGED" in shown
    (*_, all_logs) = json.loads(scene.run("verify", "--json", code=1))
    assert [(one["kind"], one["sequence"]) for one in all_logs["problems"]] == [
        ("checkpoint_removed", 2),
        ("checkpoint_removed", 4),
    ]
    export, keys = scene.save("audit.jsonl", "export"), scene.save("jwks.json", "export", "--keys")
    offline = ("verify", "--export", str(export), "--jwks", str(keys))
    assert "all logs: CHANGED" in scene.run(*offline, code=1)


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


def _without_positions(lines: list[dict[str, object]]) -> None:
    for line in lines:
        if line["type"] == "checkpoint":
            line["position"] = 0
    lines[-1] |= {"sequence": 0, "hash": ""}


def _with_an_older_head(lines: list[dict[str, object]]) -> None:
    lines[-1] |= {"sequence": 0, "hash": ""}


@pytest.mark.parametrize("forge", [_without_positions, _with_an_older_head])
def test_an_export_without_a_tenant_is_reported_whatever_its_head_states(
    scene: _Scene, forge: Callable[[list[dict[str, object]]], None]
) -> None:
    scene.append(1, tenant="branch", start=2)
    scene.checkpoint()
    export, keys = scene.save("audit.jsonl", "export"), scene.save("jwks.json", "export", "--keys")
    words = ("verify", "--export", str(export), "--jwks", str(keys))
    assert "CHANGED" not in scene.run(*words)
    lines = [line for line in map(json.loads, export.read_text().splitlines()) if line["tenant"] != "bank"]
    assert (lines[-1]["type"], lines[-1]["tenant"]) == ("head", "*")
    forge(lines)
    export.write_text("\n".join(map(json.dumps, lines)) + "\n")
    assert "CHANGED" in scene.run(*words, code=1)


def test_an_export_without_a_head_of_all_logs_is_not_called_whole_together(scene: _Scene) -> None:
    export, keys = scene.save("audit.jsonl", "export"), scene.save("jwks.json", "export", "--keys")
    export.write_text("\n".join(export.read_text().splitlines()[:-1]) + "\n")
    shown = scene.run("verify", "--export", str(export), "--jwks", str(keys))
    assert "all logs: not verified together" in shown


@pytest.mark.parametrize("left", ["nothing", "one tenant"])
def test_an_export_without_a_head_of_all_logs_must_have_every_tenant_of_the_witness(
    scene: _Scene, left: str
) -> None:
    whole, keys = scene.save("earlier.jsonl", "export"), scene.save("jwks.json", "export", "--keys")
    kept = [line for line in whole.read_text().splitlines() if json.loads(line)["tenant"] == "bank"]
    cut = scene.folder / "cut.jsonl"
    cut.write_text("" if left == "nothing" else "\n".join(kept) + "\n")
    words = ("verify", "--export", str(cut), "--jwks", str(keys), "--witness", str(whole))
    shown = scene.run(*words, code=1)
    assert "branch: CHANGED" in shown
    assert ("bank: CHANGED" in shown) == (left == "nothing")
    assert "branch: CHANGED" in scene.run(*words, "--tenant", "branch", code=1)
    if left == "one tenant":
        # As in an export of this tenant only.
        assert "bank: whole" in scene.run(*words, "--tenant", "bank")


def test_a_tenant_without_a_log_is_named_with_those_that_have_one(scene: _Scene) -> None:
    export, keys = scene.save("audit.jsonl", "export"), scene.save("jwks.json", "export", "--keys")
    for place in ((), ("--export", str(export), "--jwks", str(keys))):
        result = _RUN.invoke(app, ["audit", "verify", "--tenant", "nope", *place])
        assert result.exit_code == 1
        assert "nope: whole" not in result.stdout
        assert "there is no log of nope. Tenants with a log: bank, branch." in result.stderr


def test_a_saved_checkpoint_is_a_witness_in_each_of_its_forms(scene: _Scene, tmp_path: Path) -> None:
    scene.checkpoint()
    export, keys = scene.save("earlier.jsonl", "export"), scene.save("jwks.json", "export", "--keys")
    lines = [json.loads(line) for line in export.read_text().splitlines()]
    newest = next(line for line in lines if line.get("position") == 3)
    (tmp_path / "saved.jws").write_text(newest["jws"] + "\n")
    (tmp_path / "server.log").write_text(json.dumps({"event": "audit_checkpoint", "jws": newest["jws"]}))
    scene.tamper(*_CUT)
    later = scene.save("later.jsonl", "export")
    for saved in ("earlier.jsonl", "saved.jws", "server.log"):
        witness = ("--witness", str(tmp_path / saved))
        assert "checkpoint_removed at 2" in scene.run("verify", *witness, code=1)
        offline = ("--export", str(later), "--jwks", str(keys))
        assert "checkpoint_removed at 2" in scene.run("verify", *offline, *witness, code=1)
    for content in ("nonsense", "{", "a.b"):
        (tmp_path / "saved.jws").write_text(content)
        scene.run("verify", "--witness", str(tmp_path / "saved.jws"), code=2)
    (tmp_path / "saved.jws").write_text("a.b.c")
    assert "all logs: CHANGED" in scene.run("verify", "--witness", str(tmp_path / "saved.jws"), code=1)


def test_a_witness_that_cannot_be_read_is_no_witness_that_agrees(scene: _Scene, tmp_path: Path) -> None:
    (tmp_path / "objects").rmdir() if (tmp_path / "objects").exists() else None
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
    export, keys = scene.save("audit.jsonl", "export"), scene.save("jwks.json", "export", "--keys")
    assert "lost: checkpoints 4 to 4" in scene.run("verify", "--export", str(export), "--jwks", str(keys))
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


def test_an_empty_export_is_no_whole_log(scene: _Scene, tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_text(scene.run("export", "--keys"))
    (tmp_path / "audit.jsonl").write_bytes(b"")
    words = ("verify", "--export", str(tmp_path / "audit.jsonl"), "--jwks", str(tmp_path / "jwks.json"))
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
