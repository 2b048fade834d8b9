"""The frames a second that a page sends while Chromium, its camera and the server share the machine."""

from collections.abc import Callable

import pytest

from tests.web.conftest import Browser, Recording

pytestmark = [pytest.mark.slow, pytest.mark.alone]

_CALM = "live/KwaiVGI__assets__examples__driving__d13.mp4"
_LEAST_RATE = 10.0


async def test_a_page_sends_enough_frames_beside_the_server(
    browser: Browser, recording: Callable[[str], Recording]
) -> None:
    person = recording(_CALM)
    upload = await browser.upload(person.portrait)
    answer = await browser.scan(upload, person.camera)
    assert answer["outcome"]["status"] == "success"
    assert min(answer["rates"]) >= _LEAST_RATE
