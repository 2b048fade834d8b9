"""Do the sources agree with each other? The claim with the attested fact, the metadata with the pictures.

Whoever forges one source has to forge all in step, so a contradiction weighs more than a flag of one source.
What hardware attests contradicts a claim for certain; the rest is soft, as systems are put together oddly.
"""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from device_integrity.camera.claims import CameraClaim, DeviceClaim, FrameClaim, Platform
from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation, passed
from device_integrity.stream.tracing import FrameTrace

__all__ = ["AttestedFacts", "check_contradictions"]

_EVIDENCE_OF: Final = {
    "android_key": frozenset({Platform.ANDROID}),
    "play_integrity": frozenset({Platform.ANDROID}),
    "app_attest": frozenset({Platform.IOS}),
    "app_attest_assertion": frozenset({Platform.IOS}),
    "web_authn": frozenset({Platform.WEB}),
    "web_crypto": frozenset({Platform.WEB}),
}

_CAMERA2: Final = frozenset({"LEGACY", "LIMITED", "FULL", "LEVEL_3", "EXTERNAL"})
_AVFOUNDATION: Final = re.compile(r"builtIn[A-Z]|com\.apple\.avfoundation|bltn")
_APPLE_MODELS: Final = ("iphone", "ipad", "ipod")
_LEADING_NUMBER: Final = re.compile(r"\d+")

# Android's API level of the versions whose key attestation and Play tokens tell both
# (developer.android.com, "Platform API levels"); from 13 on it is the version plus 20.
_LEVELS: Final = {8: (26, 27), 9: (28, 28), 10: (29, 29), 11: (30, 30), 12: (31, 32)}

_GAMMA: Final = 2.2
_LEAST_STEP: Final = 0.15
"""Change of log exposure between two frames that must show."""

_FEWEST_STEPS: Final = 6
_LEAST_RESPONSE: Final = 0.15
"""Of log brightness per log exposure: 1 in linear light, some less after a camera's tone curve."""

_DARKEST, _BRIGHTEST = 16.0, 235.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestedFacts:
    """What verified evidence says of the device; ``None`` where it says nothing.

    Attributes:
        android_version: Major version from KeyDescription's osVersion (tag 705, such as 140000 for 14).
        api_level: Play Integrity's ``deviceAttributes.sdkVersion``.
        model: KeyDescription's attestationIdModel (tag 717).
        app_id: The attested package or bundle.
    """

    android_version: int | None = None
    api_level: int | None = None
    model: str | None = None
    app_id: str | None = None


def check_contradictions(
    *,
    device: DeviceClaim,
    camera: CameraClaim,
    evidence: Collection[str],
    facts: AttestedFacts | None = None,
    frames: Sequence[FrameClaim] = (),
    traces: Sequence[FrameTrace] = (),
) -> tuple[DeviceCheck, ...]:
    """Hold the sources against each other.

    Args:
        device: What the device claims.
        camera: What it claims of its camera.
        evidence: Verifiers (first parts of check names) of the evidence that arrived, whatever came of it.
        facts: Of evidence that was verified; ``None`` without any.
        frames: The headers of a stream's frames, in order.
        traces: The same frames as measured; as many, or none.

    Returns:
        ``contradiction.platform``, ``contradiction.wording``, ``contradiction.system``,
        ``contradiction.app`` and ``contradiction.exposure``, in this order.

    Raises:
        ValueError: Headers and measurements are not of as many frames; a mistake of the caller's code.
    """
    if traces and len(traces) != len(frames):
        raise ValueError(f"{len(frames)} headers and {len(traces)} measured frames")
    told = facts or AttestedFacts()
    return (
        _platform(device, evidence),
        _wording(device, camera),
        _system(device, told),
        _app(device, told),
        _exposure(frames, traces),
    )


def _platform(device: DeviceClaim, evidence: Collection[str]) -> DeviceCheck:
    name = "contradiction.platform"
    known = sorted(kind for kind in evidence if kind in _EVIDENCE_OF)
    if not known:
        return _open(name, "NO_EVIDENCE", "No platform evidence arrived.")
    foreign = [kind for kind in known if device.platform not in _EVIDENCE_OF[kind]]
    if foreign:
        return _contradicts(
            name,
            "EVIDENCE_OF_ANOTHER_PLATFORM",
            f"The device claims to be {device.platform} and sent evidence of kind {', '.join(foreign)}.",
            Manipulation.MAN_IN_THE_MIDDLE,
            soft=False,
        )
    return passed(name, "SAME_PLATFORM", f"The evidence is of platform {device.platform}.")


