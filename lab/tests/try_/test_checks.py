import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import cv2
import numpy as np
import pytest
import pytest_asyncio
from aiohttp import web
from facegate.v1 import result_pb2, scan_pb2, verification_service_pb2
from facegate.v1.verification_service_pb2 import PortraitRequirement

from cli.errors import CommandError
from facegate_client import ServerError
from lab.demo.runner import recorded
from lab.simulator.photo import builtin_image
from lab.tests.demo.builders import JPEG, PACK, result
from lab.try_.attacks import film_document
from lab.try_.checks import (
    TrustedImage,
    accepted_document,
    as_record,
    offered_modes,
    refused_document,
    verdict_document,
    write_trial_policy,
)
from lab.try_.site import SECRET_HEADER, Guard, open_socket
from matcher.records import Representations, open_trusted_image
from server.policies import load_policies
from tests.packs import real_pack
from tests.server.pages.reading import Page
from vision.image import encode_jpeg


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    write_trial_policy(tmp_path)
    return tmp_path


def test_a_pack_for_evaluation_gets_policies_for_trials(folder: Path) -> None:
    modes = offered_modes(real_pack(), folder=folder)
    assert [(mode.policy, mode.wanted, mode.shortfall) for mode in modes] == [
        ("evaluation", scan_pb2.MODE_UNSPECIFIED, ""),
        ("evaluation-colours", scan_pb2.MODE_UNSPECIFIED, ""),
        ("evaluation", scan_pb2.MODE_DYNAMIC, ""),
    ]


def test_a_mode_that_the_pack_cannot_serve_states_why(folder: Path) -> None:
    _, _, dynamic = offered_modes(replace(real_pack(), landmarker=None), folder=folder)
    assert "it demands a blink" in dynamic.shortfall
    express, colours, _ = offered_modes(replace(PACK, evaluation_only=False), folder=folder)
    assert (express.policy, colours.policy) == ("standard", "adaptive")
    assert express.shortfall


def test_the_policy_for_trials_may_be_declined(folder: Path) -> None:
    policy = load_policies(folder).get("evaluation-colours").policy
    assert (policy.mode.value, policy.match.max_fmr) == ("EXPRESS", 1e-2)
    with pytest.raises(CommandError, match="cannot be written"):
        write_trial_policy(folder / "missing")


def _photo() -> bytes:
    return encode_jpeg(builtin_image("astronaut"), quality=90)


def test_a_picture_becomes_a_record_with_the_places_of_the_eyes_and_a_record_stays() -> None:
    photo = _photo()
    made = as_record(photo, real_pack())
    content = open_trusted_image(made.data, representations=Representations.FIRST, max_bytes=2_000_000)
    assert content.image == photo
    assert content.representation is not None
    assert len(content.representation.landmarks) == 2
    assert as_record(made.data, real_pack()) == TrustedImage(made.data)


def test_what_cannot_be_converted_is_left_to_the_server() -> None:
    wide = encode_jpeg(builtin_image("astronaut")[:50], quality=90)
    assert as_record(b"no picture", real_pack()) == TrustedImage(b"no picture")
    assert as_record(wide, real_pack()) == TrustedImage(wide)


def test_findings_have_remedies() -> None:
    report = verification_service_pb2.PortraitReport(
        container="ISO/IEC 19794-5:2011",
        eye_distance_px=100.0,
        requirements=[
            PortraitRequirement(code="single_face_present", measured="1", required="1", passed=True),
            PortraitRequirement(code="eyes_open", measured="0.1 eyes to chin", score=3, passed=False),
            PortraitRequirement(code="no_head_coverings"),
        ],
        notes=["the record states another width"],
    )
    document = accepted_document(report, TrustedImage(b"", ("The picture is kept.",)), key="k")
    assert (document["met"], document["assessed"]) == (1, 2)
    assert [finding["code"] for finding in document["findings"]] == ["eyes_open"]
    (finding,) = document["findings"]
    assert finding["measured"] == "0.1 eyes to chin, score 3 of 100"
    assert finding["remedy"]
    assert document["notes"] == ["The picture is kept.", "the record states another width."]


def test_a_refusal_states_what_to_do() -> None:
    document = refused_document(
        ServerError(
            code="INVALID_ARGUMENT",
            reason="EYE_DISTANCE_TOO_SMALL",
            message="the eyes are 60 pixels apart",
            metadata={"eyeDistancePx": "60"},
        )
    )
    assert document["message"] == "The eyes are 60 pixels apart."
    assert document["remedy"].startswith("Ask for a larger picture")
    assert document["details"] == {"eyeDistancePx": "60"}


def _document(checked: result_pb2.CheckResult, **more: Any) -> dict[str, Any]:
    return verdict_document(
        verification_service_pb2.FinishCheckResponse(result=checked, result_jws="a.b.c", **more),
        thresholds=(30.0, 70.0),
        verified=True,
        upload_seconds=0.2,
        finish_seconds=0.1,
    )


def test_a_verdict_is_explained_by_the_shared_templates() -> None:
    evidence = result_pb2.EvidenceImage(
        image=JPEG, media_type="image/jpeg", rotation=scan_pb2.ROTATION_270, mirrored=True
    )
    document = _document(result(flashed=True), evidence_frame=evidence)
    json.dumps(document)
    assert (document["status"], document["reasons"]) == ("SUCCESS", ())
    assert document["sentences"] == ["The scan shows the right person, a living person, now."]
    page = Page(document["explained"])
    assert (page.open, page.pictures, page.without_words) == ([], 1, [])
    # The Content-Security-Policy of the page allows neither.
    assert not {"style", "onclick"} & page.attributes
    assert not {"script", "style"} & set(page.tags)
    assert f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}" in page.source
    assert 'class="turn-270 mirrored"' in page.source
    for text in ("Similarity to the portrait", "SPOOF up to 30, LIVE from 70", "The scan shows signs"):
        assert text in page.text
    assert "of 2 that were drawn at random the face answered 1" in page.text
    assert "0.20 s" in page.text


