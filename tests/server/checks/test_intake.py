"""UploadTrustedImage with a real server: refusals, and the answers to repeated requests."""

import asyncio
import base64
import gzip
import io
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import cv2
import grpc
import numpy as np
import pytest
from facegate.v1 import scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from PIL import Image
from sqlalchemy import func, select

from server.domain.terms import Mode
from server.policies import load_policies
from server.storage.database import open_database
from server.storage.tables import checks
from tests.hostile.image_files import iso_media
from tests.server.live import LiveServer, portrait, serving, settings_for
from tests.server.models_once import remembering_pack
from tests.server.refusals import Refused, refused
from vision.image import encode_jpeg

_C = grpc.StatusCode


async def _upload_refused(live: LiveServer, **fields: Any) -> Refused:
    request = service_pb2.UploadTrustedImageRequest(**fields)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await live.service.UploadTrustedImage(request)
    return refused(caught.value)


async def _count(live: LiveServer) -> int:
    database = open_database(live.settings.database_url)
    query = select(func.count()).select_from(checks)
    count = await database.read(lambda connection: connection.execute(query).scalar_one())
    await database.close()
    return count


async def test_a_pack_for_evaluation_that_no_setting_allows_serves_dynamic_checks_alone(
    tmp_path: Path,
) -> None:
    policies = {"folder": tmp_path / "policies", "default": "dynamic"}
    settings = settings_for(tmp_path, policies=policies, allow_evaluation_pack=False)
    async with serving(settings) as live:
        answer = await _upload_refused(live, image=portrait(), policy="standard", request_id=str(uuid4()))
        assert (answer.code, answer.reason) == (_C.FAILED_PRECONDITION, "POLICY_NOT_AVAILABLE")
        assert "for evaluation only" in answer.message
        assert answer.metadata["pack"] == "embedded"
        assert await _count(live) == 0
        for policy, mode in (("", scan_pb2.MODE_UNSPECIFIED), ("standard", scan_pb2.MODE_DYNAMIC)):
            created = await live.service.UploadTrustedImage(
                service_pb2.UploadTrustedImageRequest(
                    image=portrait(), policy=policy, mode=mode, request_id=str(uuid4())
                )
            )
            assert created.mode == scan_pb2.MODE_DYNAMIC


async def test_a_check_has_the_requested_fields(scene: LiveServer) -> None:
    upload = await scene.upload()
    policy = load_policies(scene.settings.policies.folder).get("test")
    assert upload.mode == scan_pb2.MODE_EXPRESS
    assert (upload.policy.name, upload.policy.version) == ("test", 1)
    assert upload.policy.sha256 == policy.sha256
    assert len(upload.challenge_key_sha256) == 32
    assert upload.portrait.media_type == "image/jpeg"
    assert upload.portrait.eye_distance_px >= 85
    assert all(
        requirement.passed for requirement in upload.portrait.requirements if requirement.severity == 2
    )
    record = await scene.record(upload.check_id)
    assert upload.scan_expire_time.ToSeconds() == int(record.scan_deadline.timestamp())
    assert (record.scan_deadline - record.create_time).total_seconds() == 180
    assert record.policy_source == policy.source


def _picture(width: int, height: int) -> bytes:
    return encode_jpeg(np.full((height, width, 3), 120, np.uint8), quality=60)


