"""Scans that something disturbs: the person, the phone, the page around the element, or the network."""

from typing import Any

import pytest
from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from server.domain.terms import AttemptOutcome
from tests.ports import held_port
from tests.web.conftest import Browser, Recordings
from tests.web.lines import line

pytestmark = [pytest.mark.slow, pytest.mark.alone]

_TALL = "live/tranvanluyt220__videos__real.mp4"
_CALM = "live/KwaiVGI__assets__examples__driving__d13.mp4"
_PHONE = {"width": 390, "height": 844}


async def _assert_success(
    browser: Browser, upload: service_pb2.UploadTrustedImageResponse, answer: dict[str, Any]
) -> None:
    """Test that a scan succeeded in the page and on the server, with clean screens."""
    assert answer.get("outcome", answer).get("status") == "success", answer
    result = (await browser.live.finish(upload.check_id)).result
    assert result.status == result_pb2.CHECK_STATUS_SUCCESS, result.reasons
    assert (answer["violations"], answer["problems"]) == ([], [])


async def _assert_continues(
    browser: Browser, upload: service_pb2.UploadTrustedImageResponse, answer: dict[str, Any], told: str
) -> None:
    """Assert that the page reported the problem once, that the scan continued, and that screens are clean.

    The result of later attempts depends on the part of the recording that plays, and on the machine.
    """
    assert [told in asked for asked in answer["asked"]].count(True) == 1
    assert told in answer["asked"][0]
    attempts = await browser.live.attempts(upload.check_id)
    assert attempts[0].outcome is AttemptOutcome.RETRY
    assert len(attempts) > 1
    assert (answer["violations"], answer["problems"]) == ([], [])


async def test_a_hidden_page_ends_the_attempt_and_the_next_one_succeeds(
    browser: Browser, recording: Recordings
) -> None:
    upload, answer = await browser.check(recording(_CALM), script="walk", acts=["hide"], viewport=_PHONE)
    assert "The page was hidden. Keep it in view until the scan is complete." in answer["asked"][0]
    await _assert_success(browser, upload, answer)
    assert answer["outcome"]["streams"] == 1
    assert (await browser.live.attempts(upload.check_id))[0].outcome is AttemptOutcome.RETRY


async def test_a_person_who_turns_the_phone_may_turn_it_back(browser: Browser, recording: Recordings) -> None:
    upload, answer = await browser.check(
        recording(_TALL), "evaluation", script="walk", acts=["turn"], scripts=["turning"], viewport=_PHONE
    )
    # The picture keeps its form on the turned screen.
    assert answer["acted"]["turn"] == pytest.approx(656 / 368, rel=0.02)
    await _assert_continues(browser, upload, answer, "Hold the phone upright; the picture is turned.")


_NO_PICTURE = (
    "The camera gives no picture. Open its cover, close other apps that use it, or connect it again."
)


@pytest.mark.parametrize(
    ("cover", "told"),
    [
        ("covered", _NO_PICTURE),
        ("stopped", _NO_PICTURE),
        ("refused", "Another app uses the camera. Close it and start again."),
    ],
)
async def test_a_camera_that_gives_no_picture_is_named(
    browser: Browser, recording: Recordings, cover: str, told: str
) -> None:
    upload, answer = await browser.check(recording(_CALM), script="walk", scripts=["cover"], cover=cover)
    assert answer["error"] == "CameraError"
    assert " ".join(answer["shown"].split()).startswith(told)
    # No attempt was used for it.
    assert await browser.live.attempts(upload.check_id) == ()


async def test_a_camera_that_is_covered_during_the_scan_may_be_opened_again(
    browser: Browser, recording: Recordings
) -> None:
    upload, answer = await browser.check(
        recording(_CALM), script="walk", scripts=["cover"], cover="scanning", viewport=_PHONE
    )
    # What becomes of the later attempts depends on how fast the machine sends their frames.
    await _assert_continues(browser, upload, answer, _NO_PICTURE)


