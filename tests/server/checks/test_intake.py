"""UploadTrustedImage with a real server: portraits, facial records, references and refusals."""

import asyncio
import io
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import numpy as np
import pytest
import pytest_asyncio
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from PIL import Image
from sqlalchemy import func, select

from facegate_client import ApiKey, CallRefusedError, Orchestrator
from matcher.records import RecordVersion, build_record, serialise, wrap_in_dg2
from server.base.errors import ConfigurationError
from server.configuration.settings import LogLevel, LogSettings
from server.domain.terms import CheckState, Mode
from server.policies import load_policies
from server.running.app import FacegateServer
from server.storage.tables import checks
from server.telemetry.logging import configure_logging
from tests.hostile.record_files import record_of, with_faces
from tests.logs import log_plainly
from tests.server.api_keys import bearer, write_keys
from tests.server.live import (
    FAST,
    POLICY_OID,
    SWEEPING,
    LiveServer,
    pictures,
    portrait,
    serving,
    settings_for,
)
from tests.server.models_once import remembering_pack
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice
from tests.server.refusals import Refused, refusal_of
from vision.errors import DecoderUnavailable
from vision.image import encode_jpeg
from vision.isolation.pool import DecoderPool

# UploadTrustedImage with a real server: refusals, and the answers to repeated requests.

_C = grpc.StatusCode


async def _upload(
    live: LiveServer, image: bytes, policy: str = "", **fields: Any
) -> service_pb2.UploadTrustedImageResponse:
    return await live.service.UploadTrustedImage(
        service_pb2.UploadTrustedImageRequest(image=image, policy=policy, **fields)
    )


async def _refusal(live: LiveServer, image: bytes, policy: str = "", **fields: Any) -> Refused:
    return await refusal_of(_upload(live, image, policy, **fields))


async def _count(live: LiveServer) -> int:
    async with live.database() as database:
        query = select(func.count()).select_from(checks)
        return await database.read(lambda connection: connection.execute(query).scalar_one())


async def test_a_pack_for_evaluation_that_no_setting_allows_serves_dynamic_checks_alone(
    tmp_path: Path,
) -> None:
    policies = {"folder": tmp_path / "policies", "default": "dynamic"}
    settings = settings_for(tmp_path, policies=policies, allow_evaluation_pack=False)
    async with serving(settings) as live:
        answer = await _refusal(live, portrait(), policy="standard")
        assert (answer.code, answer.reason) == (_C.FAILED_PRECONDITION, "POLICY_NOT_AVAILABLE")
        assert "for evaluation only" in answer.message
        assert answer.metadata["pack"] == "embedded"
        assert await _count(live) == 0
        for policy, mode in (("", scan_pb2.MODE_UNSPECIFIED), ("standard", scan_pb2.MODE_DYNAMIC)):
            created = await _upload(live, portrait(), policy, mode=mode)
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


def _without_a_face() -> bytes:
    return encode_jpeg(np.full((400, 400, 3), 120, np.uint8), quality=60)


def _jpeg_2000(**options: object) -> bytes:
    made = io.BytesIO()
    Image.open(io.BytesIO(portrait())).save(made, "JPEG2000", **options)
    return made.getvalue()


FIELDS: dict[str, tuple[dict[str, Any], grpc.StatusCode, str]] = {
    "a policy beyond settings and pack": ({"policy": "high"}, _C.FAILED_PRECONDITION, "POLICY_NOT_AVAILABLE"),
    "a flash for who must not see one": (
        {"policy": "no-flash", "mode": 2},
        _C.FAILED_PRECONDITION,
        "MODE_NOT_AVAILABLE",
    ),
    "a flash in no time": ({"policy": "hasty", "mode": 2}, _C.FAILED_PRECONDITION, "MODE_NOT_AVAILABLE"),
    "a long subject": ({"subject_reference": "é" * 129}, _C.INVALID_ARGUMENT, "INVALID_FIELD"),
    "a long consent": ({"consent_reference": "x" * 257}, _C.INVALID_ARGUMENT, "INVALID_FIELD"),
}


