"""The kinds of test devices, by name: phones and browsers, honest and manipulated.

*Android* phones have a key attestation and a Play token for each scan. *Browsers* sign each scan with a key
that scripts cannot read. *iPhones*: App Attest enrols a key once, and the key signs each later scan.
*Injectors* inject frames although their attestation is valid: only frames and headers show it. *Reports* are
the run-time findings of the apps of test devices.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from device_integrity import RuntimeFinding, RuntimeKind, RuntimeReport
from device_integrity.camera import CameraClaim, CameraFacing, DeviceClaim, Platform
from facegate_protocol import attestation_message, public_key_der, sha256, sign
from lab.simulator.devices.app_attest import AppAttestKey
from lab.simulator.devices.authority import new_key
from lab.simulator.devices.device import (
    AppAttestAssertion,
    AppAttestEnrolment,
    AttestedUse,
    Evidence,
    EvidenceMaker,
    KeyChain,
    PlayToken,
    StreamHabit,
    TestDevice,
    TestPlatform,
    WebCryptoProof,
)
from lab.simulator.devices.keystore import Description, Keystore, RootOfTrust
from lab.simulator.devices.play_tokens import SOUND_LABELS, integrity_payload

_VERSION: Final = 16
_MODEL: Final = "Pixel 8"
_FALSE: Final = b"\x01\x01\x00"
_UNVERIFIED: Final = 2
_OTHER_SCAN: Final = sha256(b"the binding hash of another scan")
_ATTACKERS_CERTIFICATE: Final = sha256(b"the signing certificate of whoever repackaged the app")

_NOTHING_FOUND: Final = RuntimeReport(looked_for=frozenset(RuntimeKind) - {RuntimeKind.OTHER})
_ANDROID_CAMERA: Final = CameraClaim(
    id="1",
    label="front",
    facing=CameraFacing.FRONT,
    width=2560,
    height=1920,
    frames_per_second=15.0,
    sensor_orientation_degrees=270,
    hardware_level="LEVEL_3",
    focal_lengths_mm=(2.74,),
    timestamp_source="boottime",
)


def honest_phone(platform: TestPlatform) -> TestDevice:
    """Make an unmodified phone with the published app."""
    return _phone(platform, _evidence(platform))


def unlocked_phone(platform: TestPlatform) -> TestDevice:
    """Make a phone with an unlocked boot loader and an unknown system."""
    booted = RootOfTrust(locked=_FALSE, state=_UNVERIFIED)
    return _phone(platform, _evidence(platform, root_of_trust=booted, labels=SOUND_LABELS[:1]))


def repackaged_app(platform: TestPlatform) -> TestDevice:
    """Make an unmodified phone with an app that was changed and signed again."""
    changed = _evidence(platform, digest=_ATTACKERS_CERTIFICATE, recognition="UNRECOGNIZED_VERSION")
    return _phone(platform, changed)


def emulator(platform: TestPlatform) -> TestDevice:
    """Make an emulator, with a software keystore under a root that no server trusts."""
    device = _phone(
        platform,
        _evidence(
            platform,
            keystore=platform.emulator,
            level=0,
            root_of_trust=RootOfTrust(locked=_FALSE, state=_UNVERIFIED),
            labels=(),
        ),
    )
    return replace(
        device,
        claim=replace(device.claim, model="sdk_gphone64_x86_64"),
        camera=replace(device.camera, label="Emulated Camera", hardware_level="LIMITED"),
    )


def revoked_key(platform: TestPlatform) -> TestDevice:
    """Make a device that attests any claim with a key that leaked from a phone and is revoked."""
    return _phone(platform, _evidence(platform, keystore=platform.leaked))


def phone_of_another_session(platform: TestPlatform) -> TestDevice:
    """Make a phone that repeats its evidence of another scan, with its own keys."""
    return _phone(platform, _evidence(platform, made_for=_OTHER_SCAN))


def relaying_phone(platform: TestPlatform) -> TestDevice:
    """Make an attacker's phone that relays the evidence of a clean phone's scan, without its key."""
    relayed = _evidence(platform, made_for=_OTHER_SCAN, holds_key=False)
    device = _phone(platform, relayed)
    return replace(device, claim=replace(device.claim, model="Pixel 6", os_version="13"))


def _phone(platform: TestPlatform, make_evidence: EvidenceMaker) -> TestDevice:
    claim = DeviceClaim(
        platform=Platform.ANDROID,
        manufacturer="Google",
        model=_MODEL,
        os_version=str(_VERSION),
        app_id=platform.app.package,
    )
    return TestDevice(claim=claim, camera=_ANDROID_CAMERA, make_evidence=make_evidence, report=_NOTHING_FOUND)


def _evidence(
    platform: TestPlatform,
    *,
    keystore: Keystore | None = None,
    level: int = 1,
    root_of_trust: RootOfTrust | None = None,
    digest: bytes | None = None,
    recognition: str = "PLAY_RECOGNIZED",
    labels: tuple[str, ...] = SOUND_LABELS,
    made_for: bytes | None = None,
    holds_key: bool = True,
) -> EvidenceMaker:
    """Make an attestation and a token; each argument replaces a valid part."""
    digest = digest or platform.app.certificate_digest

    def make(binding: bytes, now: datetime, use: AttestedUse) -> tuple[Evidence, ...]:
        del use
        challenge = made_for or binding
        description = Description(
            challenge=challenge,
            attestation_level=level,
            keymint_level=level,
            packages=(platform.app.package,),
            digests=(digest,),
            root_of_trust=root_of_trust or RootOfTrust(),
            patch_level=now.year * 100 + now.month,
            os_version=_VERSION * 10_000,
        )
        key, chain = (keystore or platform.phone).attest(description)
        signing = key if holds_key else new_key()
        token = integrity_payload(
            package=platform.app.package,
            digest=digest,
            nonce=challenge,
            at=now,
            recognition=recognition,
            labels=labels,
            sdk_version=_VERSION + 20,
        )
        return (
            KeyChain(
                certificates=tuple(certificate.public_bytes(Encoding.DER) for certificate in chain),
                signature=sign(signing, attestation_message(binding=binding)),
            ),
            PlayToken(platform.play.token(token)),
        )

    return make


_WEBCAM: Final = CameraClaim(
    id="2f1a09c55d8eb34c", label="Integrated Camera (04f2:b6d0)", frames_per_second=15.0
)


def honest_browser(platform: TestPlatform) -> TestDevice:
    """Make a browser with the site's page and the computer's own camera."""
    key = new_key()

    def make(binding: bytes, now: datetime, use: AttestedUse) -> tuple[Evidence, ...]:
        del now, use
        signature = sign(key, attestation_message(binding=binding))
        return (WebCryptoProof(public_key_der(key.public_key()), signature, platform.app.origin),)

    claim = DeviceClaim(
        platform=Platform.WEB, os_version="Windows 11, Chrome 142", app_id=platform.app.origin
    )
    # A page can only detect whether a program drives its browser.
    report = RuntimeReport(looked_for=frozenset({RuntimeKind.AUTOMATION}))
    return TestDevice(claim=claim, camera=_WEBCAM, make_evidence=make, report=report)


_IPHONE_CAMERA: Final = CameraClaim(
    id="com.apple.avfoundation.avcapturedevice.built-in_video:1",
    label="Front TrueDepth Camera",
    facing=CameraFacing.FRONT,
    width=2560,
    height=1920,
    frames_per_second=15.0,
    sensor_orientation_degrees=270,
    hardware_level="builtInTrueDepthCamera",
    timestamp_source="host",
)


_KEYS_OF_A_FARM: Final = 60


def honest_iphone(platform: TestPlatform, use: AttestedUse) -> TestDevice:
    """Make an unmodified phone: its first scan enrols its key, and the others increase its counter."""

    def make(binding: bytes, now: datetime, use: AttestedUse) -> tuple[Evidence, ...]:
        if use.counter is None:
            return (_enrolment(platform, platform.iphone_key, binding, now, use),)
        use.counter += 1
        return (_assertion(platform, binding, use.counter),)

    return _iphone(platform, make, use)


def counter_replay(platform: TestPlatform, use: AttestedUse) -> TestDevice:
    """Make a phone that repeats a counter: the first scan enrols its key, the others do not increase it."""

    def make(binding: bytes, now: datetime, use: AttestedUse) -> tuple[Evidence, ...]:
        if use.counter is None:
            return (_enrolment(platform, platform.iphone_key, binding, now, use),)
        return (_assertion(platform, binding, use.counter),)

    return _iphone(platform, make, use)


def key_farm(platform: TestPlatform) -> TestDevice:
    """Make a phone that makes a key for every scan, as a phone that attests other people's scans does.

    Its receipt states how many keys it made. A real first receipt does not: Apple states the number only in
    the receipt that replaces it.
    """

    def make(binding: bytes, now: datetime, use: AttestedUse) -> tuple[Evidence, ...]:
        key = AppAttestKey()
        return (_enrolment(platform, key, binding, now, use, risk_metric=_KEYS_OF_A_FARM),)

    return _iphone(platform, make, AttestedUse())


def _iphone(platform: TestPlatform, make_evidence: EvidenceMaker, use: AttestedUse) -> TestDevice:
    claim = DeviceClaim(
        platform=Platform.IOS,
        manufacturer="Apple",
        model="iPhone16,1",
        os_version="26.1",
        app_id=platform.app.bundle,
    )
    return TestDevice(
        claim=claim, camera=_IPHONE_CAMERA, make_evidence=make_evidence, report=_NOTHING_FOUND, use=use
    )


def _enrolment(
    platform: TestPlatform,
    key: AppAttestKey,
    binding: bytes,
    now: datetime,
    use: AttestedUse,
    *,
    risk_metric: int | None = None,
) -> AppAttestEnrolment:
    use.counter = 0
    app_id = platform.app.apple_id
    receipt = platform.apple.receipt(
        key, app_id=app_id, made=now, client_data_hash=binding, risk_metric=risk_metric
    )
    attestation = platform.apple.attestation(key, binding, app_id=app_id, receipt=receipt)
    return AppAttestEnrolment(key.key_id, attestation)


def _assertion(platform: TestPlatform, binding: bytes, counter: int) -> AppAttestAssertion:
    key = platform.iphone_key
    assertion = key.assertion(binding, app_id=platform.app.apple_id, counter=counter)
    return AppAttestAssertion(key.key_id, assertion)


_LOOP_FRAMES = 8
"""Half a second, so that even the shortest attempt receives repeated frames."""


def virtual_camera(platform: TestPlatform) -> TestDevice:
    """Make a browser with the virtual camera of OBS, under its own name."""
    device = honest_browser(platform)
    return replace(device, camera=replace(device.camera, label="OBS Virtual Camera"))


def renamed_virtual_camera(platform: TestPlatform) -> TestDevice:
    """Make a phone whose camera is replaced by a program that copies only the real camera's description."""
    habit = StreamHabit(even_timing=True, constant_exposure=True)
    return replace(honest_phone(platform), habit=habit)


