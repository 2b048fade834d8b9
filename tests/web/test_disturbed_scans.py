"""Scans that something disturbs: the person, the phone, the page around the element, or the network."""

from collections.abc import Callable

import pytest
from facegate.v1 import result_pb2

from server.domain.terms import AttemptOutcome
from tests.web.conftest import Browser, Recording
from tests.web.lines import line

pytestmark = pytest.mark.slow

_TALL = "live/tranvanluyt220__videos__real.mp4"
_CALM = "live/KwaiVGI__assets__examples__driving__d13.mp4"
_PHONE = {"width": 390, "height": 844}


async def test_a_hidden_page_ends_the_attempt_and_says_why(
    browser: Browser, recording: Callable[[str], Recording]
) -> None:
    person = recording(_CALM)
    upload = await browser.upload(person.portrait)
    answer = await browser.scan(upload, person.camera, script="walk", acts=["hide"], viewport=_PHONE)
    assert "The page was hidden. Keep it in view until the scan is complete." in answer["asked"][0]
    first, second, *_ = await browser.live.attempts(upload.check_id)
    assert first.outcome is AttemptOutcome.RETRY
    assert second.frames > 0
    assert answer["outcome"]["streams"] == 1
    assert (answer["violations"], answer["problems"]) == ([], [])


async def test_a_person_who_turns_the_phone_may_turn_it_back(
    browser: Browser, recording: Callable[[str], Recording]
) -> None:
    person = recording(_TALL)
    upload = await browser.upload(person.portrait)
    answer = await browser.scan(
        upload, person.camera, script="walk", acts=["turn"], turning=True, viewport=_PHONE
    )
    # The picture keeps its form on the turned screen.
    assert answer["acted"]["turn"] == pytest.approx(656 / 368, rel=0.02)
    assert "Hold the phone upright." in answer["asked"][0]
    first, second, *_ = await browser.live.attempts(upload.check_id)
    assert first.outcome is AttemptOutcome.RETRY
    assert second.frames > 0
    assert (answer["violations"], answer["problems"]) == ([], [])


async def test_the_page_may_move_and_translate_the_element_during_a_scan(
    browser: Browser, recording: Callable[[str], Recording]
) -> None:
    person = recording(_CALM)
    upload = await browser.upload(person.portrait)
    answer = await browser.scan(
        upload, person.camera, script="walk", acts=["move", "translate"], viewport=_PHONE
    )
    moved, translated = answer["acted"]["move"], answer["acted"]["translate"]
    assert (moved["modal"], moved["focused"], moved["dir"]) == (True, "Cancel", "ltr")
    assert (translated["modal"], translated["focused"], translated["dir"]) == (True, "إلغاء", "rtl")
    assert translated["label"] == translated["card"] != moved["card"]
    assert not translated["hint"].isascii()
    assert (moved["playing"], translated["playing"]) == (True, True)
    assert answer["outcome"]["attempts"] >= 1
    assert answer["shown"].startswith(answer["focused"])
    assert (answer["violations"], answer["problems"]) == ([], [])


async def test_a_person_may_take_the_other_camera(
    browser: Browser, recording: Callable[[str], Recording]
) -> None:
    upload = await browser.upload(recording(_CALM).portrait)
    answer = await browser.scan(
        upload,
        None,
        script="walk",
        acts=["changeCamera", "leave"],
        args=["--use-fake-device-for-media-stream=device-count=2"],
    )
    first, second = answer["acted"]["changeCamera"]
    assert first != second
    assert answer["error"] == "CancelledError"
    assert (answer["violations"], answer["problems"]) == ([], [])
    result = (await browser.live.finish(upload.check_id)).result
    assert result_pb2.FAILURE_REASON_CANCELLED in result.reasons


async def test_one_camera_gives_no_choice(browser: Browser, recording: Callable[[str], Recording]) -> None:
    person = recording(_CALM)
    upload = await browser.upload(person.portrait)
    answer = await browser.scan(upload, person.camera, script="walk", acts=["leave"])
    assert answer["buttons"] == ["Cancel"]


async def test_a_person_with_a_slow_network_is_told_so(
    browser: Browser, recording: Callable[[str], Recording]
) -> None:
    person = recording(_CALM)
    upload = await browser.upload(person.portrait)
    assert browser.live.server.web_target is not None
    async with line(browser.live.server.web_target, bytes_per_second=60_000) as address:
        answer = await browser.scan(upload, person.camera, server=address, script="walk")
    assert answer["outcome"]["status"] != "success"
    assert "The connection is too slow." in " ".join([answer["shown"], *answer["asked"], *answer["seen"]])
    # The page dropped most frames before they were numbered.
    assert answer["outcome"]["dropped"] > answer["outcome"]["frames"]
