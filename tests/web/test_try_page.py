"""The pages of ``facegate try`` in Chromium, as a sandbox caller: its fake camera is refused otherwise."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facegate_protocol.texts import REFUSALS
from lab.tests.try_.running import RunningTry, running_try
from tests.web.conftest import Recordings

pytestmark = [pytest.mark.slow, pytest.mark.alone]

_WALK = Path(__file__).resolve().parents[2] / "web" / "sdk" / "e2e" / "try.mjs"
_PERSON = "live/KwaiVGI__assets__examples__driving__d13.mp4"
_OTHER = "live/Fellway__media__me.mp4"
_BLINKING = "live/KwaiVGI__assets__examples__driving__d10.mp4"
_JOB_SECONDS = 300
_PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def running(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTry]:
    """The command, with the pack ``open``."""
    pack = f"open:{assets / 'models'}"
    with running_try(tmp_path_factory.mktemp("temporary"), "--sandbox", "--pack", pack) as command:
        yield command


async def walk(address: str, **job: Any) -> dict[str, Any]:
    """Walk through the page, and return what the script prints."""
    process = await asyncio.create_subprocess_exec(
        "node", str(_WALK), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(_JOB_SECONDS):
        printed, _ = await process.communicate(json.dumps({"address": address, **job}).encode())
    answer: dict[str, Any] = json.loads(printed)
    return answer


@pytest.fixture
def portrait(recording: Recordings, tmp_path: Path) -> Path:
    path = tmp_path / "portrait.jpg"
    path.write_bytes(recording(_PERSON).portrait)
    return path


@pytest.mark.parametrize("taken", [False, True], ids=["chosen", "taken"])
async def test_a_person_walks_from_the_portrait_to_success(
    running: RunningTry, recording: Recordings, portrait: Path, taken: bool
) -> None:
    chosen = {} if taken else {"portrait": str(portrait)}
    answer = await walk(running.address, video=str(recording(_PERSON).camera), mode="express", **chosen)
    assert answer["refused"] == []
    assert answer["verdict"].startswith("It is you.")
    assert "sandbox" in answer["verdict"].lower()
    assert answer["focused"] == "It is you."
    assert answer["parts"] == ["Signals", "The scan and its proof"]
    # Of the confidence and the similarity, as the shared style sheet draws them.
    assert answer["gauges"] == ["10px", "10px"]
    # The portrait, the evidence frame and two audit images.
    assert answer["pictures"] == 4
    assert (answer["violations"], answer["problems"]) == ([], [])


async def test_the_colours_are_shown_with_their_answers(
    running: RunningTry, recording: Recordings, tmp_path: Path
) -> None:
    # The colours come with a blink and a head's depth.
    portrait = tmp_path / "portrait.jpg"
    portrait.write_bytes(recording(_BLINKING).portrait)
    answer = await walk(
        running.address,
        video=str(recording(_BLINKING).camera),
        portrait=str(portrait),
        mode="colours",
        relight=True,
        viewport=_PHONE,
        context={"colorScheme": "dark"},
    )
    assert answer["verdict"].startswith("It is you.")
    assert "The colours on your face" in answer["parts"]
    # The first and the last colour are public knowledge.
    assert answer["colours"] >= 5
    assert answer["answered"] >= 3
    assert (answer["violations"], answer["problems"]) == ([], [])


async def test_another_person_is_told_why(running: RunningTry, recording: Recordings, tmp_path: Path) -> None:
    other = tmp_path / "other.jpg"
    other.write_bytes(recording(_OTHER).portrait)
    answer = await walk(
        running.address, video=str(recording(_PERSON).camera), portrait=str(other), mode="express"
    )
    assert "The face in the scan is not the portrait's." in answer["verdict"]
    assert answer["violations"] == []


async def test_a_bad_portrait_is_refused_with_what_to_do(running: RunningTry, tmp_path: Path) -> None:
    path = tmp_path / "portrait.fac"
    path.write_bytes(b"no record")
    answer = await walk(running.address, portrait=str(path))
    (refused,) = answer["refused"]
    assert "IMAGE_FORMAT_NOT_SUPPORTED" in refused
    assert REFUSALS["IMAGE_FORMAT_NOT_SUPPORTED"].action in refused
    assert "verdict" not in answer
    assert answer["violations"] == []


async def test_an_address_without_the_secret_shows_nothing(running: RunningTry) -> None:
    answer = await walk(running.page)
    assert answer["heading"] == "Open the address from the terminal"
    assert answer["violations"] == []


async def test_the_page_about_attacks_shows_what_the_server_saw(running: RunningTry) -> None:
    # The genuine person's two come first.
    answer = await walk(running.address, attacks=3, patience=200_000)
    assert answer["violations"] == []
    assert not any(one["cut"] for one in answer["attacks"])
    genuine = [one for one in answer["attacks"] if one["title"] == "The same person"]
    attacks = [one for one in answer["attacks"] if one not in genuine]
    assert [(one["outcome"], one["films"]) for one in genuine] == [("SUCCESS", 1)] * 2
    # Two may end at once.
    assert {(one["outcome"], one["films"]) for one in attacks} == {("FAILURE", 2)}
    assert all(one["reason"] for one in attacks)