def looped_file(platform: TestPlatform) -> TestDevice:
    """Make a phone whose camera is replaced by a short clip in a loop."""
    return replace(honest_phone(platform), habit=StreamHabit(loop_frames=_LOOP_FRAMES))


def perfect_timing(platform: TestPlatform) -> TestDevice:
    """Make a phone whose camera is replaced by a program that delivers frames exactly to the microsecond."""
    return replace(honest_phone(platform), habit=StreamHabit(even_timing=True))


_FRIDA: Final = RuntimeFinding(RuntimeKind.HOOKING_FRAMEWORK, "frida")
_SHARED_SCREEN: Final = RuntimeFinding(RuntimeKind.SCREEN_SHARING, "media projection")
_WEBDRIVER: Final = RuntimeFinding(RuntimeKind.AUTOMATION, "navigator.webdriver")


def hooked_phone(platform: TestPlatform) -> TestDevice:
    """Make an unmodified phone whose app finds Frida in its own process."""
    return _finding(honest_phone(platform), _FRIDA)


def phone_with_shared_screen(platform: TestPlatform) -> TestDevice:
    """Make an unmodified phone whose screen is shared."""
    return _finding(honest_phone(platform), _SHARED_SCREEN)


def driven_browser(platform: TestPlatform) -> TestDevice:
    """Make a browser that a program drives."""
    return _finding(honest_browser(platform), _WEBDRIVER)