def _small_face() -> bytes:
    pixels = cv2.imdecode(np.frombuffer(portrait(), np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    small = cv2.resize(pixels, None, fx=0.45, fy=0.45, interpolation=cv2.INTER_AREA)
    return encode_jpeg(small.astype(np.uint8), quality=90)


def _two_faces() -> bytes:
    pixels = cv2.imdecode(np.frombuffer(portrait(), np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return encode_jpeg(np.hstack([pixels, pixels]), quality=80)


def _jpeg_2000(**options: object) -> bytes:
    made = io.BytesIO()
    Image.open(io.BytesIO(portrait())).save(made, "JPEG2000", **options)
    return made.getvalue()


def _some_tiles(count: int) -> bytes:
    data = _jpeg_2000(tile_size=(100, 100))
    at = data.index(b"\xff\x90\x00\x0a")
    for _ in range(count):
        at += int.from_bytes(data[at + 6 : at + 10], "big")
    assert data[at : at + 2] == b"\xff\x90"
    return data[:at] + b"\xff\xd9"


def _zeros_in_jpeg_2000() -> bytes:
    data = _jpeg_2000()
    half = len(data) // 2
    return data[:half] + bytes(len(data) - half - 2) + data[-2:]


FOREIGN = {
    "HEIC": iso_media(b"heic"),
    "gzip": gzip.compress(b"a portrait"),
    "base64": b"\xff\xd8\xff\xe0 in base64",
    "CBEFF XML": b'<?xml version="1.0"?><BIR xmlns="http://standards.iso.org/iso-iec/19785/-3/ed-2/"></BIR>',
    "PIV": b"\x53\x82\x01\x00\xbc\x81\xf0\x03\x0d" + bytes(260),
}


async def test_a_file_that_is_no_picture_is_named(scene: LiveServer) -> None:
    for name, data in FOREIGN.items():
        image = base64.b64encode(data) if name == "base64" else data
        refusal = await _upload_refused(scene, image=image)
        assert (refusal.code, refusal.reason) == (_C.INVALID_ARGUMENT, "IMAGE_FORMAT_NOT_SUPPORTED")
        assert refusal.metadata["format"] == name


def _bad_images() -> dict[str, tuple[bytes, str]]:
    return {
        "empty": (b"", "IMAGE_EMPTY"),
        "too large": (portrait() + bytes(2_000_001), "IMAGE_TOO_LARGE"),
        "text": (b"a portrait, honestly" * 100, "IMAGE_FORMAT_NOT_SUPPORTED"),
        "broken": (portrait()[:300], "IMAGE_MALFORMED"),
        "cut and closed": (portrait()[: len(portrait()) * 2 // 5] + b"\xff\xd9", "IMAGE_MALFORMED"),
        "JPEG 2000 of 6 tiles": (_some_tiles(6), "IMAGE_MALFORMED"),
        "JPEG 2000 with zeros": (_zeros_in_jpeg_2000(), "IMAGE_MALFORMED"),
        "no face": (_picture(400, 400), "FACE_NOT_FOUND"),
        "two faces": (_two_faces(), "MULTIPLE_FACES"),
        "eyes too close": (_small_face(), "EYE_DISTANCE_TOO_SMALL"),
    }


async def test_a_refused_image_creates_nothing(scene: LiveServer) -> None:
    before = await _count(scene)
    for name, (image, reason) in _bad_images().items():
        refusal = await _upload_refused(scene, image=image)
        assert (refusal.code, refusal.reason) == (_C.INVALID_ARGUMENT, reason), name
    assert await _count(scene) == before


FIELDS: dict[str, tuple[dict[str, Any], grpc.StatusCode, str]] = {
    "no image at all": ({}, _C.INVALID_ARGUMENT, "IMAGE_EMPTY"),
    "a reference": ({"image_reference": "a/b"}, _C.FAILED_PRECONDITION, "IMAGE_REFERENCE_NOT_CONFIGURED"),
    "an unknown policy": ({"policy": "none"}, _C.NOT_FOUND, "POLICY_NOT_FOUND"),
    "a policy beyond settings and pack": ({"policy": "high"}, _C.FAILED_PRECONDITION, "POLICY_NOT_AVAILABLE"),
    "a flash for who must not see one": (
        {"policy": "no-flash", "mode": 2},
        _C.FAILED_PRECONDITION,
        "MODE_NOT_AVAILABLE",
    ),
    "a flash in no time": ({"policy": "hasty", "mode": 2}, _C.FAILED_PRECONDITION, "MODE_NOT_AVAILABLE"),
    "a mode that is none": ({"mode": 9}, _C.INVALID_ARGUMENT, "INVALID_FIELD"),
    "a long subject": ({"subject_reference": "é" * 129}, _C.INVALID_ARGUMENT, "INVALID_FIELD"),
    "a long consent": ({"consent_reference": "x" * 257}, _C.INVALID_ARGUMENT, "INVALID_FIELD"),
    "a request_id that is none": ({"request_id": "mine"}, _C.INVALID_ARGUMENT, "INVALID_FIELD"),
    "a long request_id": ({"request_id": "0" * 65}, _C.INVALID_ARGUMENT, "INVALID_FIELD"),
}


@pytest.mark.parametrize("case", FIELDS)
async def test_fields_that_cannot_be_served(scene: LiveServer, case: str) -> None:
    fields, code, reason = FIELDS[case]
    image = {} if case in {"no image at all", "a reference"} else {"image": portrait()}
    before = await _count(scene)
    refusal = await _upload_refused(scene, **(image | fields))
    assert (refusal.code, refusal.reason) == (code, reason)
    assert await _count(scene) == before


async def test_the_orchestrator_may_raise_the_mode(scene: LiveServer) -> None:
    upload = await scene.upload(mode=scan_pb2.MODE_DYNAMIC)
    assert upload.mode == scan_pb2.MODE_DYNAMIC
    assert (await scene.record(upload.check_id)).requested_mode is Mode.DYNAMIC
    # A preference of a policy is not a demand.
    assert (await scene.upload(policy="adaptive")).mode == scan_pb2.MODE_EXPRESS


async def test_a_pack_that_sees_no_blink_cannot_raise_the_mode(tmp_path: Path) -> None:
    blind = replace(remembering_pack(), landmarker=None)
    async with serving(settings_for(tmp_path), pack=blind) as live:
        refusal = await _upload_refused(live, image=portrait(), mode=scan_pb2.MODE_DYNAMIC)
        assert (refusal.code, refusal.reason) == (_C.FAILED_PRECONDITION, "POLICY_NOT_AVAILABLE")
        assert refusal.metadata["mode"] == "DYNAMIC"
        assert await _count(live) == 0
        assert (await live.upload()).mode == scan_pb2.MODE_EXPRESS


async def test_a_repeated_request_gives_the_same_check(scene: LiveServer) -> None:
    request_id = str(uuid4())
    before = await _count(scene)
    first = await scene.upload(request_id=request_id)
    second = await scene.upload(request_id=request_id)
    assert first == second
    assert await _count(scene) == before + 1


@pytest.mark.parametrize(
    "change",
    [{"subject_reference": "other"}, {"policy": "standard"}, {"image": b"other"}, {"mode": 1}],
    ids=["subject", "policy", "image", "mode"],
)
async def test_another_payload_under_the_same_identifier_is_refused(
    scene: LiveServer, change: dict[str, Any]
) -> None:
    request_id = str(uuid4())
    first = await scene.upload(request_id=request_id)
    refusal = await _upload_refused(scene, **({"image": portrait(), "request_id": request_id} | change))
    assert (refusal.code, refusal.reason) == (_C.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert await scene.upload(request_id=request_id) == first


async def test_requests_at_the_same_time_create_one_check(scene: LiveServer) -> None:
    request_id = str(uuid4())
    before = await _count(scene)
    answers = await asyncio.gather(*(scene.upload(request_id=request_id) for _ in range(4)))
    assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1
    assert await _count(scene) == before + 1


async def test_a_refused_request_may_be_made_again(scene: LiveServer) -> None:
    request_id = str(uuid4())
    refusal = await _upload_refused(scene, image=_picture(400, 400), request_id=request_id)
    assert refusal.reason == "FACE_NOT_FOUND"
    assert (await scene.upload(request_id=request_id)).check_id


async def test_without_an_identifier_every_request_is_new(scene: LiveServer) -> None:
    assert (await scene.upload()).check_id != (await scene.upload()).check_id