@pytest.mark.parametrize("act", ["move", "moveBefore"])
async def test_the_page_may_move_and_translate_the_element_during_a_scan(
    browser: Browser, recording: Recordings, act: str
) -> None:
    upload, answer = await browser.check(
        recording(_CALM), script="walk", acts=[act, "translate"], viewport=_PHONE
    )
    moved, translated = answer["acted"][act], answer["acted"]["translate"]
    assert (moved["modal"], moved["focused"], moved["dir"]) == (True, "dialog", "ltr")
    assert (translated["modal"], translated["focused"], translated["dir"]) == (True, "dialog", "rtl")
    assert translated["label"] == translated["card"] != moved["card"]
    assert not translated["hint"].isascii()
    assert (moved["playing"], translated["playing"]) == (True, True)
    assert answer["shown"].startswith(answer["focused"])
    await _assert_success(browser, upload, answer)


async def test_a_person_may_take_the_other_camera(browser: Browser, recording: Recordings) -> None:
    upload, answer = await browser.check(
        recording(_CALM), script="walk", acts=["changeCamera"], scripts=["second_camera"], viewport=_PHONE
    )
    first, second = answer["acted"]["changeCamera"]
    assert second == "Second camera" != first
    await _assert_success(browser, upload, answer)
    assert answer["outcome"]["streams"] == 2


async def test_one_camera_gives_no_choice(browser: Browser, recording: Recordings) -> None:
    _, answer = await browser.check(recording(_CALM), script="walk", acts=["leave"])
    assert answer["buttons"] == ["Cancel"]


async def test_a_person_with_a_slow_network_is_told_so(browser: Browser, recording: Recordings) -> None:
    person = recording(_CALM)
    upload = await browser.upload(person.portrait, "twice")
    assert browser.live.server.web_target is not None
    async with line(browser.live.server.web_target, bytes_per_second=60_000) as address:
        answer = await browser.scan(upload, person.camera, server=address, script="walk")
    assert answer["outcome"]["status"] != "success"
    assert "The connection is too slow." in " ".join([answer["shown"], *answer["asked"], *answer["seen"]])
    # The page dropped most frames before they were numbered.
    assert answer["outcome"]["dropped"] > answer["outcome"]["frames"]


@pytest.mark.long
async def test_a_busy_page_does_not_blame_the_network(browser: Browser, recording: Recordings) -> None:
    _, answer = await browser.check(recording(_CALM), script="walk", scripts=["busy"])
    assert answer["outcome"]["status"] != "success"
    told = " ".join([answer["shown"], *answer["asked"], *answer["seen"]])
    assert "The camera gives too few pictures" in told
    assert "The connection is too slow." not in told


async def test_a_server_that_is_not_there_is_not_a_lost_connection(
    browser: Browser, recording: Recordings
) -> None:
    person = recording(_CALM)
    upload = await browser.upload(person.portrait)
    with held_port() as port:
        answer = await browser.scan(upload, person.camera, server=f"ws://127.0.0.1:{port}", script="walk")
    assert answer["error"] == "ConnectionFailedError"
    assert "The server cannot be reached. Trying again…" in answer["seen"]
    assert "The connection was lost. Connecting again…" not in answer["seen"]
    assert answer["shown"].startswith("The server cannot be reached.")


async def test_a_person_with_a_hopeless_network_is_told_so_soon(
    browser: Browser, recording: Recordings
) -> None:
    person = recording(_CALM)
    upload = await browser.upload(person.portrait, "once")
    assert browser.live.server.web_target is not None
    async with line(browser.live.server.web_target, bytes_per_second=30_000) as address:
        answer = await browser.scan(upload, person.camera, server=address, script="walk")
    assert answer["answeredMs"] <= 30_000
    # The policy allows no other attempt.
    assert answer["asked"] == []
    assert answer["shown"].startswith("That did not work.")
    assert "The connection is too slow." in answer["shown"]