def _finding(device: TestDevice, found: RuntimeFinding) -> TestDevice:
    return replace(device, report=device.report.joined(RuntimeReport(findings=frozenset({found}))))


class DeviceKind(StrEnum):
    """A kind of test device."""

    ANDROID = "android"
    IPHONE = "iphone"
    BROWSER = "browser"
    UNLOCKED = "unlocked"
    REPACKAGED = "repackaged"
    EMULATOR = "emulator"
    REVOKED_KEY = "revoked-key"
    OTHER_SESSION = "other-session"
    RELAYED = "relayed"
    COUNTER_REPLAY = "counter-replay"
    KEY_FARM = "key-farm"
    VIRTUAL_CAMERA = "virtual-camera"
    RENAMED_CAMERA = "renamed-camera"
    LOOPED_FILE = "looped-file"
    PERFECT_TIMING = "perfect-timing"
    HOOKED = "hooked"
    SHARED_SCREEN = "shared-screen"
    WEBDRIVER = "webdriver"


@dataclass(frozen=True, slots=True)
class KindOfDevice:
    """The definition of a kind.

    Attributes:
        description: One line for the command line.
    """

    description: str
    make: Callable[[TestPlatform, AttestedUse], TestDevice]


def _plain(description: str, make: Callable[[TestPlatform], TestDevice]) -> KindOfDevice:
    """Define a kind without state from scan to scan."""
    return KindOfDevice(description, lambda platform, _: make(platform))


