"""Sums failed tests up to signs of manipulation, in the terms of CEN/TS 18099.

CEN/TS 18099:2024 distinguishes the injection attack *method* (how the stream is replaced) from the injection
attack *instrument* (the content of the stream). Any method can deliver the same instrument, so both are
reported.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from device_integrity.device_test import DeviceFinding, DeviceTest, Manipulation

_DECIDES: Final = 1.0
_CONTRADICTS: Final = 0.7
_HINTS: Final = 0.35
_MOST_OF_HINTS: Final = 0.95
"""Highest strength of soft tests, so that any number of them does not decide."""

SUSPECTED: Final = 0.5
"""Strength from which a sign is suspected: one contradiction, or soft tests of two sources."""


class InjectionMethod(StrEnum):
    """How a stream was replaced."""

    VIRTUAL_CAMERA = "virtual_camera"
    EMULATOR = "emulator"
    MODIFIED_APP = "modified_app"
    FUNCTION_HOOKING = "function_hooking"
    NETWORK_INTERCEPTION = "network_interception"
    MODIFIED_SYSTEM = "modified_system"
    REMOTE_CONTROL = "remote_control"
    UNKNOWN = "unknown"


class InjectionInstrument(StrEnum):
    """The content of the stream."""

    RECORDED_VIDEO = "recorded_video"
    SYNTHETIC_VIDEO = "synthetic_video"
    COMPOSED_VIDEO = "composed_video"
    UNKNOWN = "unknown"


_INJECTIONS: Final = frozenset(
    {
        Manipulation.INJECTION,
        Manipulation.VIRTUAL_CAMERA,
        Manipulation.EMULATOR,
        Manipulation.CODE_MODIFICATION,
        Manipulation.FUNCTION_HOOKING,
        Manipulation.MAN_IN_THE_MIDDLE,
    }
)
_METHODS: Final[Mapping[Manipulation, InjectionMethod]] = {
    Manipulation.VIRTUAL_CAMERA: InjectionMethod.VIRTUAL_CAMERA,
    Manipulation.EMULATOR: InjectionMethod.EMULATOR,
    Manipulation.CODE_MODIFICATION: InjectionMethod.MODIFIED_APP,
    Manipulation.FUNCTION_HOOKING: InjectionMethod.FUNCTION_HOOKING,
    Manipulation.MAN_IN_THE_MIDDLE: InjectionMethod.NETWORK_INTERCEPTION,
    Manipulation.ROOTED: InjectionMethod.MODIFIED_SYSTEM,
    Manipulation.REMOTE_CONTROL: InjectionMethod.REMOTE_CONTROL,
    Manipulation.INJECTION: InjectionMethod.UNKNOWN,
}

_INSTRUMENTS: Final[Mapping[str, InjectionInstrument]] = {
    "FRAMES_RETURN": InjectionInstrument.RECORDED_VIDEO,
    "FRAMES_LOOP": InjectionInstrument.RECORDED_VIDEO,
    "FRAMES_SEEN_BEFORE": InjectionInstrument.RECORDED_VIDEO,
    "FRAMES_SHOWN_BEFORE": InjectionInstrument.RECORDED_VIDEO,
    "SIMILAR_TO_EARLIER_SCAN": InjectionInstrument.RECORDED_VIDEO,
    "COMPRESSED_TWICE": InjectionInstrument.RECORDED_VIDEO,
    "PARTS_STAND_STILL": InjectionInstrument.COMPOSED_VIDEO,
    "NO_NOISE": InjectionInstrument.SYNTHETIC_VIDEO,
}
"""Instruments by a failed test's reason, the more certain ones first."""

_SUPPORTS: Final[Mapping[Manipulation, frozenset[Manipulation]]] = {
    # Virtual cameras and emulators inject frames.
    Manipulation.INJECTION: frozenset(
        {Manipulation.INJECTION, Manipulation.VIRTUAL_CAMERA, Manipulation.EMULATOR}
    ),
    Manipulation.VIRTUAL_CAMERA: frozenset({Manipulation.VIRTUAL_CAMERA}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """A sign of manipulation.

    Attributes:
        strength: From 0 to 1; 1 decides.
        method: How the stream was replaced, if the sign shows it.
        instrument: The content of the stream, if the failed tests show it.
        checks: Names of the failed tests behind it.
    """

    of: Manipulation
    strength: float
    method: InjectionMethod
    instrument: InjectionInstrument
    checks: tuple[str, ...]

    @property
    def decided(self) -> bool:
        """Whether the sign is decided."""
        return self.strength >= _DECIDES

    @property
    def injects(self) -> bool:
        """Whether it is a sign of a replaced stream, with a method and an instrument of CEN/TS 18099."""
        return self.of in _INJECTIONS

    @property
    def suspected(self) -> bool:
        """Whether the sign is at least suspected, which limits the assurance."""
        return self.strength >= SUSPECTED


def find_signs(checks: Iterable[DeviceTest]) -> tuple[Sign, ...]:
    """Return the signs in the failed tests, the strongest first.

    A hard test decides. A soft contradiction between two sources weighs twice as much as a soft test of one
    source. Several soft tests of one source count as a suspicion (0.5) and no more, because they share their
    errors. Soft tests never decide, not even together with one soft contradiction, because it is unknown how
    often honest devices contradict themselves. Two contradictions decide.
    """
    failed = [check for check in checks if check.outcome is DeviceFinding.FAIL and check.sign_of is not None]
    signs = []
    for of in Manipulation:
        supporting = _SUPPORTS.get(of, frozenset({of}))
        own = [check for check in failed if check.sign_of is of]
        if not own:
            continue
        behind = [check for check in failed if check.sign_of in supporting]
        signs.append(
            Sign(
                of=of,
                strength=_strength(behind),
                method=_METHODS[of] if of is not Manipulation.INJECTION else _method_of(behind),
                instrument=_instrument_of(failed),
                checks=tuple(check.name for check in behind),
            )
        )
    return tuple(sorted(signs, key=lambda sign: -sign.strength))


def _strength(behind: Sequence[DeviceTest]) -> float:
    weights: dict[str, float] = {}
    contradictions = 0
    for check in behind:
        source = check.name.partition(".")[0]
        if not check.soft:
            return _DECIDES
        if source == "contradiction":
            # Each contradiction compares other sources, so they add up.
            contradictions += 1
        else:
            weights[source] = SUSPECTED if source in weights else _HINTS
    total = _CONTRADICTS * contradictions + sum(weights.values())
    return min(total, _DECIDES if contradictions > 1 else _MOST_OF_HINTS)


def _method_of(behind: Sequence[DeviceTest]) -> InjectionMethod:
    """Return the method of an injection: that of the first failed test that shows one."""
    methods = (_METHODS[check.sign_of] for check in behind if check.sign_of is not None)
    return next(
        (method for method in methods if method is not InjectionMethod.UNKNOWN), InjectionMethod.UNKNOWN
    )


def _instrument_of(failed: Sequence[DeviceTest]) -> InjectionInstrument:
    reasons = {check.reason for check in failed}
    return next(
        (instrument for reason, instrument in _INSTRUMENTS.items() if reason in reasons),
        InjectionInstrument.UNKNOWN,
    )
