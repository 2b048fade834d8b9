from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.db import app

_RUN = CliRunner()


def test_status_and_upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path))
    before = _RUN.invoke(app, ["status"])
    assert before.exit_code == 1
    assert "facegate db upgrade" in before.stdout
    assert _RUN.invoke(app, ["upgrade"]).exit_code == 0
    assert _RUN.invoke(app, ["upgrade"]).exit_code == 0
    after = _RUN.invoke(app, ["status"])
    assert after.exit_code == 0
    assert "the one that is needed" in after.stdout


def test_a_database_that_cannot_be_reached_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_STORAGE__DATABASE_URL", "nosuch+driver://me:hunter2@host/db")
    for command in ("status", "upgrade"):
        answer = _RUN.invoke(app, [command])
        assert answer.exit_code == 2
        assert "nosuch" in answer.stderr
        assert "hunter2" not in answer.output
