"""Every kind of device with the verifiers: the failed tests and their signs."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.android import (
    AllowedApp,
    KeyAttestationPolicy,
    PlayPolicy,
    PlayTokenKind,
    Possession,
    RootKind,
    TrustRoot,
    load_classic_keys,
    open_classic_token,
    parse_payload,
    parse_revocation_list,
    verify_key_attestation,
    verify_payload,
)
from device_integrity.apple import (
    AppleAnchors,
    AttestedKey,
    Environment,
    KeyOwner,
    verify_assertion,
    verify_attestation,
    verify_receipt,
)
from device_integrity.camera import check_device, check_name, check_profile, load_fingerprints
from device_integrity.device_test import DeviceFinding, DeviceTest, Manipulation
from device_integrity.policy import AttestedFacts, check_contradictions, find_signs
from device_integrity.runtime import check_runtime
from device_integrity.web import RelyingParty, verify_web_crypto
from facegate_client import CapturedImage, generated_source
from facegate_client.frame_source import Pixels
from facegate_protocol import attestation_message, public_key_der
from lab.simulator.devices import KINDS, AttestedUse, DeviceKind, TestDevice, TestPlatform, make_device
from lab.simulator.devices.authority import new_key
from lab.simulator.devices.client import PlayedSource
from lab.simulator.devices.device import (
    AppAttestAssertion,
    AppAttestEnrolment,
    Evidence,
    KeyChain,
    PlayToken,
    StreamHabit,
    WebCryptoProof,
)

MADE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = MADE + timedelta(hours=1)
BINDING = bytes(range(32))
SESSION_KEY = public_key_der(new_key("session").public_key())
LISTS = load_fingerprints()


@pytest.fixture(scope="module")
def platform() -> TestPlatform:
    return TestPlatform(seed="tests", made=MADE)


@dataclass
class Server:
    """The verifiers as a server calls them, with the store of App Attest's keys."""

    platform: TestPlatform
    counter: int = 0

    @property
    def anchors(self) -> AppleAnchors:
        apple = self.platform.apple
        return AppleAnchors(app_attest=apple.root.certificate, receipt=apple.receipts.root.certificate)

    def verify_first_receipt(self, key: AttestedKey) -> tuple[DeviceTest, ...]:
        return verify_receipt(
            receipt=key.receipt,
            public_key=key.public_key,
            app_id=key.app_id,
            environment=key.environment,
            client_data_hash=BINDING,
            max_age=timedelta(minutes=5),
            most_keys=10,
            anchors=self.anchors,
            now=NOW,
        ).checks

    def verify(self, evidence: Evidence) -> tuple[DeviceTest, ...]:
        app = self.platform.app
        apps = (AllowedApp(package=app.package, certificate_digests=frozenset({app.certificate_digest})),)
        match evidence:
            case KeyChain():
                return verify_key_attestation(
                    certificate_chain=evidence.certificates,
                    challenge=BINDING,
                    possession=Possession(
                        message=attestation_message(binding=BINDING), signature=evidence.signature
                    ),
                    policy=KeyAttestationPolicy(apps=apps),
                    roots=(
                        TrustRoot(
                            name="test root",
                            kind=RootKind.TEST,
                            subject="",
                            spki_sha256=self.platform.android_root_sha256,
                        ),
                    ),
                    revocation=parse_revocation_list(self.platform.revocation_list(), fetched_at=NOW),
                    now=NOW,
                ).checks
            case PlayToken():
                play = self.platform.play
                keys = load_classic_keys(
                    decryption_key=play.decryption_key, verification_key=play.verification_key
                )
                payload = parse_payload(open_classic_token(evidence.token, keys=keys))
                return verify_payload(
                    payload,
                    kind=PlayTokenKind.CLASSIC,
                    challenge=BINDING,
                    policy=PlayPolicy(apps=apps),
                    now=NOW,
                ).checks
            case AppAttestEnrolment():
                made = verify_attestation(
                    key_id=evidence.key_id,
                    attestation_object=evidence.attestation_object,
                    client_data_hash=BINDING,
                    app_ids=frozenset({app.apple_id}),
                    environment=Environment.PRODUCTION,
                    key_use=KeyOwner.NEW,
                    anchors=self.anchors,
                    now=NOW,
                )
                first = () if made.key is None else self.verify_first_receipt(made.key)
                return (*made.checks, *first)
            case AppAttestAssertion():
                result = verify_assertion(
                    assertion=evidence.assertion,
                    client_data=BINDING,
                    public_key=self.platform.iphone_key.public_key,
                    app_id=app.apple_id,
                    stored_counter=self.counter,
                )
                self.counter = result.counter or self.counter
                return result.checks
            case WebCryptoProof():
                return verify_web_crypto(
                    public_key=evidence.public_key,
                    signature=evidence.signature,
                    origin=evidence.origin,
                    binding=BINDING,
                    session_public_key=SESSION_KEY,
                    relying_party=RelyingParty(rp_id=app.rp_id, origins=frozenset({app.origin})),
                    header_origin=None,
                ).checks

    def look_at(self, device: TestDevice) -> tuple[DeviceTest, ...]:
        evidence = device.evidence(BINDING, now=NOW)
        checks = [check for piece in evidence for check in self.verify(piece)]
        kinds = {check.name.partition(".")[0] for check in checks}
        return (
            *checks,
            check_device(device.claim, device.camera, fingerprints=LISTS),
            *check_runtime(device.report),
            check_name(device.camera, fingerprints=LISTS),
            *check_profile(device.camera, platform=device.claim.platform),
            *check_contradictions(
                device=device.claim, camera=device.camera, evidence=kinds, facts=AttestedFacts()
            ),
        )