@pytest.mark.parametrize("case", FIELDS)
async def test_fields_that_cannot_be_served(scene: LiveServer, case: str) -> None:
    fields, code, reason = FIELDS[case]
    before = await _count(scene)
    refusal = await _refusal(scene, portrait(), **fields)
    assert (refusal.code, refusal.reason) == (code, reason)
    assert await _count(scene) == before


@pytest.mark.parametrize("reference", ["", "  "])
async def test_a_policy_may_require_a_consent_reference(scene: LiveServer, reference: str) -> None:
    before = await _count(scene)
    refusal = await _refusal(scene, portrait(), policy="consenting", consent_reference=reference)
    assert (refusal.code, refusal.reason) == (_C.INVALID_ARGUMENT, "INVALID_FIELD")
    assert (refusal.metadata["field"], refusal.metadata["policy"]) == ("consent_reference", "consenting")
    assert await _count(scene) == before
    upload = await scene.upload(policy="consenting", consent_reference="consent-7")
    assert (await scene.record(upload.check_id)).consent_reference == "consent-7"


@pytest.mark.parametrize("field", ["subject_reference", "consent_reference"])
@pytest.mark.parametrize("reference", ["evil\u202egnp.exe", "tab\t", "\u200d", "\x9b"])
async def test_a_reference_has_no_characters_that_cannot_be_seen(
    scene: LiveServer, field: str, reference: str
) -> None:
    refusal = await _refusal(scene, portrait(), **{field: reference})
    assert (refusal.code, refusal.reason) == (_C.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.metadata == {"field": field, "problem": "NOT_PRINTABLE"}


async def test_the_upload_states_the_object_identifier_of_its_policy(scene: LiveServer) -> None:
    upload = await scene.upload(policy="consenting", consent_reference="consent-7")
    assert upload.policy.oid == POLICY_OID
    assert not (await scene.upload()).policy.oid


async def test_the_orchestrator_may_raise_the_mode(scene: LiveServer) -> None:
    upload = await scene.upload(mode=scan_pb2.MODE_DYNAMIC)
    assert upload.mode == scan_pb2.MODE_DYNAMIC
    assert (await scene.record(upload.check_id)).requested_mode is Mode.DYNAMIC
    # A preference of a policy is not a demand.
    assert (await scene.upload(policy="adaptive")).mode == scan_pb2.MODE_EXPRESS


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
    refusal = await _refusal(scene, **({"image": portrait(), "request_id": request_id} | change))
    assert (refusal.code, refusal.reason) == (_C.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert await scene.upload(request_id=request_id) == first


async def test_the_request_of_an_erased_check_gives_no_token(tmp_path: Path) -> None:
    write_policy(tmp_path / "policies", "fleeting", result_seconds=180, evidence_seconds=0)
    async with serving(settings_for(tmp_path), tuning=SWEEPING) as live:
        request_id = str(uuid4())
        check_id = (await live.upload(policy="fleeting", request_id=request_id)).check_id
        await live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=check_id))
        live.clock.ahead = timedelta(seconds=181)
        await live.reaches(check_id, CheckState.ERASED)
        # Nothing tells any more whether it is the same request.
        for subject in ("", "other"):
            refusal = await _refusal(
                live, portrait(), "fleeting", request_id=request_id, subject_reference=subject
            )
            assert (refusal.code, refusal.reason) == (_C.ALREADY_EXISTS, "REQUEST_ID_REUSED")
            assert "was erased" in refusal.message
        assert await _count(live) == 1


async def test_a_request_id_is_compared_as_a_uuid(scene: LiveServer) -> None:
    request_id = str(uuid4())
    first = await scene.upload(request_id=request_id.upper())
    assert await scene.upload(request_id=request_id) == first
    assert await scene.upload(request_id=request_id.replace("-", "")) == first


async def test_requests_at_the_same_time_create_one_check(scene: LiveServer) -> None:
    request_id = str(uuid4())
    before = await _count(scene)
    answers = await asyncio.gather(*(scene.upload(request_id=request_id) for _ in range(4)))
    assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1
    assert await _count(scene) == before + 1


