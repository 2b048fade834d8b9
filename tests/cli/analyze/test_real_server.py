"""The same file, analysed here and by a real server, has the same answer."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.analyze import command
from cli.analyze.command import analyze
from tests.server.analysis.uploads import genuine, video
from tests.server.live import portrait, serving, settings_for
from tests.server.models_once import remembering_pack
from vision.packs import Pack

_app = typer.Typer()
_app.command()(analyze)
_OF_THE_CALL = {"request_id", "timestamp", "inference_id", "response_time_ms", "created_at", "completed_at"}


def answers(*arguments: str | Path) -> list[dict[str, Any]]:
    result = CliRunner().invoke(_app, [*map(str, arguments), "--json"], catch_exceptions=False)
    # The server of this process logs to the same stream.
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def without_identity(value: Any) -> Any:
    """An answer without the fields that differ between calls."""
    if isinstance(value, dict):
        return {name: without_identity(each) for name, each in value.items() if name not in _OF_THE_CALL}
    return [without_identity(each) for each in value] if isinstance(value, list) else value


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    selfie, letter, clip = tmp_path / "selfie.jpg", tmp_path / "broken.png", tmp_path / "clip.avi"
    selfie.write_bytes(portrait())
    letter.write_bytes(b"\x89PNG\r\n\x1a\n and nothing else")
    clip.write_bytes(video(genuine(12)))
    return [selfie, letter, clip]


@pytest.mark.slow
async def test_here_and_there_the_answer_is_the_same(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(spec: str, **_: object) -> Pack:
        assert spec == "embedded"
        return remembering_pack()

    monkeypatch.setattr(command, "load_pack", load)
    monkeypatch.delenv("FACEGATE_CONFIG", raising=False)
    here = await asyncio.to_thread(answers, *files)
    (tmp_path / "server").mkdir()
    async with serving(settings_for(tmp_path / "server", analysis={"video_workers": 1})) as server:
        there = await asyncio.to_thread(answers, *files, "--service", server.server.service_target)
    assert [each["status"] for each in there] == ["success", "error", "success"]
    assert without_identity(there) == without_identity(here)