def failed(checks: tuple[DeviceTest, ...]) -> set[str]:
    return {check.name for check in checks if check.outcome is DeviceFinding.FAIL}


SEEN = {
    DeviceKind.ANDROID: (set(), set()),
    DeviceKind.IPHONE: (set(), set()),
    DeviceKind.BROWSER: (set(), set()),
    DeviceKind.UNLOCKED: (
        {"android_key.boot_state", "play_integrity.device_recognition"},
        {Manipulation.ROOTED},
    ),
    DeviceKind.REPACKAGED: (
        {"android_key.application", "play_integrity.app_recognition", "play_integrity.app_identity"},
        {Manipulation.CODE_MODIFICATION},
    ),
    DeviceKind.EMULATOR: (
        {
            "android_key.root",
            "android_key.security_level",
            "android_key.boot_state",
            "play_integrity.device_recognition",
            "device.emulator",
            "camera.name",
        },
        {Manipulation.EMULATOR, Manipulation.ROOTED, Manipulation.VIRTUAL_CAMERA},
    ),
    DeviceKind.REVOKED_KEY: ({"android_key.revocation"}, {Manipulation.ROOTED}),
    DeviceKind.OTHER_SESSION: (
        {"android_key.challenge", "play_integrity.challenge"},
        {Manipulation.MAN_IN_THE_MIDDLE},
    ),
    DeviceKind.RELAYED: (
        {"android_key.challenge", "android_key.possession", "play_integrity.challenge"},
        {Manipulation.MAN_IN_THE_MIDDLE},
    ),
    # Its first scan is honest; see below.
    DeviceKind.COUNTER_REPLAY: (set(), set()),
    # Many keys are a soft failure without a sign of a manipulation.
    DeviceKind.KEY_FARM: ({"app_attest_receipt.risk"}, set()),
    DeviceKind.VIRTUAL_CAMERA: ({"camera.name"}, {Manipulation.VIRTUAL_CAMERA}),
    # Only their frames differ.
    DeviceKind.RENAMED_CAMERA: (set(), set()),
    DeviceKind.LOOPED_FILE: (set(), set()),
    DeviceKind.PERFECT_TIMING: (set(), set()),
    DeviceKind.HOOKED: ({"runtime.hooking"}, {Manipulation.FUNCTION_HOOKING}),
    # Honest people also share screens, and test their pages.
    DeviceKind.SHARED_SCREEN: ({"runtime.screen_sharing"}, set()),
    DeviceKind.WEBDRIVER: ({"runtime.automation"}, set()),
}


@pytest.mark.parametrize("kind", DeviceKind)
def test_only_the_tests_of_the_defect_fail(kind: DeviceKind, platform: TestPlatform) -> None:
    names, signs = SEEN[kind]
    checks = Server(platform).look_at(make_device(kind, platform))
    assert failed(checks) == names
    decided = {sign.of for sign in find_signs(checks) if sign.decided}
    assert signs <= decided
    assert bool(signs) is bool(decided)


