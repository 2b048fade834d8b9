"""A passkey as a page's evidence, with Chromium's authenticator in software."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from facegate.v1 import result_pb2

from tests.web.conftest import Browser, Recording, run_script, to_ticket

pytestmark = [pytest.mark.slow, pytest.mark.alone]

_CALM = "live/KwaiVGI__assets__examples__driving__d13.mp4"


async def _scan_twice(
    browser: Browser, person: Recording, **job: Any
) -> tuple[dict[str, Any], Sequence[Mapping[str, int]]]:
    """Scan twice in one page; return what the script prints, and the passkey's tests by name."""
    uploads = [await browser.upload(person.portrait) for _ in range(2)]
    server = f"ws://{browser.live.server.web_target}"
    scans = [
        {"server": server, "ticket": to_ticket(upload.scan_token, upload.challenge_key_sha256)}
        for upload in uploads
    ]
    answer = await run_script(
        "passkey", {"port": browser.port, "video": str(person.camera), "scans": scans, **job}
    )
    results = [(await browser.live.finish(upload.check_id)).result for upload in uploads]
    found = [
        {check.name: check.outcome for check in result.device.checks if check.name.startswith("web_authn.")}
        for result in results
    ]
    return answer, found


def _passed(checks: Mapping[str, int]) -> bool:
    return bool(checks) and set(checks.values()) == {result_pb2.DeviceCheck.OUTCOME_PASS}


async def test_a_passkey_is_made_once_and_recognised_in_the_next_scan(
    browser: Browser, recording: Callable[[str], Recording]
) -> None:
    answer, (first, second) = await _scan_twice(browser, recording(_CALM))
    assert [one["outcome"]["status"] for one in answer["outcomes"]] == ["success", "success"]
    assert answer["passkeys"] == [1, 1]
    assert _passed(first), first
    assert _passed(second), second


async def test_a_passkey_that_was_made_too_late_for_its_scan_is_made_anew(
    browser: Browser, recording: Callable[[str], Recording]
) -> None:
    answer, (first, second) = await _scan_twice(browser, recording(_CALM), late=True)
    assert [one["outcome"]["status"] for one in answer["outcomes"]] == ["success", "success"]
    assert answer["passkeys"] == [1, 2]
    assert first == {}
    assert _passed(second), second
