"""The opening of a stream against a real server: admission, fencing, and limits on failed checks."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from facegate.v1 import device_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from device_integrity.camera import DeviceClaim, Platform
from facegate_protocol import public_key_der
from lab.simulator.scene import ScanKind
from server.base.errors import Reason, Refusal
from server.checks.progress import attempts_remaining
from server.domain.terms import AttemptOutcome, CheckState, EndedBy, Mode
from server.keyring.keys import ScanTokens
from server.policies import Policy, load_policies
from server.policies.schema import ChallengeRules, DeviceRules
from server.scan.handshake import admit, validate_start
from server.scan.lease import check_closed
from server.scan.messages import Capability
from server.storage.records import AttemptRecord, CheckRecord
from tests.server.api_keys import Keyed, write_keys
from tests.server.live import SDK_LAST_DAY, LiveServer, pictures, portrait, serving, settings_for
from tests.server.raw_device import Ended, RawDevice, RawStream, Request, opened
from tests.server.refusals import Refused, refusal_of
from tests.server.scan.records import NOW, attempt_record, check_record, start_message

# The opening of a stream against a real server: admission and fencing.

_C = grpc.StatusCode


async def _opening_refused(device: RawDevice, /, *, resume: bool = False, **start: Any) -> Refused:
    stream = device.connect()
    with pytest.raises(Ended):
        await stream.start(resume=resume, **start)
    return await stream.refusal()


async def test_a_token_that_is_not_ours_leaves_the_check_as_it_was(scene: LiveServer) -> None:
    upload = await scene.upload()
    device = RawDevice(scene.device, upload)
    for token in (ScanTokens((bytes(32),)).issue(UUID(upload.check_id)), device.token[:-1], "\u0661" * 71):
        device.token = token
        refusal = await _opening_refused(device)
        assert (refusal.code, refusal.reason) == (_C.UNAUTHENTICATED, "TOKEN_INVALID")
        assert token[:8] not in refusal.message
    record = await scene.record(upload.check_id)
    assert (record.state, record.session_key, record.lease_until) == (CheckState.CREATED, None, None)


@pytest.mark.parametrize("request_", [Request(), Request(frame=scan_pb2.Frame())])
async def test_only_a_start_begins_a_stream(scene: LiveServer, request_: Request) -> None:
    stream = RawDevice(scene.device, await scene.upload()).connect()
    await stream.send(request_)
    refusal = await stream.refusal()
    assert (refusal.code, refusal.reason) == (_C.INVALID_ARGUMENT, "UNEXPECTED_MESSAGE")


async def test_the_challenge_states_the_due_actions(scene: LiveServer) -> None:
    upload = await scene.upload()
    device = RawDevice(scene.device, upload)
    stream = await device.open()
    challenge = stream.challenge
    assert not challenge.resume_proof_required
    assert challenge.mode == scan_pb2.MODE_EXPRESS
    assert challenge.attempts_remaining == 3
    assert challenge.initial_credit.frames == (await stream.begin()).credit.frames
    assert challenge.budget.max_frame_bytes == 524_288
    assert challenge.scan_deadline == upload.scan_expire_time
    await stream.vanish()

    again = await _resumable(scene, device, upload.check_id)
    assert again.challenge.resume_proof_required
    assert again.challenge.nonce != challenge.nonce
    assert again.challenge.key_share != challenge.key_share
    await again.vanish()


# -- reconnects


async def _lost(scene: LiveServer) -> tuple[RawDevice, RawStream, str]:
    """A device whose first stream was lost after a few frames."""
    check_id, device, stream = await opened(scene)
    await stream.begin()
    await stream.send_frames(pictures()[:3])
    await stream.taken(3)
    await stream.vanish()
    await scene.reaches(check_id, CheckState.WAITING)
    return device, stream, check_id


async def _resumable(scene: LiveServer, device: RawDevice, check_id: str) -> RawStream:
    await scene.reaches(check_id, CheckState.WAITING)
    return await device.open(resume=True)


async def test_another_session_key_is_refused(scene: LiveServer) -> None:
    device, _, check_id = await _lost(scene)
    device.session_key = ec.generate_private_key(ec.SECP256R1())
    refusal = await _opening_refused(device, resume=True)
    assert (refusal.code, refusal.reason) == (_C.PERMISSION_DENIED, "SESSION_KEY_MISMATCH")
    assert (await scene.record(check_id)).state is CheckState.WAITING


async def test_a_bound_token_needs_the_proof_even_where_the_device_asks_for_no_resume(
    scene: LiveServer,
) -> None:
    device, _, _ = await _lost(scene)
    stream = await device.open(resume=False)
    assert stream.challenge.resume_proof_required
    await stream.send(Request(frame=scan_pb2.Frame()))
    refusal = await stream.refusal()
    assert (refusal.code, refusal.reason) == (_C.PERMISSION_DENIED, "RESUME_PROOF_INVALID")


@pytest.mark.parametrize("proof", ["of an earlier nonce", "frame first"])
async def test_a_reconnect_without_the_right_proof_changes_nothing(scene: LiveServer, proof: str) -> None:
    device, lost, check_id = await _lost(scene)
    before = await scene.record(check_id)
    stream = await device.open(resume=True)
    if proof == "frame first":
        await stream.send(Request(frame=scan_pb2.Frame()))
    else:
        await stream.send(Request(resume_proof=scan_pb2.ResumeProof(signature=lost.proof())))
    refusal = await stream.refusal()
    assert (refusal.code, refusal.reason) == (_C.PERMISSION_DENIED, "RESUME_PROOF_INVALID")
    assert await scene.record(check_id) == before


async def test_token_and_public_key_do_not_suffice_to_fence_the_device(scene: LiveServer) -> None:
    upload = await scene.upload()
    device = RawDevice(scene.device, upload)
    stream = await device.open()
    await stream.begin()
    await stream.send_frames(pictures()[:4])

    thief = RawDevice(scene.device, upload)
    public = public_key_der(device.session_key.public_key())
    theirs = await thief.open(resume=True, session_public_key=public)
    await theirs.send(Request(resume_proof=scan_pb2.ResumeProof(signature=theirs.proof())))
    assert (await theirs.refusal()).reason == "RESUME_PROOF_INVALID"

    await stream.send_frames(pictures()[4:])
    await stream.send(stream.end())
    assert (await stream.result()).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None


async def test_no_proof_at_all_is_refused_in_time(scene: LiveServer) -> None:
    upload = await scene.upload(policy="hasty")
    device = RawDevice(scene.device, upload)
    await (await device.open()).vanish()
    stream = await _resumable(scene, device, upload.check_id)
    refusal = await stream.refusal()
    assert (refusal.code, refusal.reason) == (_C.PERMISSION_DENIED, "RESUME_PROOF_INVALID")


async def test_a_half_close_instead_of_the_proof_decides_nothing(scene: LiveServer) -> None:
    device, _, check_id = await _lost(scene)
    stream = await device.open(resume=True)
    await stream.half_close()
    assert await stream.outcome() is None
    assert (await scene.record(check_id)).state is CheckState.WAITING


async def test_reconnects_are_limited(scene: LiveServer) -> None:
    upload = await scene.upload(policy="no-reconnect")
    device = RawDevice(scene.device, upload)
    await (await device.open()).vanish()
    await scene.reaches(upload.check_id, CheckState.WAITING)
    refusal = await _opening_refused(device, resume=True)
    assert (refusal.code, refusal.reason) == (_C.RESOURCE_EXHAUSTED, "TOO_MANY_RECONNECTS")
    assert refusal.metadata == {"reconnects": "0", "maxReconnects": "0"}


async def test_a_decided_check_names_the_attempt_that_decided_it(scene: LiveServer) -> None:
    device = RawDevice(scene.device, await scene.upload())
    result = await (await device.open()).run_attempt(pictures())
    assert not result.another_attempt
    refusal = await _opening_refused(device, resume=True)
    assert (refusal.reason, refusal.metadata) == ("CHECK_CLOSED", {"decidedByAttempt": "1"})


async def test_an_old_sdk_is_refused_and_one_whose_support_ends_is_named(scene: LiveServer) -> None:
    upload = await scene.upload(policy="new-sdks")
    old = device_pb2.DeviceProfile(platform=device_pb2.PLATFORM_DESKTOP, sdk_version="facegate-web 0.9")
    refusal = await _opening_refused(RawDevice(scene.device, upload), device=old)
    assert (refusal.code, refusal.reason) == (_C.FAILED_PRECONDITION, "PROTOCOL_VERSION_NOT_SUPPORTED")
    assert refusal.metadata["minimumVersion"] == "1.0"
    # The check is still open for a device with an update.
    ending = device_pb2.DeviceProfile(platform=device_pb2.PLATFORM_DESKTOP, sdk_version="facegate-web 1.9")
    stream = await RawDevice(scene.device, upload).open(device=ending)
    await stream.run_attempt(pictures())
    assert await stream.outcome() is None
    device = (await scene.finish(upload.check_id)).result.device
    assert (device.sdk_version, device.sdk_supported_until) == ("facegate-web 1.9", SDK_LAST_DAY)


KEY = ec.derive_private_key(99, ec.SECP256R1()).public_key()
POLICY: Policy = load_policies().get("standard").policy
ALLOWED = "https://verify.bank.example"
NARROW = POLICY.model_copy(update={"device": DeviceRules(web_origins=(ALLOWED,))})
ASKING = POLICY.model_copy(update={"challenge": ChallengeRules(open_mouth=True)})
TURNING = POLICY.model_copy(update={"challenge": ChallengeRules(turn_head=True)})
DESKTOP = DeviceClaim(platform=Platform.DESKTOP)


def _admit(
    record: CheckRecord,
    *,
    key: bytes = b"key",
    attempts: tuple[AttemptRecord, ...] = (),
    seconds: float = 0,
    capabilities: frozenset[Capability] = frozenset(),
    policy: Policy = POLICY,
    device: DeviceClaim = DESKTOP,
    header_origin: str | None = None,
) -> int:
    return admit(
        start=start_message(session_public_key=key, capabilities=capabilities, device=device),
        record=record,
        attempts=attempts,
        policy=policy,
        pack_version="1",
        header_origin=header_origin,
        now=NOW + timedelta(seconds=seconds),
    )


def _reason(record: CheckRecord, **kwargs: object) -> Reason:
    with pytest.raises(Refusal) as caught:
        _admit(record, **kwargs)  # type: ignore[arg-type]  # the keywords of `_admit`
    return caught.value.reason


def test_a_template_of_other_models_is_not_compared() -> None:
    assert _reason(check_record(pack_version="2")) is Reason.PACK_CHANGED


def test_a_check_that_demands_the_flash_needs_a_device_that_can() -> None:
    record = check_record(requested_mode=Mode.DYNAMIC)
    assert _reason(record) is Reason.CAPABILITY_MISSING
    assert _reason(record, capabilities=frozenset({Capability.OVAL_CHANGE})) is Reason.CAPABILITY_MISSING
    _admit(record, capabilities=frozenset({Capability.FLASH}))


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("policy", "needed"), [(ASKING, Capability.OPEN_MOUTH), (TURNING, Capability.TURN_HEAD)]
)
def test_a_check_that_asks_for_a_gesture_needs_a_device_that_shows_it(
    mode: Mode, policy: Policy, needed: Capability
) -> None:
    record = check_record(requested_mode=mode)
    flashes, both = frozenset({Capability.FLASH}), frozenset({Capability.FLASH, needed})
    with pytest.raises(Refusal) as caught:
        _admit(record, policy=policy, capabilities=flashes)
    assert caught.value.reason is Reason.CAPABILITY_MISSING
    assert caught.value.details == {"capability": needed.value, "mode": mode.value}
    _admit(record, policy=policy, capabilities=both)
    _admit(record, capabilities=flashes)


def test_the_flash_that_is_missing_is_named_before_the_open_mouth() -> None:
    with pytest.raises(Refusal) as caught:
        _admit(check_record(requested_mode=Mode.DYNAMIC), policy=ASKING)
    assert caught.value.details == {"capability": "FLASH", "mode": "DYNAMIC"}


@pytest.mark.parametrize(
    "origin", ["https://shop.bank.example", "https://verify.bank.example.evil.example", ""]
)
def test_a_page_that_the_policy_does_not_list_may_not_scan(origin: str) -> None:
    assert _reason(check_record(), policy=NARROW, header_origin=origin) is Reason.ORIGIN_NOT_ALLOWED


def test_a_page_that_the_policy_lists_may_scan() -> None:
    _admit(check_record(), policy=NARROW, header_origin=ALLOWED)


def test_a_page_without_an_origin_may_not_scan_if_the_policy_lists_origins() -> None:
    page = DeviceClaim(platform=Platform.WEB)
    assert _reason(check_record(), policy=NARROW, device=page) is Reason.ORIGIN_NOT_ALLOWED
    _admit(check_record(), policy=POLICY, device=page)


def test_an_app_has_no_origin() -> None:
    _admit(check_record(), policy=NARROW, device=DeviceClaim(platform=Platform.ANDROID))


_SDKS = POLICY.model_copy(
    update={
        "device": DeviceRules.model_validate(
            {
                "sdks": {
                    "facegate-web": {
                        "minimum": "1.0",
                        "next_minimum": "1.4",
                        "supported_until": NOW.date() - timedelta(days=1),
                    }
                }
            }
        )
    }
)


def test_a_device_with_an_sdk_below_the_minimum_may_not_scan() -> None:
    old = DeviceClaim(platform=Platform.WEB, sdk_version="facegate-web 1.3.9")
    with pytest.raises(Refusal) as caught:
        _admit(check_record(), policy=_SDKS, device=old)
    assert caught.value.reason is Reason.PROTOCOL_VERSION_NOT_SUPPORTED
    assert caught.value.details == {"sdkVersion": "facegate-web 1.3.9", "minimumVersion": "1.4"}
    _admit(check_record(), policy=_SDKS, device=replace(old, sdk_version="facegate-web 1.4"))
    _admit(check_record(), policy=POLICY, device=old)


def test_an_sdk_is_supported_on_the_day_on_which_its_check_was_created() -> None:
    old = DeviceClaim(platform=Platform.WEB, sdk_version="facegate-web 1.3.9")
    _admit(check_record(create_time=NOW - timedelta(days=1)), policy=_SDKS, device=old)


@pytest.mark.parametrize("state", [CheckState.SCANNING, CheckState.WAITING])
def test_a_bound_check_takes_its_device(state: CheckState) -> None:
    assert _admit(check_record(state=state, session_key=b"key", streams=1)) > 0


@pytest.mark.parametrize("state", [CheckState.DECIDED, CheckState.FINISHED, CheckState.ERASED])
def test_a_closed_check_takes_no_stream(state: CheckState) -> None:
    assert _reason(check_record(state=state)) is Reason.CHECK_CLOSED


@pytest.mark.parametrize("state", CheckState)
def test_after_the_deadline_the_token_is_expired_whatever_became_of_the_check(state: CheckState) -> None:
    assert _reason(check_record(state=state), seconds=180) is Reason.TOKEN_EXPIRED
    if state is CheckState.CREATED:
        _admit(check_record(state=state), seconds=179.999)


def test_reconnects_are_counted() -> None:
    allowed = POLICY.attempts.reconnects
    bound = {"state": CheckState.WAITING, "session_key": b"key"}
    _admit(check_record(**bound, streams=allowed))
    assert _reason(check_record(**bound, streams=allowed + 1)) is Reason.TOO_MANY_RECONNECTS


def test_counted_attempts_are_used_up_and_others_are_not() -> None:
    stumbles = tuple(attempt_record(number) for number in range(1, 9))
    used = tuple(attempt_record(number, counted=True) for number in range(9, 12))
    assert attempts_remaining(stumbles, POLICY) == 3
    assert attempts_remaining(stumbles + used, POLICY) == 0
    assert _admit(check_record(), attempts=stumbles) == 3
    assert _reason(check_record(), attempts=stumbles + used) is Reason.CHECK_CLOSED


def test_attempts_too_short_to_count_are_used_up_unless_they_broke_off() -> None:
    most = POLICY.attempts.uncounted

    def short(ended_by: EndedBy, count: int) -> tuple[AttemptRecord, ...]:
        return tuple(attempt_record(number, ended_by=ended_by) for number in range(1, count + 1))

    assert attempts_remaining(short(EndedBy.SIGNED, most), POLICY) == 3
    assert attempts_remaining(short(EndedBy.SIGNED, most + 1), POLICY) == 0
    assert _reason(check_record(), attempts=short(EndedBy.SIGNED, most + 1)) is Reason.CHECK_CLOSED
    # A stream that broke off, whoever is to blame, used up a reconnect.
    for broke_off in (EndedBy.CONNECTION_LOST, EndedBy.REFUSED, EndedBy.SUPERSEDED, EndedBy.SERVER_FAULT):
        assert attempts_remaining(short(broke_off, most + 20), POLICY) == 3


def test_an_attempt_that_was_judged_for_good_leaves_no_other() -> None:
    # The server died between judging and deciding.
    record = check_record(state=CheckState.SCANNING, session_key=b"key", streams=1)
    judged = attempt_record(1, counted=True, outcome=AttemptOutcome.DECIDED, judgement=b"spoof")
    assert _reason(record, attempts=(judged,)) is Reason.CHECK_CLOSED


def test_a_closed_check_names_the_attempt_that_decided_it_if_one_did() -> None:
    left = attempt_record(1, counted=True, ended_by=EndedBy.CONNECTION_LOST)
    judged = attempt_record(2, counted=True, outcome=AttemptOutcome.DECIDED)
    assert check_closed((left, judged)).details == {"decidedByAttempt": 2}
    assert check_closed((left,)).details == {}


def test_a_start_that_can_be_served_names_the_session_key() -> None:
    start = start_message(session_public_key=public_key_der(KEY), server_spki_sha256=bytes(32))
    assert validate_start(start).public_numbers() == KEY.public_numbers()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"protocol_version": 0}, Reason.PROTOCOL_VERSION_NOT_SUPPORTED),
        ({"protocol_version": 2}, Reason.PROTOCOL_VERSION_NOT_SUPPORTED),
        ({"token": "x" * 257}, Reason.INVALID_FIELD),
        ({"key_share": bytes(31)}, Reason.INVALID_FIELD),
        ({"server_spki_sha256": bytes(1)}, Reason.INVALID_FIELD),
        ({"session_public_key": b"none"}, Reason.INVALID_FIELD),
        ({"session_public_key": bytes(129)}, Reason.INVALID_FIELD),
        (
            {"session_public_key": public_key_der(ec.generate_private_key(ec.SECP384R1()).public_key())},
            Reason.INVALID_FIELD,
        ),
    ],
)
def test_a_start_is_checked_without_the_database(change: dict[str, Any], reason: Reason) -> None:
    start = start_message(**({"session_public_key": public_key_der(KEY)} | change))
    with pytest.raises(Refusal) as caught:
        validate_start(start)
    assert caught.value.reason is reason
    assert "x" * 20 not in str(caught.value)


# Limits on failed checks, on a real server.

_ATTACK = pictures(kind=ScanKind.FROZEN_FRAME)
_GENUINE = pictures()


class Callers(Keyed):
    """A server with two tenants, and a sandbox caller of the first tenant."""

    async def upload(
        self, caller: str = "bank", *, subject: str = "", person: str = "astronaut", mark: bytes = b""
    ) -> service_pb2.UploadTrustedImageResponse:
        return await self.live.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(
                # Bytes after the end of a JPEG change only its hash.
                image=portrait(person) + mark,
                policy="test",
                subject_reference=subject,
            ),
            metadata=self.metadata(caller),
        )

    async def upload_refused(self, **fields: str | bytes) -> Refused:
        return await refusal_of(self.upload(**fields))  # type: ignore[arg-type]

    async def spoof(self, upload: service_pb2.UploadTrustedImageResponse) -> None:
        stream = await RawDevice(self.live.device, upload).open()
        await stream.run_attempt(_ATTACK)
        await stream.outcome()

    async def fail(self, times: int, caller: str = "bank", *, subject: str = "", mark: bytes = b"") -> None:
        for number in range(times):
            # Each check has another portrait, unless a portrait is given.
            own = mark or f"{subject}{number}".encode()
            await self.spoof(await self.upload(caller, subject=subject, mark=own))
        await self.live.unattended()


@pytest_asyncio.fixture(loop_scope="session")
async def callers(tmp_path: Path) -> AsyncIterator[Callers]:
    listeners, keys = write_keys(
        tmp_path,
        {
            "bank": 'tenant = "bank"\nroles = ["orchestrator"]',
            "branch": 'tenant = "branch"\nroles = ["orchestrator"]',
            "tests": 'tenant = "bank"\nroles = ["orchestrator"]\nsandbox = true',
        },
    )
    async with serving(settings_for(tmp_path, listeners=listeners, limits={"failures": {}})) as live:
        yield Callers(live, keys)


def _assert_limited(refusal: Refused, kind: str, *, least: int, most: int) -> None:
    assert (refusal.code, refusal.reason) == (_C.RESOURCE_EXHAUSTED, "TOO_MANY_FAILURES")
    assert refusal.retry_seconds is not None
    assert least <= refusal.retry_seconds <= most
    assert refusal.metadata == {"limited": kind, "retrySeconds": f"{refusal.retry_seconds:.0f}"}


@pytest.mark.slow
async def test_after_five_spoofs_a_subject_and_a_portrait_are_locked_for_half_an_hour(
    callers: Callers,
) -> None:
    await callers.fail(5, subject="anna", mark=b"one")
    subject = await callers.upload_refused(subject="anna", mark=b"another")
    _assert_limited(subject, "subject", least=1_700, most=1_800)
    portrait = await callers.upload_refused(subject="new", mark=b"one")
    _assert_limited(portrait, "portrait", least=1_700, most=1_800)
    # Others, and the same of another tenant and of the sandbox, are not.
    await callers.upload(subject="bert", mark=b"another")
    await callers.upload("branch", subject="anna", mark=b"one")
    await callers.upload("tests", subject="anna", mark=b"one")
    callers.live.clock.ahead += timedelta(seconds=1_801)
    await callers.upload(subject="anna", mark=b"one")


async def test_checks_that_are_made_before_any_failed_give_no_more_tries(callers: Callers) -> None:
    uploads = [await callers.upload(subject="anna", mark=bytes([number])) for number in range(12)]
    streams = [RawDevice(callers.live.device, upload).connect() for upload in uploads]

    async def opened(number: int) -> Refused | None:
        try:
            await streams[number].start()
        except Ended as ended:
            return ended.refusal
        return None

    outcomes = await asyncio.gather(*(opened(number) for number in range(12)))
    refusals = [one for one in outcomes if one is not None]
    assert len(refusals) == 7
    for refusal in refusals:
        # The device gets only the time of the next try.
        assert (refusal.code, refusal.reason) == (_C.RESOURCE_EXHAUSTED, "TOO_MANY_FAILURES")
        assert refusal.retry_seconds is not None
        assert 5 <= refusal.retry_seconds <= 10, "ten seconds, of which a busy machine takes some"
        assert refusal.metadata == {"retrySeconds": f"{refusal.retry_seconds:.0f}"}
    # The check whose scan was refused stays open, and is scanned once the others are over.
    late = next(number for number, one in enumerate(outcomes) if one is not None)
    for number, outcome in enumerate(outcomes):
        if outcome is None:
            await streams[number].half_close()
            await streams[number].outcome()
    await callers.live.unattended()
    again = await RawDevice(callers.live.device, uploads[late]).open()
    await again.run_attempt(_GENUINE)


@pytest.mark.slow
async def test_scans_that_are_given_up_at_once_count_a_quarter(callers: Callers) -> None:
    for number in range(20):
        if number == 19:
            await callers.live.unattended()
        stream = await RawDevice(callers.live.device, await callers.upload(subject="anna")).open()
        await stream.half_close()
        await stream.outcome()
    await callers.live.unattended()
    _assert_limited(await callers.upload_refused(subject="anna"), "subject", least=1_700, most=1_800)


@pytest.mark.slow
async def test_tries_that_wait_for_each_window_to_pass_are_blocked(callers: Callers) -> None:
    for _ in range(5):
        await callers.upload(subject="anna")
        await callers.fail(4, subject="anna")
        callers.live.clock.ahead += timedelta(seconds=181)
    _assert_limited(await callers.upload_refused(subject="anna"), "subject", least=86_000, most=86_400)


@pytest.mark.slow
async def test_sandbox_checks_may_fail_by_the_dozen(callers: Callers) -> None:
    await callers.fail(8, "tests", subject="anna", mark=b"one")
    await callers.upload("tests", subject="anna", mark=b"one")