def test_every_kind_is_in_the_registry_with_one_line() -> None:
    assert set(KINDS) == set(DeviceKind)
    for kind in KINDS.values():
        assert "\n" not in kind.description
        assert len(kind.description) <= 80


def test_an_iphone_enrols_once_and_then_counts_and_a_count_that_was_used_is_seen(
    platform: TestPlatform,
) -> None:
    server, use = Server(platform), AttestedUse()
    for counter in range(3):
        assert failed(server.look_at(make_device(DeviceKind.IPHONE, platform, use=use))) == set()
        assert use.counter == server.counter == counter
    thief = make_device(DeviceKind.COUNTER_REPLAY, platform, use=use)
    assert failed(server.look_at(thief)) == {"app_attest_assertion.counter"}


def test_the_same_seed_and_time_give_the_same_platform_and_another_seed_another() -> None:
    def facts(seed: str) -> tuple[bytes, ...]:
        one = TestPlatform(seed=seed, made=MADE)
        return (
            one.android_root_sha256,
            one.apple.root.der,
            one.apple.receipts.root.der,
            one.revocation_list(),
            one.play.decryption_key.encode(),
            one.iphone_key.public_key,
            *(authority.der for authority in one.phone.authorities),
        )

    assert facts("a") == facts("a")
    assert not set(facts("a")) & set(facts("b"))


@pytest.mark.parametrize("kind", [DeviceKind.ANDROID, DeviceKind.IPHONE])
def test_devices_of_another_platform_are_not_believed(kind: DeviceKind, platform: TestPlatform) -> None:
    stranger = make_device(kind, TestPlatform(seed="stranger", made=MADE))
    names = {
        check.name
        for piece in stranger.evidence(BINDING, now=NOW)
        if isinstance(piece, KeyChain | AppAttestEnrolment)
        for check in Server(platform).verify(piece)
        if check.outcome is DeviceFinding.FAIL
    }
    assert names == {"android_key.root" if kind is DeviceKind.ANDROID else "app_attest.chain"}


# Changes of frames by test devices.

RATE = 10.0


def source(times: list[float], habit: StreamHabit) -> PlayedSource:
    def frames() -> list[tuple[Pixels | bytes, float]]:
        return [(bytes([place]), time) for place, time in enumerate(times)]

    return PlayedSource(generated_source(frames(), label="a", frames_per_second=RATE, pace="fast"), habit)


async def shown(played: PlayedSource) -> list[CapturedImage]:
    played.begin_attempt()
    frames = [frame async for frame in played]
    await played.aclose()
    return frames


async def test_an_honest_device_changes_nothing() -> None:
    times = [0.0, 0.11, 0.19]
    frames = await shown(source(times, StreamHabit()))
    assert [frame.image for frame in frames] == [b"\x00", b"\x01", b"\x02"]
    assert np.diff([frame.capture_time_us for frame in frames]).tolist() == [110_000, 80_000]
    assert [frame.exposure for frame in frames] == [None] * 3


async def test_a_loop_shows_the_first_frames_again_at_the_time_of_the_others() -> None:
    played = source([at / RATE for at in range(7)], StreamHabit(loop_frames=3))
    frames = await shown(played)
    assert [frame.image for frame in frames] == [bytes([at]) for at in (0, 1, 2, 0, 1, 2, 0)]
    assert set(np.diff([frame.capture_time_us for frame in frames])) == {100_000}


async def test_a_constant_exposure_is_announced_and_reported_of_every_frame() -> None:
    played = source([0.0, 0.1, 0.2], StreamHabit(constant_exposure=True))
    assert played.camera.reports_exposure
    exposures = {frame.exposure for frame in await shown(played)}
    assert len(exposures) == 1
    assert None not in exposures


@given(gaps=st.lists(st.floats(0.001, 0.4), min_size=1, max_size=30))
async def test_even_times_rise_and_lie_on_one_grid_whatever_the_camera_did(gaps: list[float]) -> None:
    times = np.cumsum([0.0, *gaps]).tolist()
    frames = await shown(source(times, StreamHabit(even_timing=True)))
    steps = np.diff([frame.capture_time_us for frame in frames])
    assert (steps > 0).all()
    assert not (steps % round(1e6 / RATE)).any()
