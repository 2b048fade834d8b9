"""``facegate analyze`` over the development data: images and clips of real persons and real attacks."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.analyze import command
from cli.analyze.command import analyze
from tests.packs import real_pack
from tests.server.pages.reading import Page
from vision.packs import Pack

_app = typer.Typer()
_app.command()(analyze)


@pytest.fixture(autouse=True)
def _pack(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(spec: str, **_: object) -> Pack:
        assert spec == "embedded"
        return real_pack()

    monkeypatch.setattr(command, "load_pack", load)
    monkeypatch.delenv("FACEGATE_CONFIG", raising=False)


def analysed(*arguments: str | Path) -> tuple[int, list[dict[str, Any]]]:
    result = CliRunner().invoke(_app, [*map(str, arguments), "--json"], catch_exceptions=False)
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]


def test_pictures_of_a_person_and_of_a_screen(assets: Path, tmp_path: Path) -> None:
    pad, page = assets / "data" / "pad", tmp_path / "why.html"
    live = pad / "live" / "feni-katharoti__data__All_Real_aspect_resized__1.jpg"
    screen = pad / "spoof" / "feni-katharoti__data__Spoof_aspect_resized__7899.jpg"
    _, (of_live, of_screen) = analysed(live, screen, "--explain", page)
    assert of_live["result"]["confidence"] > of_screen["result"]["confidence"]
    found = {each["name"]: each["score"] for each in of_screen["full"]["signals"]}
    assert found["moire"] < 0.1, "the screen's pixels are plain to see"
    shown = Page(page.read_text())
    assert shown.open == []
    assert shown.text.count("Regular patterns (moire)") == 2
    assert shown.text.count("68 landmarks") == 2


@pytest.mark.slow
def test_clips_of_a_person_and_of_a_photo(assets: Path, tmp_path: Path) -> None:
    videos, page = assets / "data" / "video", tmp_path / "why.html"
    status, (of_live, of_photo) = analysed(
        videos / "live" / "lestari15__videos__real.mp4",
        videos / "spoof" / "lestari15__videos__fake.mp4",
        "--explain",
        page,
    )
    assert status == 1
    assert of_live["result"]["verdict"] == "LIVE"
    assert of_photo["result"]["verdict"] == "SPOOF"
    assert of_live["result"]["video"]["media_type"] == "video/mp4"
    shown = Page(page.read_text())
    assert shown.open == []
    assert shown.text.count("Timeline") == 2
    assert shown.text.count("Selected frames") == 2