async def test_a_refused_request_may_be_made_again(scene: LiveServer) -> None:
    request_id = str(uuid4())
    refusal = await _refusal(scene, _without_a_face(), request_id=request_id)
    assert refusal.reason == "FACE_NOT_FOUND"
    assert (await scene.upload(request_id=request_id)).check_id


# JPEG 2000 portraits, which only a separate process decodes, through a whole server.


@pytest.mark.parametrize(("bare", "media_type"), [(False, "image/jp2"), (True, "image/j2c")])
async def test_a_jpeg2000_portrait_is_accepted(scene: LiveServer, bare: bool, media_type: str) -> None:
    before = set(scene.server.decoder_processes)
    upload = await _upload(scene, _jpeg_2000(no_jp2=bare, quality_layers=[20], quality_mode="rates"))
    assert upload.portrait.media_type == media_type
    # The process that decoded it decodes nothing else.
    assert before - set(scene.server.decoder_processes)


async def test_kill_9_of_the_decoder_between_two_uploads_does_no_harm(scene: LiveServer) -> None:
    await _upload(scene, _jpeg_2000())
    for process in scene.server.decoder_processes:
        os.kill(process, signal.SIGKILL)
    assert (await _upload(scene, _jpeg_2000())).check_id


async def test_no_free_decoder_means_later_and_not_never(
    scene: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise DecoderUnavailable("all are busy", retry_after=2.5)

    monkeypatch.setattr(DecoderPool, "decode_still", busy)
    refusal = await _refusal(scene, _jpeg_2000())
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
    assert refusal.retry_seconds == 2.5


# Facial records through UploadTrustedImage: real ones, and the policies' rules for records.

_2005, _2011 = RecordVersion.ISO_19794_5_2005, RecordVersion.ISO_19794_5_2011
_39794 = RecordVersion.ISO_39794_5
_PORTRAITS = {
    "first-face": 'representations = "first"',
    "sharper": '[portrait.requirements.sharpness]\nseverity = "hard"\nminimum_score = 100',
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def records_live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    settings = settings_for(tmp_path_factory.mktemp("server"))
    folder = settings.policies.folder
    assert folder is not None
    plain = (folder / "test.toml").read_text()
    for name, rules in _PORTRAITS.items():
        text = plain.replace('name = "test"', f'name = "{name}"')
        (folder / f"{name}.toml").write_text(f"{text}\n[portrait]\n{rules}\n")
    async with serving(settings) as server:
        yield server


@pytest.mark.parametrize(("version", "wrapped"), [(_2005, False), (_39794, True)])
async def test_a_record_with_an_incomplete_picture_is_refused(
    records_live: LiveServer, version: RecordVersion, wrapped: bool
) -> None:
    whole = portrait()
    record = serialise(build_record(whole[: len(whole) * 2 // 5] + b"\xff\xd9", version=version))
    refusal = await _refusal(records_live, wrap_in_dg2([record]) if wrapped else record)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "IMAGE_MALFORMED")


@pytest.mark.parametrize("version", [_2005, _39794])
async def test_a_person_is_verified_against_a_record(
    records_live: LiveServer, version: RecordVersion
) -> None:
    upload = await _upload(records_live, wrap_in_dg2([record_of(version)]))
    stream = await RawDevice(records_live.device, upload).open()
    await stream.run_attempt(pictures())
    assert await stream.outcome() is None
    answer = await records_live.finish(upload.check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS


async def test_a_policy_may_take_the_first_of_several_faces(records_live: LiveServer) -> None:
    record = with_faces(_2005, 2)
    answer = await _refusal(records_live, record)
    assert answer.reason == "MULTIPLE_FACES"
    assert answer.metadata == {"representations": "2", "requiredRepresentations": "1"}
    assert (await _upload(records_live, record, "first-face")).check_id


async def test_a_hard_requirement_is_refused_by_its_name(records_live: LiveServer) -> None:
    assert (await _upload(records_live, record_of(_2011))).check_id
    answer = await _refusal(records_live, record_of(_2011), "sharper")
    assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "IMAGE_NOT_CONFORMANT")
    assert answer.metadata["requirement"] == "sharpness"
    assert "required" in answer.metadata


# UploadTrustedImage by reference with a real server: two tenants, each with a separate folder.


@dataclass(frozen=True, slots=True)
class Scene:
    """A server, its store of trusted images, and the keys of its two tenants."""

    live: LiveServer
    images: Path
    keys: dict[str, str]

    async def upload(self, reference: str, *, tenant: str = "one", **fields: Any) -> Any:
        request = service_pb2.UploadTrustedImageRequest(image_reference=reference, **fields)
        return await self.call(request, tenant)

    async def call(self, request: service_pb2.UploadTrustedImageRequest, tenant: str = "one") -> Any:
        metadata = bearer(self.keys[tenant])
        return await self.live.service.UploadTrustedImage(request, metadata=metadata)

    async def refusal(self, reference: str, **fields: Any) -> Refused:
        return await refusal_of(self.upload(reference, **fields))


def _settings(folder: Path, tenants: tuple[str, ...], source: str) -> tuple[Any, dict[str, str]]:
    entries = {tenant: f'tenant = "{tenant}"\nroles = ["orchestrator"]' for tenant in tenants}
    listeners, keys = write_keys(folder, entries)
    settings = settings_for(folder, listeners=listeners, trusted_images={"source": source})
    return settings, keys


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def references_scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    folder = tmp_path_factory.mktemp("references")
    images = folder / "images"
    (images / "one" / "2031").mkdir(parents=True)
    (images / "two").mkdir()
    (images / "one" / "2031" / "anna.jpg").write_bytes(portrait())
    (images / "two" / "bert.jpg").write_bytes(portrait())
    (images / "one" / "notes.txt").write_text("no picture at all\n" * 20)
    (images / "one" / "empty.jpg").touch()
    (images / "one" / "large.jpg").write_bytes(portrait().ljust(2_000_001, b"\0"))
    (images / "one" / "link.jpg").symlink_to(images / "two" / "bert.jpg")
    settings, keys = _settings(folder, ("one", "two"), f"{images}/{{tenant}}")
    async with serving(settings) as live:
        yield Scene(live, images, keys)


async def test_a_reference_is_resolved_to_its_bytes(references_scene: Scene) -> None:
    by_reference = await references_scene.upload("2031/anna.jpg")
    by_bytes = await references_scene.call(service_pb2.UploadTrustedImageRequest(image=portrait()))
    assert by_reference.portrait == by_bytes.portrait
    assert by_reference.check_id != by_bytes.check_id
    record = await references_scene.live.record(by_reference.check_id)
    assert record.tenant == "one"
    assert "anna" not in repr(record)


REFUSALS: dict[str, tuple[str, grpc.StatusCode, str]] = {
    "nothing there": ("2031/carla.jpg", _C.NOT_FOUND, "IMAGE_REFERENCE_NOT_FOUND"),
    "a folder": ("2031", _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "nothing at all": ("", _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "too long": ("x" * 513, _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "another tenant's": ("../two/bert.jpg", _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "a link": ("link.jpg", _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "text": ("notes.txt", _C.INVALID_ARGUMENT, "IMAGE_FORMAT_NOT_SUPPORTED"),
    "empty": ("empty.jpg", _C.INVALID_ARGUMENT, "IMAGE_EMPTY"),
    "large": ("large.jpg", _C.INVALID_ARGUMENT, "IMAGE_TOO_LARGE"),
}


@contextmanager
def _logged() -> Iterator[io.StringIO]:
    stream, handlers, level = io.StringIO(), logging.getLogger().handlers[:], logging.getLogger().level
    configure_logging(LogSettings(level=LogLevel.DEBUG), stream=stream)
    try:
        yield stream
    finally:
        log_plainly()
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)


@pytest.mark.parametrize("case", REFUSALS)
async def test_an_unusable_reference_is_refused_and_never_repeated(
    references_scene: Scene, case: str
) -> None:
    reference, code, reason = REFUSALS[case]
    with _logged() as log:
        answer = await references_scene.refusal(reference)
    assert (answer.code, answer.reason) == (code, reason)
    output = " ".join(
        [answer.message, *answer.metadata.values(), log.getvalue(), await references_scene.live.metrics()]
    )
    assert f'facegate_trusted_images_refused_total{{reason="{reason}",sandbox="false"}}' in output
    for word in ("bert", "carla", "notes.txt", "xxxx"):
        assert word not in output


async def test_refused_references_leave_nothing_open(references_scene: Scene) -> None:
    await references_scene.refusal("2031/carla.jpg")
    before = references_scene.live.traces()
    for reference, _, _ in REFUSALS.values():
        await asyncio.gather(*(references_scene.refusal(reference) for _ in range(3)))
    await references_scene.live.settled(before)


async def test_each_tenant_has_its_own_images(references_scene: Scene) -> None:
    assert (await references_scene.upload("bert.jpg", tenant="two")).check_id
    assert (await references_scene.refusal("bert.jpg")).reason == "IMAGE_REFERENCE_NOT_FOUND"
    assert (
        await references_scene.refusal("2031/anna.jpg", tenant="two")
    ).reason == "IMAGE_REFERENCE_NOT_FOUND"


async def test_a_repeated_request_is_the_same_check_whatever_became_of_the_image(
    references_scene: Scene,
) -> None:
    image, request_id = references_scene.images / "one" / "soon-gone.jpg", str(uuid4())
    image.write_bytes(portrait())
    first = await references_scene.upload("soon-gone.jpg", request_id=request_id)
    image.write_bytes(b"something else")
    assert await references_scene.upload("soon-gone.jpg", request_id=request_id) == first
    image.unlink()
    assert await references_scene.upload("soon-gone.jpg", request_id=request_id) == first
    assert (await references_scene.refusal("soon-gone.jpg")).reason == "IMAGE_REFERENCE_NOT_FOUND"
    assert (
        await references_scene.refusal("2031/anna.jpg", request_id=request_id)
    ).reason == "REQUEST_ID_REUSED"
    assert (
        await refusal_of(
            references_scene.call(
                service_pb2.UploadTrustedImageRequest(image=portrait(), request_id=request_id)
            )
        )
    ).reason == "REQUEST_ID_REUSED"


async def test_a_store_that_is_away_is_unavailable_and_comes_back(references_scene: Scene) -> None:
    away = references_scene.images.rename(references_scene.images.with_name("away"))
    with _logged() as log:
        answer = await references_scene.refusal("2031/anna.jpg")
    assert (answer.code, answer.reason) == (_C.UNAVAILABLE, "IMAGE_REFERENCE_UNAVAILABLE")
    assert answer.retry_seconds == 2
    assert '"cause": "ENOENT"' in log.getvalue()
    away.rename(references_scene.images)
    assert (await references_scene.upload("2031/anna.jpg")).check_id


@pytest.mark.parametrize(
    ("folder", "tenants", "said"),
    [
        # Tenants must not share a store by mistake.
        ("images", ("one", "two"), r"\{tenant\}"),
        ("missing", ("one",), r"trusted_images\.source.*No such file"),
    ],
)
async def test_a_store_that_cannot_serve_prevents_the_start(
    tmp_path: Path, folder: str, tenants: tuple[str, ...], said: str
) -> None:
    (tmp_path / "images").mkdir()
    settings, _ = _settings(tmp_path, tenants, str(tmp_path / folder))
    server = FacegateServer(settings, pack=remembering_pack(), tuning=FAST)
    with pytest.raises(ConfigurationError, match=said):
        await server.start()
    await server.stop()


@pytest.mark.parametrize(("size", "reason"), [(2_000_001, "IMAGE_TOO_LARGE"), (12_000_000, "")])
async def test_a_portrait_of_any_size_is_told_the_limit(
    references_scene: Scene, size: int, reason: str
) -> None:
    orchestrator = Orchestrator(
        channel=references_scene.live.service_channel, api_key=ApiKey(references_scene.keys["one"])
    )
    with pytest.raises(CallRefusedError) as refused:
        await orchestrator.upload_trusted_image(b"\xff\xd8\xff" + bytes(size))
    assert refused.value.refusal.reason == reason
    assert "2,000,000" in str(refused.value) or "2000000" in str(refused.value)