KINDS: Final[Mapping[DeviceKind, KindOfDevice]] = MappingProxyType(
    {
        DeviceKind.ANDROID: _plain("an honest Android phone: key attestation and Play token", honest_phone),
        DeviceKind.IPHONE: KindOfDevice(
            "an honest iPhone: the first scan enrols a key, the next increase its counter",
            honest_iphone,
        ),
        DeviceKind.BROWSER: _plain("an honest browser: WebCrypto", honest_browser),
        DeviceKind.UNLOCKED: _plain("an Android phone with an unlocked boot loader", unlocked_phone),
        DeviceKind.REPACKAGED: _plain("an Android app that was changed and signed again", repackaged_app),
        DeviceKind.EMULATOR: _plain("an Android emulator with a software keystore", emulator),
        DeviceKind.REVOKED_KEY: _plain("an attestation key that leaked and is revoked", revoked_key),
        DeviceKind.OTHER_SESSION: _plain("evidence that was made for another scan", phone_of_another_session),
        DeviceKind.RELAYED: _plain("a clean phone's evidence, passed on without its key", relaying_phone),
        DeviceKind.COUNTER_REPLAY: KindOfDevice(
            "an iPhone with a key that repeats its counter: only the first scan is valid",
            counter_replay,
        ),
        DeviceKind.KEY_FARM: _plain("an iPhone that makes a new key for every scan", key_farm),
        DeviceKind.VIRTUAL_CAMERA: _plain(
            "a virtual camera under its own name, in a browser", virtual_camera
        ),
        DeviceKind.RENAMED_CAMERA: _plain(
            "a virtual camera that copies a phone's, with constant exposure",
            renamed_virtual_camera,
        ),
        DeviceKind.LOOPED_FILE: _plain("a phone that shows a short clip in a loop", looped_file),
        DeviceKind.PERFECT_TIMING: _plain(
            "a phone with frame times exact to the microsecond", perfect_timing
        ),
        DeviceKind.HOOKED: _plain("an Android phone whose app reports Frida in its process", hooked_phone),
        DeviceKind.SHARED_SCREEN: _plain(
            "an Android phone whose app reports that the screen is shared", phone_with_shared_screen
        ),
        DeviceKind.WEBDRIVER: _plain("a browser that reports navigator.webdriver", driven_browser),
    }
)
"""Every kind."""


def make_device(kind: DeviceKind, platform: TestPlatform, *, use: AttestedUse | None = None) -> TestDevice:
    """Make a device.

    Args:
        use: State of its App Attest key; ``None`` for a new key.
    """
    return KINDS[kind].make(platform, AttestedUse() if use is None else use)