def _wording(device: DeviceClaim, camera: CameraClaim) -> DeviceCheck:
    name = "contradiction.wording"
    apple_model = device.model.casefold().startswith(_APPLE_MODELS)
    apple_maker = device.manufacturer.casefold().startswith("apple")
    apple_camera = any(_AVFOUNDATION.search(text) for text in (camera.id, camera.hardware_level))
    found: str | None = None
    if device.platform is Platform.ANDROID and (apple_model or apple_maker or apple_camera):
        found = "an Android device that describes itself or its camera as Apple's systems do"
    elif device.platform is Platform.IOS and camera.hardware_level in _CAMERA2:
        found = "an iOS device whose camera is described as Android's are"
    elif device.platform is Platform.IOS and device.manufacturer and not apple_maker:
        found = "an iOS device of another maker than Apple"
    if found is not None:
        return _contradicts(
            name, "WORDS_OF_ANOTHER_PLATFORM", f"It is {found}.", Manipulation.EMULATOR, soft=True
        )
    if not device.platform.is_phone:
        return _open(name, "NOT_TOLD_BY_PLATFORM", f"Platform {device.platform} has no words of its own.")
    return passed(name, "WORDS_OF_PLATFORM", "Device and camera are described in the platform's words.")


def _system(device: DeviceClaim, facts: AttestedFacts) -> DeviceCheck:
    name = "contradiction.system"
    number = _LEADING_NUMBER.match(device.os_version)
    claimed = int(number[0]) if number and device.platform is Platform.ANDROID else None
    compared: list[tuple[str, bool]] = []
    if claimed is not None and facts.android_version is not None:
        same = claimed == facts.android_version
        compared.append((f"version {claimed} claimed, {facts.android_version} attested", same))
    if facts.api_level is not None and (version := facts.android_version or claimed) is not None:
        low, high = _LEVELS.get(version, (version + 20, version + 20))
        same = low <= facts.api_level <= high
        compared.append((f"Android {version} with API level {facts.api_level}", same))
    if device.model and facts.model is not None:
        same = device.model.casefold() == facts.model.casefold()
        compared.append((f'model "{device.model[:64]}" claimed, "{facts.model[:64]}" attested', same))
    if not compared:
        return _open(name, "NOTHING_TO_COMPARE", "No verified evidence tells of the system.")
    wrong = [what for what, same in compared if not same]
    if wrong:
        return _contradicts(
            name, "ANOTHER_SYSTEM", f"{'; '.join(wrong)}.", Manipulation.MAN_IN_THE_MIDDLE, soft=True
        )
    return passed(name, "SAME_SYSTEM", "The claimed system is the attested one.")


def _app(device: DeviceClaim, facts: AttestedFacts) -> DeviceCheck:
    name = "contradiction.app"
    if facts.app_id is None or not device.app_id:
        return _open(name, "NOTHING_TO_COMPARE", "The app is not attested, or the device did not name it.")
    if facts.app_id != device.app_id:
        return _contradicts(
            name,
            "ANOTHER_APP",
            "The attested app is not the one that the device named.",
            Manipulation.CODE_MODIFICATION,
            soft=False,
        )
    return passed(name, "SAME_APP", "The attested app is the one that the device named.")


def _exposure(frames: Sequence[FrameClaim], traces: Sequence[FrameTrace]) -> DeviceCheck:
    """Metadata copied from another scan do not fit: a picture gets brighter when it is exposed for longer.

    Automatic exposure also makes up for the scene's light, so only steps from one frame to the next count,
    and none while a colour of the flash changes.
    """
    name = "contradiction.exposure"
    responses = []
    for (before, darker), (after, lighter) in pairwise(zip(frames, traces, strict=bool(traces))):
        gains = [0.0 if frame.exposure is None else frame.exposure.gain for frame in (before, after)]
        if min(gains) <= 0 or before.flash_step != after.flash_step:
            continue
        step = math.log(gains[1] / gains[0])
        if abs(step) < _LEAST_STEP:
            continue
        levels = [float(trace.thumbnail.mean()) for trace in (darker, lighter)]
        if min(levels) >= _DARKEST and max(levels) <= _BRIGHTEST:
            responses.append(_GAMMA * math.log(levels[1] / levels[0]) / step)
    if len(responses) < _FEWEST_STEPS:
        return _open(name, "TOO_FEW_STEPS", f"The exposure moved clearly in {len(responses)} frames only.")
    response = float(np.median(responses))
    if response < _LEAST_RESPONSE:
        return _contradicts(
            name,
            "BRIGHTNESS_DOES_NOT_FOLLOW",
            f"In {len(responses)} frames the exposure moved clearly and the pictures' brightness followed "
            f"{response:.2f} times as far.",
            Manipulation.INJECTION,
            soft=True,
        )
    return passed(name, "BRIGHTNESS_FOLLOWS", f"Brightness follows the exposure {response:.2f} times as far.")


def _contradicts(name: str, reason: str, detail: str, sign: Manipulation, *, soft: bool) -> DeviceCheck:
    return DeviceCheck(
        name=name, outcome=DeviceFinding.FAIL, reason=reason, detail=detail[:500], sign_of=sign, soft=soft
    )


def _open(name: str, reason: str, detail: str) -> DeviceCheck:
    return DeviceCheck(name=name, outcome=DeviceFinding.NOT_EVALUATED, reason=reason, detail=detail)