def test_a_failure_states_its_reasons_in_words() -> None:
    reasons = result_pb2.FAILURE_REASON_DEVICE_MANIPULATED, result_pb2.FAILURE_REASON_SPOOF
    document = _document(result(*reasons, detail="<b>"))
    assert document["reasons"] == ("DEVICE_MANIPULATED", "SPOOF")
    assert document["sentences"][1] == "The scan is an attack, not a living person."
    assert "<b>" in Page(document["explained"]).text


def test_a_verdict_without_a_scan_says_so() -> None:
    cancelled = result_pb2.CheckResult(
        status=result_pb2.CHECK_STATUS_FAILURE, reasons=[result_pb2.FAILURE_REASON_CANCELLED]
    )
    page = Page(_document(cancelled)["explained"])
    assert "No face was captured, so there is no evidence frame." in page.text
    assert "no frame came" in page.text


def _frame(grey: int) -> bytes:
    return encode_jpeg(np.full((640, 480, 3), grey, np.uint8), quality=90)


def test_a_film_has_at_most_24_frames_in_order() -> None:
    film = film_document([_frame(grey) for grey in range(0, 250, 5)])
    assert film is not None
    assert (film["frames"], film["width"], film["height"]) == (24, 240, 320)
    jpeg = base64.b64decode(film["image"].partition(",")[2])
    sheet = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert sheet is not None
    assert sheet.shape == (320, 24 * 240)
    greys = sheet[160, 120::240].astype(int)
    assert (np.diff(greys) > 5).all()
    assert greys[0] < 5
    assert greys[-1] > 240


def test_a_scan_without_frames_has_no_film() -> None:
    assert film_document([]) is None


def test_the_recorder_keeps_what_was_taken() -> None:
    sent: list[bytes] = []
    frames = recorded(iter([(b"one", 0.0), (b"two", 0.1), (b"three", 0.2)]), sent)
    assert [next(frames), next(frames)] == [(b"one", 0.0), (b"two", 0.1)]
    assert sent == [b"one", b"two"]


SECRET = "a-secret-of-the-page"


@pytest_asyncio.fixture(loop_scope="session")
async def port() -> AsyncIterator[int]:
    """The port of a site with a page and a call, behind a guard."""

    async def answered(_: web.Request) -> web.Response:
        return web.Response(text="answered")

    with open_socket(0) as bound:
        number: int = bound.getsockname()[1]
        guard = Guard(port=number, secret=SECRET, scans="ws://127.0.0.1:8446")
        application = web.Application(middlewares=[guard.middleware()])
        application.on_response_prepare.append(guard.restrict)
        application.add_routes(
            [web.get("/", answered), web.get("/api/x", answered), web.post("/api/x", answered)]
        )
        runner = web.AppRunner(application)
        await runner.setup()
        await web.SockSite(runner, bound).start()
        yield number
        await runner.cleanup()


async def call(port: int, method: str = "GET", path: str = "/api/x", **headers: str) -> tuple[int, str]:
    sent = {"Host": f"localhost:{port}", SECRET_HEADER: SECRET}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method, f"http://127.0.0.1:{port}{path}", headers=sent, allow_redirects=False
        ) as answer,
    ):
        if answer.content_type == "application/json":
            return answer.status, (await answer.json())["reason"]
        return answer.status, answer.headers.get("Location", "")


async def test_the_page_may_call(port: int) -> None:
    origin = f"http://localhost:{port}"
    assert await call(port) == (200, "")
    assert await call(port, "POST", Origin=origin, Sec_Fetch_Site="same-origin") == (200, "")


async def test_another_host_is_refused(port: int) -> None:
    assert await call(port, Host=f"rebound.example:{port}") == (421, "WRONG_HOST")
    assert await call(port, path="/", Host="localhost") == (421, "WRONG_HOST")
    assert await call(port, Host=f"127.0.0.1:{port}") == (421, "WRONG_HOST")


async def test_the_address_in_numbers_leads_to_the_page(port: int) -> None:
    found = await call(port, path="/", Host=f"127.0.0.1:{port}")
    assert found == (307, f"http://localhost:{port}/")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
async def test_another_page_is_refused(port: int, headers: dict[str, str]) -> None:
    assert await call(port, **headers) == (403, "WRONG_ORIGIN")
    assert (await call(port, "POST", **headers))[0] == 403


async def test_a_post_without_an_origin_is_refused(port: int) -> None:
    assert await call(port, "POST") == (403, "WRONG_ORIGIN")


@pytest.mark.parametrize("secret", ["", SECRET[:-1], SECRET + "x", "é"])
async def test_a_call_without_the_secret_is_refused(port: int, secret: str) -> None:
    assert await call(port, **{SECRET_HEADER: secret}) == (401, "SECRET_MISSING")


async def test_every_answer_restricts_the_page(port: int) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"http://localhost:{port}/no-such") as answer:
        headers = answer.headers
    assert "connect-src 'self' ws://127.0.0.1:8446; worker-src blob:" in headers["Content-Security-Policy"]
    assert "script-src 'self'; style-src 'self';" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Permissions-Policy"] == "camera=(self), microphone=(), geolocation=()"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_browsers_leave_out_the_default_port() -> None:
    guard = Guard(port=80, secret=SECRET, scans="ws://127.0.0.1:8446")
    assert (guard.host, guard.origin) == ("localhost", "http://localhost")
