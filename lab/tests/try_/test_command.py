import asyncio
import io
import signal
import socket
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
import typer
from typer.testing import CliRunner

from facegate_protocol.texts import REFUSALS
from lab.simulator.photo import builtin_image
from lab.tests.try_.running import RunningTry, running_try
from lab.try_.command import _opened, try_command
from lab.try_.site import SECRET_HEADER
from vision.image import encode_jpeg

app = typer.Typer()
app.command()(try_command)

slow = pytest.mark.slow


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that was chosen for what is recorded."""
    return tmp_path_factory.mktemp("chosen") / "kept"


@pytest.fixture(scope="module")
def running(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTry]:
    """The command with the embedded pack, which judges a caller that is not a sandbox caller."""
    none, temporary = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("temporary")
    options = ("--pack", "embedded", "--models-dir", str(none), "--data-dir", str(kept))
    with running_try(temporary, *options) as command:
        yield command
    assert command.process.returncode == 0
    assert (kept / "server.log").is_file()
    assert kept.stat().st_mode & 0o077 == 0


def session(command: RunningTry) -> aiohttp.ClientSession:
    headers = {SECRET_HEADER: command.secret, "Origin": command.page.rstrip("/")}
    return aiohttp.ClientSession(base_url=command.page, headers=headers)


def portrait() -> bytes:
    return encode_jpeg(builtin_image("astronaut"), quality=90)


def test_a_used_port_is_reported() -> None:
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        port = used.getsockname()[1]
        result = CliRunner().invoke(app, ["--pack", "embedded", "--port", str(port)])
    assert result.exit_code == 2
    assert f"the page cannot use 127.0.0.1:{port}" in result.output.replace("\n", " ")


@pytest.mark.parametrize(
    ("chosen", "opened"),
    [
        ("broken:wslview", ["wslview"]),
        ("bin/w3m %s:wslview", ["wslview"]),
        ("lynx:wslview %s", ["wslview"]),
        ("lynx", []),
    ],
)
def test_the_page_opens_in_any_browser_that_leaves_the_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, chosen: str, opened: list[str]
) -> None:
    done = tmp_path / "done"
    for name, ends in {"wslview": 0, "broken": 1, "lynx": 0, "w3m": 0}.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        says = f"echo {name} >> {done}\n" if ends == 0 else ""
        program.write_text(f"#!/bin/sh\n{says}exit {ends}\n")
        program.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("TERM", "xterm")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BROWSER", chosen)
    monkeypatch.setattr(webbrowser, "_tryorder", None)
    monkeypatch.setattr(webbrowser, "_browsers", {})
    assert _opened("http://127.0.0.1:1/") is bool(opened)
    assert (done.read_text().split() if done.exists() else []) == opened


@slow
async def test_the_page_states_the_pack_and_its_modes(running: RunningTry) -> None:
    async with session(running) as calls, calls.get("api/about") as answer:
        about = await answer.json()
    assert about["pack"]["name"] == "embedded"
    assert (about["pack"]["evaluation"], about["sandbox"], about["kept"]) == (True, False, True)
    assert [(mode["key"], mode["policy"], mode["shortfall"]) for mode in about["modes"]] == [
        ("express", "evaluation", ""),
        ("colours", "evaluation-colours", ""),
        ("dynamic", "evaluation", ""),
    ]


@slow
async def test_the_built_page_is_served(running: RunningTry) -> None:
    async with aiohttp.ClientSession(base_url=running.page) as calls:
        async with calls.get("") as page:
            assert page.content_type == "text/html"
            assert "Try Facegate" in await page.text()
            policy = page.headers["Content-Security-Policy"]
        async with calls.get("../pyproject.toml") as other:
            assert other.status == 404
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy


@slow
async def test_a_portrait_becomes_a_record_and_a_ticket(running: RunningTry) -> None:
    async with session(running) as calls:
        async with calls.post("api/portraits", data=portrait()) as answer:
            report = await answer.json()
            assert answer.status == 200
        assert report["container"] == "ISO/IEC 19794-5:2011"
        assert report["eye_distance"] > 85
        chosen = {"portrait": report["portrait"], "mode": "dynamic"}
        async with calls.post("api/checks", params=chosen) as answer:
            created = await answer.json()
        assert created["ticket"].keys() == {"token", "challengeKeySha256"}
        async with calls.post(f"api/checks/{created['check']}/finish") as answer:
            assert (answer.status, (await answer.json())["reason"]) == (409, "NOT_SCANNED_YET")
        async with calls.post("api/checks", params={**chosen, "portrait": "another"}) as answer:
            assert answer.status == 404
        async with calls.post("api/checks/another/finish") as answer:
            assert answer.status == 404


@slow
async def test_a_bad_portrait_is_refused_with_a_remedy(running: RunningTry) -> None:
    large = io.BytesIO(bytes(20_000_001))
    async with session(running) as calls:
        async with calls.post("api/portraits", data=b"no picture") as answer:
            problem, reason = await answer.json(), "IMAGE_FORMAT_NOT_SUPPORTED"
        assert answer.status == 422
        assert (problem["reason"], problem["remedy"]) == (reason, REFUSALS[reason].action)
        async with calls.post("api/portraits", data=large) as answer:
            assert (answer.status, (await answer.json())["reason"]) == (413, "IMAGE_TOO_LARGE")


@slow
def test_what_was_recorded_is_removed_at_the_end(tmp_path: Path) -> None:
    async def upload() -> int:
        async with session(command) as calls:
            async with calls.get("api/about") as answer:
                assert (await answer.json())["kept"] is False
            async with calls.post("api/portraits", data=portrait()) as answer:
                return answer.status

    with running_try(tmp_path, "--pack", "embedded") as command:
        assert asyncio.run(upload()) == 200
        assert [*tmp_path.glob("facegate-try-*/data/*")]
        assert command.stop(signal.SIGTERM) == 0
    assert [*tmp_path.iterdir()] == []
