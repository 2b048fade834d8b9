"""``facegate retention run``: its output, the erased and the kept checks, and its audit entries."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import typer
from typer.testing import CliRunner, Result

from cli.main import app
from cli.retention import schedule_command
from server.audit import Actor, AuditAction, AuditEntry, AuditEvent
from server.configuration.loading import load_settings
from server.configuration.settings import Settings
from server.domain.terms import CheckState
from server.storage.audit_reader import AuditReader
from server.storage.database import Database, open_database
from server.storage.holds import HoldRepository, StoredHold
from server.storage.objects import open_object_store
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from tests.server.databases import make_tables
from tests.server.storage.samples import decision, entry, new_check, object_exists

_RUN = CliRunner()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path))
    found = load_settings(None).settings
    asyncio.run(make_tables(found.database_url))
    return found


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Database]:
    database = open_database(settings.database_url)
    try:
        yield database
    finally:
        await database.close()


def _decide(settings: Settings, *overdue: timedelta, images: timedelta | None = None) -> list[UUID]:
    """Make checks with an image each, whose retention, and that of the images, ended so long ago."""

    async def work() -> list[UUID]:
        async with _opened(settings) as database:
            repository = CheckRepository(database)
            made = []
            for late in overdue:
                check_id = (await repository.create(new_check(), None)).check_id
                kept = entry(check_id.hex)
                await open_object_store(settings.objects_url).put(kept.object_key, b"sealed")
                now = datetime.now(UTC)
                images_until = None if images is None else now - images
                await repository.decide(
                    check_id,
                    epoch=None,
                    decision=replace(decision(kept), retain_until=now - late, images_until=images_until),
                )
                made.append(check_id)
            return made

    return asyncio.run(work())


def _hold(settings: Settings, check_id: UUID) -> None:
    event = AuditEvent(
        tenant="default",
        action=AuditAction.HOLD_PLACED,
        actor=Actor(name="anna", role="compliance_admin"),
        check_id=check_id,
    )
    hold = StoredHold(
        reference="case-17", reason="court", placed_by="anna", place_time=datetime(2027, 3, 1, tzinfo=UTC)
    )

    async def work() -> None:
        async with _opened(settings) as database:
            await HoldRepository(database).place(check_id, hold, event=event)

    asyncio.run(work())


def _found(settings: Settings, check_ids: Sequence[UUID]) -> list[tuple[CheckState, bool]]:
    """The state of each check, and whether its object exists."""

    async def work() -> list[tuple[CheckState, bool]]:
        objects = open_object_store(settings.objects_url)
        async with _opened(settings) as database:
            found = []
            for check_id in check_ids:
                check = await CheckRepository(database).get(check_id)
                assert check is not None
                found.append((check.state, await object_exists(objects, entry(check_id.hex).object_key)))
            return found

    return asyncio.run(work())


def _expirations(settings: Settings) -> list[AuditEntry]:
    async def work() -> list[AuditEntry]:
        async with _opened(settings) as database:
            entries = await AuditReader(database).entries("default")
            return [one for one in entries if one.action == AuditAction.EVIDENCE_EXPIRED]

    return asyncio.run(work())


def _run(*arguments: str) -> Result:
    return _RUN.invoke(app, ["retention", "run", *arguments])


_KEPT = (CheckState.DECIDED, True)
_ERASED = (CheckState.ERASED, False)
_DAY = timedelta(days=1)


def test_it_erases_what_is_due_and_leaves_what_is_held_or_kept(settings: Settings) -> None:
    checks = _decide(settings, 3 * _DAY, 2 * _DAY, _DAY, -_DAY)
    _hold(settings, checks[1])
    shown = _run("--dry-run")
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[1].split()[:3] == ["standard", "2", "0"]
    assert _found(settings, checks) == [_KEPT] * 4

    done = _run()
    assert (done.exit_code, done.stdout) == (0, "Checks: 2 due, 2 erased, 0 still due, 1 kept by a hold.\n")
    assert _found(settings, checks) == [_ERASED, _KEPT, _ERASED, _KEPT]

    again = _run()
    assert (again.exit_code, again.stdout) == (0, "Checks: 0 due, 0 erased, 0 still due, 1 kept by a hold.\n")
    logged = _expirations(settings)
    assert [one.check_id for one in logged] == [str(checks[0]), str(checks[2])]
    assert {one.role for one in logged} == {"shell"}


def test_images_are_erased_before_the_record(settings: Settings) -> None:
    checks = _decide(settings, _DAY, -_DAY, images=2 * _DAY)
    shown = _run("--dry-run")
    assert shown.stdout.splitlines()[1].split()[:4] == ["standard", "1", "1", "0"]
    done = _run()
    assert (done.exit_code, done.stdout.splitlines()) == (
        0,
        [
            "Checks: 1 due, 1 erased, 0 still due, 0 kept by a hold.",
            "Images of further checks: 1 due, 1 erased, 0 still due.",
        ],
    )
    assert _found(settings, checks) == [_ERASED, (CheckState.DECIDED, False)]
    assert [json.loads(one.detail) for one in _expirations(settings)] == [
        {"part": "check"},
        {"part": "images"},
    ]
    assert _run("--dry-run").stdout == "No retention has ended.\n"


def test_nothing_due_is_said(settings: Settings) -> None:
    _decide(settings, -_DAY)
    shown = _run("--dry-run")
    assert (shown.exit_code, shown.stdout) == (0, "No retention has ended.\n")


@pytest.mark.slow
def test_two_runs_at_once_erase_and_record_each_check_once(settings: Settings) -> None:
    checks = _decide(settings, *(hours * timedelta(hours=1) for hours in range(1, 9)))

    async def work() -> list[bytes]:
        started = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "facegate_app", "retention", "run", stdout=asyncio.subprocess.PIPE
            )
            for _ in range(2)
        ]
        outputs = [(await one.communicate())[0] for one in started]
        assert [one.returncode for one in started] == [0, 0]
        return outputs

    outputs = asyncio.run(work())
    erased = [int(re.findall(rb"(\d+) erased", output)[0]) for output in outputs]
    assert sum(erased) == len(checks)
    assert sorted(str(one.check_id) for one in _expirations(settings)) == sorted(map(str, checks))
    assert _found(settings, checks) == [_ERASED] * len(checks)


def test_a_database_of_another_revision_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path))
    answer = _run()
    assert answer.exit_code == 2
    assert "facegate db upgrade" in answer.stderr


def test_retention_of_a_restored_database_is_suspended_for_a_day(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _decide(settings, _DAY)
    assert _RUN.invoke(app, ["backup", "database", str(tmp_path / "copy")]).exit_code == 0
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path / "new"))
    (tmp_path / "new").mkdir()
    done = _RUN.invoke(app, ["restore", "database", str(tmp_path / "copy")])
    assert "Repeat the holds and the erasures that are later." in done.output
    now = datetime.now(UTC)

    async def until(which: Settings, now: datetime) -> datetime | None:
        async with _opened(which) as database:
            return await RetentionRepository(database).suspended_until(now)

    restored = load_settings(None).settings
    end = asyncio.run(until(restored, now))
    assert end is not None
    assert now + _DAY - timedelta(minutes=5) < end <= now + _DAY
    assert asyncio.run(until(restored, end + timedelta(seconds=1))) is None
    assert asyncio.run(until(settings, now)) is None

    assert _run("--dry-run").stdout.splitlines()[1].split()[:2] == ["standard", "1"]
    waiting = _run()
    assert waiting.exit_code == 0
    assert waiting.stdout.startswith("Nothing was erased: a backup was restored")
    assert f"retention goes on at {end:%Y-%m-%d %H:%M:%S} UTC" in waiting.stdout
    assert _expirations(restored) == []


def test_a_terminal_gets_no_page(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(typer.Exit) as ended:
        schedule_command()
    assert ended.value.exit_code == 2
    said = capsys.readouterr()
    assert (said.out, "`facegate retention schedule > schedule.html`" in said.err) == ("", True)
    schedule_command(as_json=True)
    assert json.loads(capsys.readouterr().out)["policies"]


def test_the_schedule_is_that_of_the_served_policies(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = _RUN.invoke(app, ["retention", "schedule"])
    assert result.exit_code == 0, result.output
    assert "Checks of the policy standard, version" in result.output
    assert "Not served with these settings: high" in result.output
    assert "Checks of the policy high" not in result.output
    assert "Biometric data are kept at most 30 days from the decision" in result.output

    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "mine.toml").write_text(
        'name = "mine"\nversion = 3\ndescription = "<b>Ours</b>"\nmode = "EXPRESS"\nconsent = "required"\n'
        "[match]\nmax_fmr = 1e-2\n[retention]\nevidence_seconds = 604800\naudit_images = 0\n"
        'portrait = "none"\nbiometrics = false\n'
    )
    config = tmp_path / "facegate.toml"
    config.write_text(f'[policies]\nfolder = "{folder}"\n')
    asked = ["--config", str(config), "retention", "schedule"]
    monkeypatch.setenv("FACEGATE_POLICIES__SERVED", '["mine", "high"]')
    answer = json.loads(_RUN.invoke(app, [*asked, "--json"]).stdout)
    assert [policy["policy"] for policy in answer["policies"]] == ["mine"]
    assert answer["about"].endswith("Not served with these settings: high")
    monkeypatch.delenv("FACEGATE_POLICIES__SERVED")
    written = _RUN.invoke(app, asked).stdout
    assert "Checks of the policy mine, version 3" in written
    assert "No biometric datum outlives the decision." in written
    assert "&lt;b&gt;Ours&lt;/b&gt;" in written

    found = json.loads(_RUN.invoke(app, [*asked, "--json"]).stdout)
    (mine,) = [policy for policy in found["policies"] if policy["policy"] == "mine"]
    assert (mine["biometric_seconds"], mine["consent_required"]) == (0, True)
    kept = {datum["name"]: datum["kept"] for datum in mine["data"]}
    assert kept["Result: status, reasons, scores, device tests, signature"] == "7 days from the decision"
    assert kept["Evidence frame"] == "not kept"
