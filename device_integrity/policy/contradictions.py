"""Compares the sources with each other: claims with attested facts, and metadata with frames.

An attacker has to forge all sources consistently, so a contradiction weighs more than a failure of one
source. A contradiction between evidence and the claimed platform or app is hard. The others are soft, because
honest systems combine components in unusual ways.
"""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from device_integrity.camera.claims import CameraClaim, DeviceClaim, FrameClaim, Platform
from device_integrity.device_test import (
    DeviceTest,
    Manipulation,
    not_evaluated,
    passed_test,
    suspect,
)
from device_integrity.stream.tracing import FrameTrace

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

# Android's API levels by version, to compare key attestation with Play tokens
# (developer.android.com, "Platform API levels"). From 13 on the level is the version plus 20.
_LEVELS: Final = {8: (26, 27), 9: (28, 28), 10: (29, 29), 11: (30, 30), 12: (31, 32)}

_GAMMA: Final = 2.2
_LEAST_STEP: Final = 0.15
"""Least change of log exposure between two frames that must change their brightness."""

_FEWEST_STEPS: Final = 6
_LEAST_RESPONSE: Final = 0.15
"""Least change of log brightness per log exposure: 1 in linear light, less after a camera's tone curve."""

_DARKEST, _BRIGHTEST = 16.0, 235.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestedFacts:
    """Facts about the device that verified evidence states; ``None`` if it does not.

    Attributes:
        android_version: Major version from KeyDescription's osVersion (tag 705, such as 140000 for 14).
        api_level: Play Integrity's ``deviceAttributes.sdkVersion``.
        model: KeyDescription's attestationIdModel (tag 717).
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
) -> tuple[DeviceTest, ...]:
    """Compare the claims, the attested facts and the frames with each other.

    Args:
        camera: The device's claims about its camera.
        evidence: Names of the verifiers whose evidence arrived, whatever its findings. A verifier's name is
            the first part of the names of its tests.
        facts: Facts from verified evidence; ``None`` without any.
        frames: The headers of a stream's frames, in order.
        traces: The measurements of the same frames; empty if they were not measured.

    Returns:
        ``contradiction.platform``, ``contradiction.wording``, ``contradiction.system``,
        ``contradiction.app`` and ``contradiction.exposure``, in this order.

    Raises:
        ValueError: The numbers of headers and of measured frames differ (an error of the calling code).
    """
    if traces and len(traces) != len(frames):
        raise ValueError(f"{len(frames)} headers and {len(traces)} measured frames")
    attested = facts or AttestedFacts()
    return (
        _platform(device, evidence),
        _wording(device, camera),
        _system(device, attested),
        _app(device, attested),
        _exposure(frames, traces),
    )


def _platform(device: DeviceClaim, evidence: Collection[str]) -> DeviceTest:
    name = "contradiction.platform"
    known = sorted(kind for kind in evidence if kind in _EVIDENCE_OF)
    if not known:
        return not_evaluated(name, "NO_EVIDENCE", "The device sent no platform evidence.")
    foreign = [kind for kind in known if device.platform not in _EVIDENCE_OF[kind]]
    if foreign:
        return suspect(
            name,
            "EVIDENCE_OF_ANOTHER_PLATFORM",
            f"The device claims platform {device.platform}, but sent evidence of kind {', '.join(foreign)}.",
            sign=Manipulation.MAN_IN_THE_MIDDLE,
            soft=False,
        )
    return passed_test(name, "SAME_PLATFORM", f"The evidence is that of platform {device.platform}.")


def _wording(device: DeviceClaim, camera: CameraClaim) -> DeviceTest:
    name = "contradiction.wording"
    apple_model = device.model.casefold().startswith(_APPLE_MODELS)
    apple_maker = device.manufacturer.casefold().startswith("apple")
    apple_camera = any(_AVFOUNDATION.search(text) for text in (camera.id, camera.hardware_level))
    found: str | None = None
    if device.platform is Platform.ANDROID and (apple_model or apple_maker or apple_camera):
        found = "The Android device describes itself or its camera in the words of Apple's systems."
    elif device.platform is Platform.IOS and camera.hardware_level in _CAMERA2:
        found = "The iOS device describes its camera in the words of Android."
    elif device.platform is Platform.IOS and device.manufacturer and not apple_maker:
        found = "The iOS device states a manufacturer other than Apple."
    if found is not None:
        return suspect(name, "WORDS_OF_ANOTHER_PLATFORM", found, sign=Manipulation.EMULATOR)
    if not device.platform.is_phone:
        return not_evaluated(
            name,
            "NOT_TOLD_BY_PLATFORM",
            f"Platform {device.platform} does not prescribe how a device is described.",
        )
    return passed_test(
        name, "WORDS_OF_PLATFORM", "The device and its camera are described in the platform's words."
    )


def _system(device: DeviceClaim, facts: AttestedFacts) -> DeviceTest:
    name = "contradiction.system"
    number = _LEADING_NUMBER.match(device.os_version)
    claimed = int(number[0]) if number and device.platform is Platform.ANDROID else None
    compared: list[tuple[str, bool]] = []
    if claimed is not None and facts.android_version is not None:
        same = claimed == facts.android_version
        compared.append((f"the claimed version is {claimed}, the attested one {facts.android_version}", same))
    if facts.api_level is not None and (version := facts.android_version or claimed) is not None:
        low, high = _LEVELS.get(version, (version + 20, version + 20))
        same = low <= facts.api_level <= high
        compared.append((f"Android {version} does not have API level {facts.api_level}", same))
    if device.model and facts.model is not None:
        same = device.model.casefold() == facts.model.casefold()
        models = f'the claimed model is "{device.model[:64]}", the attested one "{facts.model[:64]}"'
        compared.append((models, same))
    if not compared:
        return not_evaluated(name, "NOTHING_TO_COMPARE", "No verified evidence states the system.")
    wrong = [difference for difference, same in compared if not same]
    if wrong:
        return suspect(
            name,
            "ANOTHER_SYSTEM",
            f"The claimed system contradicts the attested one: {'; '.join(wrong)}.",
            sign=Manipulation.MAN_IN_THE_MIDDLE,
        )
    return passed_test(name, "SAME_SYSTEM", "The claimed system is the attested one.")


def _app(device: DeviceClaim, facts: AttestedFacts) -> DeviceTest:
    name = "contradiction.app"
    if facts.app_id is None or not device.app_id:
        return not_evaluated(
            name, "NOTHING_TO_COMPARE", "The app is not attested, or the device does not state it."
        )
    if facts.app_id != device.app_id:
        return suspect(
            name,
            "ANOTHER_APP",
            "The attested app is not the one that the device states.",
            sign=Manipulation.CODE_MODIFICATION,
            soft=False,
        )
    return passed_test(name, "SAME_APP", "The attested app is the one that the device states.")


def _exposure(frames: Sequence[FrameClaim], traces: Sequence[FrameTrace]) -> DeviceTest:
    """Compare brightness with exposure. Metadata of another scan contradicts the brightness.

    A frame gets brighter if its exposure is longer. Automatic exposure also compensates the light of the
    scene. Therefore only the steps from one frame to the next count, without those at which the flash's
    colour changes.
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
        return not_evaluated(
            name, "TOO_FEW_STEPS", f"The exposure changed clearly in {len(responses)} frames only."
        )
    response = float(np.median(responses))
    if response < _LEAST_RESPONSE:
        return suspect(
            name,
            "BRIGHTNESS_DOES_NOT_FOLLOW",
            f"In {len(responses)} frames the exposure changed clearly, but the logarithm of the brightness "
            f"changed only {response:.2f} times as much as that of the exposure.",
        )
    return passed_test(
        name, "BRIGHTNESS_FOLLOWS", f"Brightness follows the exposure (response {response:.2f})."
    )
