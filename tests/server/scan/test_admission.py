"""Admission of streams."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from device_integrity.camera import DeviceClaim, Platform
from facegate_protocol import public_key_der
from server.checks.progress import attempts_remaining
from server.domain.state import CheckState
from server.domain.terms import AttemptOutcome, EndedBy, Mode
from server.errors import Reason, Refusal
from server.policies import Policy, load_policies
from server.policies.device_rules import DeviceRules
from server.policies.schema import ChallengeRules
from server.scan.handshake import Admission, admit, validate_start
from server.scan.lease import check_closed
from server.scan.messages import Capability
from server.storage.records import AttemptRecord, CheckRecord
from tests.server.scan.records import NOW, attempt_record, check_record, start_message

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
) -> Admission:
    return admit(
        start=start_message(session_public_key=key, capabilities=capabilities, device=device),
        session_key=KEY,
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


def test_a_new_check_needs_no_proof() -> None:
    admission = _admit(check_record())
    assert not admission.proof_required
    assert admission.attempts_remaining == POLICY.attempts.maximum


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


@pytest.mark.parametrize("state", [CheckState.SCANNING, CheckState.WAITING])
def test_a_bound_check_needs_the_proof(state: CheckState) -> None:
    assert _admit(check_record(state=state, session_key=b"key", streams=1)).proof_required


@pytest.mark.parametrize("state", [CheckState.DECIDED, CheckState.FINISHED, CheckState.ERASED])
def test_a_closed_check_takes_no_stream(state: CheckState) -> None:
    assert _reason(check_record(state=state)) is Reason.CHECK_CLOSED


@pytest.mark.parametrize("state", CheckState)
def test_after_the_deadline_the_token_is_expired_whatever_became_of_the_check(state: CheckState) -> None:
    assert _reason(check_record(state=state), seconds=180) is Reason.TOKEN_EXPIRED
    if state is CheckState.CREATED:
        _admit(check_record(state=state), seconds=179.999)


def test_another_key_is_refused() -> None:
    record = check_record(state=CheckState.WAITING, session_key=b"other", streams=1)
    assert _reason(record) is Reason.SESSION_KEY_MISMATCH


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
    assert _admit(check_record(), attempts=stumbles).attempts_remaining == 3
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


def test_a_start_is_checked_without_the_database() -> None:
    good = public_key_der(KEY)
    read = validate_start(start_message(session_public_key=good, server_spki_sha256=bytes(32)))
    assert read.public_numbers() == KEY.public_numbers()
    for change, reason in (
        ({"protocol_version": 2}, Reason.PROTOCOL_VERSION_NOT_SUPPORTED),
        ({"token": "x" * 257}, Reason.INVALID_FIELD),
        ({"key_share": bytes(31)}, Reason.INVALID_FIELD),
        ({"server_spki_sha256": bytes(1)}, Reason.INVALID_FIELD),
        ({"session_public_key": b"none"}, Reason.INVALID_FIELD),
    ):
        with pytest.raises(Refusal) as caught:
            validate_start(start_message(**({"session_public_key": good} | change)))
        assert caught.value.reason is reason
        assert "x" * 20 not in str(caught.value)
