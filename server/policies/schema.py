"""The schema of a policy file: strict types, no unknown keys, a range for every number.

The models mirror the file, with one class for each table. They state the demands of a use case. The server
passes the packages that judge their part of it.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import date
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    WithJsonSchema,
    model_validator,
)

from attempt import GESTURE_SECONDS
from device_integrity import Assurance
from device_integrity.camera import Platform
from device_integrity.policy import DECISIVE_NAMES, RAISED_NAMES, Demand, DemandTable, Evidence
from liveness import EVIDENCE_FLOOR, LEAST_BETWEEN, CaptureLimits, ChallengeKind, LivenessPolicy
from matcher import (
    SCAN_SUBJECT,
    PortraitPolicy,
    PortraitPolicyInvalid,
    Profile,
    RuleChange,
    Severity,
    SubjectRule,
)
from matcher.conformance import Component, IntakeCode, RequirementCode, requirement_code
from matcher.records import Representations
from server.base.table import WebOrigin
from server.domain.terms import Mode, PortraitKept

_DAY = 86_400
_FLASH_IDLE_SECONDS = 3
"""During a pause of the flash, the device sends nothing for a second, and mobile networks add their delay."""
_FLASH_ATTEMPT_SECONDS = 15
"""The longest flash, including steps that replace disturbed ones."""
_MOVEMENT_ATTEMPT_SECONDS = 15
"""The movement with two approaches; most people need no third."""
_EXPRESS_ATTEMPT_SECONDS = 10
"""The longest EXPRESS attempt up to the first request for a gesture: capture, wait for motion and delay."""
_GESTURES_APART_SECONDS = 2
"""The longest time between two requests for a gesture, beyond the wait."""

_WORD, _TABLE = "(one word)", "(by platform)"
ASSURANCE_FORMS: Final = frozenset({_WORD, _TABLE})
"""The tags that pydantic adds to the key of a floor when it reports a problem."""

Seconds = Annotated[int, Field(ge=1)]


class AppDisclosure(StrEnum):
    """The part of the result that the app on the device gets; never scores."""

    NOTHING = "nothing"
    PASS_FAIL = "pass_fail"  # noqa: S105 - a word of the policy file, not a secret
    PASS_FAIL_AND_HINTS = "pass_fail_and_hints"  # noqa: S105 - likewise


class ConsentReference(StrEnum):
    """Whether an upload has to name the person's consent or another legal basis."""

    OPTIONAL = "optional"
    REQUIRED = "required"


class RequirementSeverity(StrEnum):
    """The consequence of an unmet requirement on the trusted image."""

    HARD = "hard"
    """The image is refused; also if the requirement cannot be assessed."""
    ADVISORY = "advisory"
    """The requirement is reported."""
    IGNORED = "ignored"
    """The requirement is not reported."""


class RecordFaces(StrEnum):
    """Which facial records are accepted, by their number of faces."""

    EXACTLY_ONE = "exactly_one"
    """Only records with one face."""
    FIRST = "first"
    """All records; the first face is used."""


class PolicyTable(BaseModel):
    """One table of a policy file."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


def _known(names: Collection[str], what: str) -> Callable[[object], str]:
    def validate(name: object) -> str:
        if not isinstance(name, str) or name not in names:
            raise ValueError(f"no {what} is named {name!r:.68}; there are {', '.join(sorted(names))}")
        return name

    return validate


_DecisiveCheck = Annotated[
    str,
    PlainValidator(_known(DECISIVE_NAMES, "decisive test")),
    WithJsonSchema({"type": "string", "enum": sorted(DECISIVE_NAMES)}),
]
_RaisedCheck = Annotated[
    str,
    PlainValidator(_known(RAISED_NAMES, "test that a policy can make decisive")),
    WithJsonSchema({"type": "string", "enum": sorted(RAISED_NAMES)}),
]


class PlatformDemands(PolicyTable):
    """The demands on the devices of one platform, by kind of evidence; an omitted kind is advisory."""

    android_key: Demand = Field(default=Demand.ADVISORY, strict=False)
    """Android key attestation."""
    play_integrity: Demand = Field(default=Demand.ADVISORY, strict=False)
    """Google Play Integrity."""
    app_attest: Demand = Field(default=Demand.ADVISORY, strict=False)
    """Apple App Attest: an attestation or an assertion."""
    web_key: Demand = Field(default=Demand.ADVISORY, strict=False)
    """A browser's key: WebAuthn or WebCrypto."""
    server_key: Demand = Field(default=Demand.ADVISORY, strict=False)
    """The TLS key of the server that the device states."""
    device: Demand = Field(default=Demand.ADVISORY, strict=False)
    """The claims of the device about itself."""
    camera: Demand = Field(default=Demand.ADVISORY, strict=False)
    """The claims about the camera, and the headers of the frames."""
    stream: Demand = Field(default=Demand.ADVISORY, strict=False)
    """The frames themselves."""
    memory: Demand = Field(default=Demand.ADVISORY, strict=False)
    """Scan memory: frames and keys of other scans of the tenant."""
    contradiction: Demand = Field(default=Demand.ADVISORY, strict=False)
    """Contradictions between sources."""

    def as_row(self) -> Mapping[Evidence, Demand]:
        """Return the demands in the terms of ``device_integrity``."""
        return {Evidence(name): getattr(self, name) for name in type(self).model_fields}


class DemandRules(PolicyTable):
    """The demands by platform.

    If no platform has a table, no platform is refused, and observations are advisory; attestation is
    advisory, or ignored if no assurance is demanded. If a platform has a table, devices of platforms without
    one are refused.
    """

    android: PlatformDemands | None = None
    """Android apps."""
    ios: PlatformDemands | None = None
    """iOS and iPadOS apps."""
    web: PlatformDemands | None = None
    """Pages in a browser."""
    desktop: PlatformDemands | None = None
    """Desktop applications and the reference client."""
    unspecified: PlatformDemands | None = None
    """Devices that do not state their platform."""


class AssuranceFloors(PolicyTable):
    """The lowest assurance, by platform."""

    default: Assurance = Field(strict=False)
    """For platforms that are not named here. It is required, so that a floor for pages does not change the
    floors of phones."""
    android: Assurance | None = Field(default=None, strict=False)
    """For Android apps."""
    ios: Assurance | None = Field(default=None, strict=False)
    """For iOS and iPadOS apps."""
    web: Assurance | None = Field(default=None, strict=False)
    """For pages in a browser."""
    desktop: Assurance | None = Field(default=None, strict=False)
    """For desktop applications and the reference client."""
    unspecified: Assurance | None = Field(default=None, strict=False)
    """For devices that do not state their platform."""

    def named(self) -> Mapping[Platform, Assurance]:
        """Return the assurance of each platform that has its own."""
        floors = {platform: getattr(self, platform.name.lower()) for platform in Platform}
        return {platform: floor for platform, floor in floors.items() if floor is not None}


_MinimumAssurance = Annotated[
    Annotated[Assurance, Field(strict=False), Tag(_WORD)] | Annotated[AssuranceFloors, Tag(_TABLE)],
    Discriminator(lambda value: _TABLE if isinstance(value, dict | AssuranceFloors) else _WORD),
]


_VERSION: Final = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,3}")
_NO_VERSION: Final = (0, 0, 0, 0)


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers with which a version begins, four of them; zeros if it begins with none."""
    found = _VERSION.match(version)
    numbers = () if found is None else tuple(int(number) for number in found[0].split("."))
    return (*numbers, *_NO_VERSION[len(numbers) :])


def _plain_version(version: str) -> str:
    if _VERSION.fullmatch(version) is None:
        raise ValueError(
            f'{version!r:.68} is no version; write one to four numbers, such as "1.4" or "1.4.2"'
        )
    return version


_Version = Annotated[
    str,
    AfterValidator(_plain_version),
    WithJsonSchema({"type": "string", "pattern": f"^{_VERSION.pattern}$"}),
]


class SdkRules(PolicyTable):
    """The versions of one SDK with which a device may scan.

    Versions are compared by the numbers with which they begin: 1.4.0rc1 is 1.4.0, and a device that states no
    number has version 0.
    """

    minimum: _Version = "0"
    """The lowest version that may scan. A lower one is refused with ``PROTOCOL_VERSION_NOT_SUPPORTED`` before
    its scan begins."""
    next_minimum: _Version | None = None
    """The minimum for checks that are created after ``supported_until``."""
    supported_until: date | None = None
    """The last day, in UTC, for versions below ``next_minimum``. The results of their scans state it in
    ``device.sdk_supported_until``. TOML has dates without quotes."""

    @model_validator(mode="after")
    def _dated(self) -> Self:
        if (self.next_minimum is None) != (self.supported_until is None):
            raise ValueError("next_minimum and supported_until belong together: give both, or neither")
        if self.next_minimum is not None and _numbers(self.next_minimum) <= _numbers(self.minimum):
            raise ValueError(f"next_minimum ({self.next_minimum}) must be above minimum ({self.minimum})")
        return self

    def least(self, day: date) -> str:
        """Return the lowest version for checks that are created on ``day``, in UTC."""
        if self.next_minimum is not None and self.supported_until is not None and day > self.supported_until:
            return self.next_minimum
        return self.minimum


class DeviceRules(PolicyTable):
    """Demands on the device."""

    minimum_assurance: _MinimumAssurance = Assurance.NONE
    """Lowest device assurance with which a check can succeed: one for all platforms, or a table. The platform
    is the device's own claim: an attacker without evidence can claim the one with the lowest demands. With
    NONE or LOW, and without required attestation, only the frames and the device's own claims oppose video
    that software makes in real time."""
    demands: DemandRules = DemandRules()
    """By platform and kind of evidence: "required" (else the check fails), "advisory" (it raises or lowers
    the assurance) or "ignored" (it is reported)."""
    tolerate: tuple[_DecisiveCheck, ...] = Field(default=(), strict=False)
    """Names of decisive device tests to waive: their failure is only reported. Without a waiver, each of them
    alone fails the check."""
    decide: tuple[_RaisedCheck, ...] = Field(default=(), strict=False)
    """Names of tests of run-time findings to make decisive, such as ``runtime.root``; otherwise their failure
    is a soft sign. ``runtime.hooking`` and ``runtime.debugger`` always are."""

    web_origins: tuple[WebOrigin, ...] = Field(default=(), strict=False)
    """Origins of the pages that may scan under this policy, out of ``device_integrity.web.origins`` of the
    settings; if none is listed, all of them. A page of another origin is refused with ``ORIGIN_NOT_ALLOWED``,
    and the check stays open."""
    sdks: dict[Annotated[str, Field(min_length=1, max_length=64)], SdkRules] = Field(default_factory=dict)
    """The supported versions of SDKs, by name, such as ``facegate-web``; others may have any version. Name
    and version are the device's own claim (``DeviceProfile.sdk_version``), so this ends the support of old
    apps and stops no attacker."""

    def missed_sdk_version(self, sdk_version: str, *, day: date) -> str | None:
        """Return the version that a device's SDK would need; ``None`` if it is supported.

        Args:
            day: The day on which its check was created, in UTC.
        """
        rules, version = self._sdk(sdk_version)
        if rules is None or _numbers(version) >= _numbers(least := rules.least(day)):
            return None
        return least

    def sdk_supported_until(self, sdk_version: str) -> date | None:
        """Return the last day of support for a device's SDK, in UTC; ``None`` without one."""
        rules, version = self._sdk(sdk_version)
        if rules is None or rules.next_minimum is None or _numbers(version) >= _numbers(rules.next_minimum):
            return None
        return rules.supported_until

    def _sdk(self, sdk_version: str) -> tuple[SdkRules | None, str]:
        """Return the rules for a device's SDK, and its version."""
        name, _, version = sdk_version.rpartition(" ")
        if sdk_version in self.sdks:  # It states no version.
            return self.sdks[sdk_version], ""
        return self.sdks.get(name), version

    def as_table(self) -> DemandTable:
        """Return the demands in the terms of ``device_integrity``."""
        least = self.minimum_assurance
        floor, floors = (least.default, least.named()) if isinstance(least, AssuranceFloors) else (least, {})
        named = {platform: getattr(self.demands, platform.name.lower()) for platform in Platform}
        rows = {platform: row.as_row() for platform, row in named.items() if row is not None}
        if not rows:
            rows = {platform: _undemanding_row(floors.get(platform, floor)) for platform in Platform}
        return DemandTable(rows, floor=floor, floors=floors)


def _undemanding_row(least: Assurance) -> Mapping[Evidence, Demand]:
    """Return the demands of a platform under a policy that names no platform."""
    asked = Demand.IGNORED if least is Assurance.NONE else Demand.ADVISORY
    return {evidence: asked if evidence.raises_assurance else Demand.ADVISORY for evidence in Evidence}


def _known_code(name: object) -> RequirementCode:
    try:
        return requirement_code(str(name))
    except PortraitPolicyInvalid as error:
        raise ValueError(f"{error}; there are {', '.join((*Component, *IntakeCode))}") from error


_Code = Annotated[
    RequirementCode,
    PlainValidator(_known_code),
    WithJsonSchema({"type": "string", "enum": [*Component, *IntakeCode]}),
]


_Challenge = Annotated[ChallengeKind, Field(strict=False)]


class EvidenceRules(PolicyTable):
    """Demands on the evidence frame."""

    min_face_width: float = Field(default=EVIDENCE_FLOOR.min_face_width, ge=0, le=500)
    """Smallest width of the face from ear to ear, in pixels of the frame. If the evidence frame does not meet
    one of these four demands, the verdict is not LIVE, as outside the range of the liveness model, which no
    weaker demand changes."""
    min_sharpness: float = Field(default=EVIDENCE_FLOOR.min_sharpness, ge=0, le=500)
    """Smallest sharpness of the face: the variance of the Laplacian at 128 x 128 pixels. A face in focus has
    50 to 400."""
    min_luminance: float = Field(default=EVIDENCE_FLOOR.min_luminance, ge=0, le=120)
    """Smallest mean luma of the face, 0..255."""
    max_luminance: float = Field(default=EVIDENCE_FLOOR.max_luminance, ge=130, le=255)
    """Largest mean luma of the face, 0..255."""

    def as_limits(self) -> CaptureLimits:
        """Return the demands in the terms of liveness."""
        return CaptureLimits(**self.model_dump())


class LivenessRules(PolicyTable):
    """Demands on liveness."""

    live_threshold: float = Field(default=70.0, gt=0, le=100)
    """Confidence, 0..100, at or above which the verdict is LIVE. With ``[doubt]``, a scan without a challenge
    also has to reach the higher line from which the pack's networks are sure."""
    spoof_threshold: float = Field(default=30.0, ge=0, lt=100)
    """Confidence, 0..100, at or below which the verdict is SPOOF; between the two it is INCONCLUSIVE. It must
    be at least 1 below ``live_threshold``."""
    require_pad_network: bool = False
    """Whether LIVE needs the score of a PAD network."""
    minimum_frames: int = Field(default=8, ge=2, le=300)
    """Smallest number of frames with exactly one face for which signals over time decide."""
    evidence: EvidenceRules = EvidenceRules()
    """Demands on the evidence frame."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.spoof_threshold > self.live_threshold - LEAST_BETWEEN:
            raise ValueError(
                f"spoof_threshold ({self.spoof_threshold:g}) must be {LEAST_BETWEEN:g} or more below "
                f"live_threshold ({self.live_threshold:g})"
            )
        return self


class SubjectRules(PolicyTable):
    """Defines which faces in a scan's frames count as persons. A frame with several persons does not count.

    The subject is the most prominent face by size and centre. The trusted image is not affected: it must show
    one person alone.
    """

    background_width: float = Field(default=SCAN_SUBJECT.background_width, ge=0, le=0.8)
    """Width of a face, over the subject's, up to which it is background if it lies off-centre and the subject
    does not. Faces below 0.4 always are; with 0 no others are."""
    centre: float = Field(default=SCAN_SUBJECT.centre, ge=0.2, le=0.6)
    """Distance from the centre of the frame, over half its diagonal, from which a face lies off-centre."""

    def as_rule(self) -> SubjectRule:
        """Return the demands in the terms of the matcher."""
        return replace(SCAN_SUBJECT, background_width=self.background_width, centre=self.centre)


class MatchRules(PolicyTable):
    """Demands on the match."""

    max_fmr: float = Field(gt=0, lt=1)
    """Largest false match rate (ISO/IEC 19795-1, per comparison), which bounds the threshold. It must not be
    below what the pack's calibration supports."""


class ChallengeDemands(PolicyTable):
    """Demands on the challenge of one scan."""

    required_bits: float = Field(default=12.0, ge=10, le=20)
    """Challenge bits that must be verified in a DYNAMIC scan. A blind guess of a whole script has them in one
    of 2 to the power of this number of attempts; of the few colours with which a scan may end, somewhat more
    often."""
    blink: bool = False
    """Whether a DYNAMIC scan, and one with the movement challenge, also demands a blink, which rigid masks
    cannot show; a person without one is asked. Needs a pack with dense landmarks, and excludes people who
    cannot close their eyes."""
    depth: bool = False
    """Whether a DYNAMIC scan demands, in any light, that motion shows the depth of a head, which cut-outs do
    not have; a person who hardly moves is asked to turn it slightly. In the dark, depth is always
    demanded."""
    open_mouth: bool = False
    """Whether every scan, also in EXPRESS, asks the person at its end to open the mouth, which masks with
    holes for living eyes cannot do. Needs a device that shows the request, MediaPipe's 478 landmarks, and a
    ``deadlines.attempt_seconds`` of 15 or more (20 with the flash). Excludes people who cannot open their
    mouth."""
    turn_head: bool = False
    """Whether every scan, also in EXPRESS, asks the person at its end to turn the head to a side that is
    drawn for each attempt. With ``open_mouth``, the order is drawn, too. Needs a device that shows the
    request, a pack with dense landmarks, and a ``deadlines.attempt_seconds`` of 15 or more, 20 with the
    flash, and 7 more with ``open_mouth``. Excludes people who cannot turn their head."""

    @property
    def gestures(self) -> int:
        """The number of gestures that the person is asked for at the end of an attempt."""
        return self.open_mouth + self.turn_head

    @property
    def gesture_seconds(self) -> int:
        """The longest that the gestures of an attempt take, seconds; 0 if the person is asked for none."""
        if not self.gestures:
            return 0
        return self.gestures * GESTURE_SECONDS + (self.gestures - 1) * _GESTURES_APART_SECONDS

    def together_with(self, other: "ChallengeDemands") -> "ChallengeDemands":
        """Return the demands of both: never less than either."""
        names = ChallengeDemands.model_fields
        return ChallengeDemands(**{name: max(getattr(self, name), getattr(other, name)) for name in names})


class RaisedRules(ChallengeDemands):
    """Demands on the challenge if the orchestrator raised the mode from EXPRESS to DYNAMIC.

    The defaults are the demands of the shipped policy ``dynamic``. The demands of ``[challenge]`` also apply,
    so that a raised mode never demands less.
    """

    blink: bool = True
    """Whether the scan also demands a blink. If so, the mode cannot be raised with a pack that has no dense
    landmarks."""
    depth: bool = True
    """Whether the scan demands, in any light, that motion shows the depth of a head."""
    open_mouth: bool = False
    """Whether the scan asks the person at its end to open the mouth, even if ``[challenge]`` does not."""
    turn_head: bool = False
    """Whether the scan asks the person at its end to turn the head, even if ``[challenge]`` does not. If
    ``deadlines.attempt_seconds`` is too short for its gestures, the mode cannot be raised."""


class ChallengeRules(ChallengeDemands):
    """Demands on the challenge of a DYNAMIC scan; ``open_mouth`` and ``turn_head`` also hold in EXPRESS."""

    flash_allowed: bool = True
    """Whether the screen may flash. Set it to false for people who must not see flashes; the mode then cannot
    be raised."""
    raised: RaisedRules = RaisedRules()
    """Demands on the challenge if the orchestrator raised the mode from EXPRESS to DYNAMIC."""


class FlashAnswer(RaisedRules):
    """Demands on an attempt with the flash, if there is doubt. The defaults are those of a raised mode."""

    live_threshold: float = Field(default=70.0, gt=0, le=100)
    """Confidence, 0..100, at or above which the verdict of this attempt is LIVE; not below that of
    ``[liveness]``."""


class MovementAnswer(PolicyTable):
    """Demands on an attempt with the movement challenge, if there is doubt."""

    live_threshold: float = Field(default=70.0, gt=0, le=100)
    """Confidence, 0..100, at or above which the verdict of this attempt is LIVE; not below that of
    ``[liveness]``."""
    blink: bool = True
    """Whether the attempt also demands a blink; a person without one is asked after the last oval. People who
    cannot close their eyes can decline the flash and the movement if the order also names the gestures;
    otherwise they need another policy."""
    open_mouth: bool = False
    """Whether the person is also asked to open the mouth."""
    turn_head: bool = False
    """Whether the person is also asked to turn the head to a drawn side."""


class GesturesAnswer(PolicyTable):
    """Demands on an attempt that asks to open the mouth and to turn the head, if there is doubt."""

    live_threshold: float = Field(default=70.0, gt=0, le=100)
    """Confidence, 0..100, at or above which the verdict of this attempt is LIVE; not below that of
    ``[liveness]``."""


class DoubtRules(PolicyTable):
    """The challenges that follow doubt about the person, in the same scan.

    With this table, EXPRESS decides alone only where the PAD networks are sure: from a line of confidence
    that belongs to the model pack, and that a pack for evaluation never reaches. Between that line and the
    ``spoof_threshold`` of ``[liveness]``, the next attempts are challenges. Doubt lasts for the whole check.
    A device that shows no challenge, or whose person declines all of them, succeeds only if EXPRESS is sure.

    Without this table, EXPRESS decides from the ``live_threshold`` of ``[liveness]`` on.
    """

    order: tuple[_Challenge, ...] = Field(default=tuple(ChallengeKind), strict=False, min_length=1)
    """The challenges, the first choice first. One is left out that device, pack, person or light do not
    allow, or that does not stop the attacks of the doubt."""
    at_start: bool = False
    """Whether a scan begins with a challenge, as if there were doubt."""
    flash: FlashAnswer = FlashAnswer()
    """Demands on an attempt with the flash. Those of ``[challenge]`` also apply; together they must not be
    less than those of a raised mode."""
    movement: MovementAnswer = MovementAnswer()
    """Demands on an attempt with the movement challenge; blink and gestures likewise not less."""
    gestures: GesturesAnswer = GesturesAnswer()
    """Demands on an attempt with gestures."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.order)) < len(self.order):
            raise ValueError("order names a challenge twice")
        return self

    def live_threshold(self, challenge: ChallengeKind) -> float:
        """Return the confidence from which an attempt with the challenge is LIVE."""
        match challenge:
            case ChallengeKind.FLASH:
                return self.flash.live_threshold
            case ChallengeKind.MOVEMENT:
                return self.movement.live_threshold
            case ChallengeKind.GESTURES:
                return self.gestures.live_threshold

    def demands(self, challenge: ChallengeKind) -> ChallengeDemands:
        """Return the demands on an attempt with the challenge."""
        match challenge:
            case ChallengeKind.FLASH:
                return self.flash
            case ChallengeKind.MOVEMENT:
                return ChallengeDemands(
                    blink=self.movement.blink,
                    open_mouth=self.movement.open_mouth,
                    turn_head=self.movement.turn_head,
                )
            case ChallengeKind.GESTURES:
                return ChallengeDemands(open_mouth=True, turn_head=True)


_MADE: Final[Mapping[ChallengeKind, tuple[str, ...]]] = {
    ChallengeKind.FLASH: tuple(ChallengeDemands.model_fields),
    ChallengeKind.MOVEMENT: ("blink", "open_mouth", "turn_head"),
    ChallengeKind.GESTURES: ("open_mouth", "turn_head"),
}
"""The demands that an attempt with each challenge can make."""


class AttemptRules(PolicyTable):
    """Numbers of attempts."""

    maximum: int = Field(default=3, ge=1, le=10)
    """Maximum number of attempts that count. An attempt counts if enough of its frames were received. With
    ``[doubt]``, doubt allows one attempt more, with a challenge, unless the scan begins with one
    (``at_start``)."""
    uncounted: int = Field(default=3, ge=0, le=40)
    """Maximum number of attempts that a device may end itself before they count. An attempt that breaks off
    before it counts uses up a reconnect instead."""
    reconnects: int = Field(default=5, ge=0, le=50)
    """Maximum number of streams after the first, with which a device reconnects after a lost connection."""


class DeadlineRules(PolicyTable):
    """Deadlines."""

    scan_seconds: Seconds = Field(default=180, le=3600)
    """Time from the upload to the end of the scan."""
    result_seconds: Seconds = Field(default=_DAY, le=30 * _DAY)
    """Time from the upload until ``FinishCheck`` no longer returns the result."""
    attempt_seconds: Seconds = Field(default=30, le=300)
    """Longest attempt."""
    attestation_grace_seconds: int = Field(default=10, ge=0, le=120)
    """Time after the end of the last attempt in which the attestation may still arrive."""
    idle_seconds: Seconds = Field(default=10, le=120)
    """Time without a message after which the server closes a stream."""
    resume_seconds: int = Field(default=20, ge=0, le=3600)
    """Time after a lost connection in which ``FinishCheck`` keeps the check open for the device to reconnect.
    The device may reconnect until the scan's deadline, unless the check was closed."""
    ready_seconds: Seconds = Field(default=60, le=600)
    """Time between two attempts for a device that announces when it is ready."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("attempt_seconds", "idle_seconds"):
            if getattr(self, name) > self.scan_seconds:
                raise ValueError(
                    f"{name} ({getattr(self, name)}) must not be above scan_seconds ({self.scan_seconds})"
                )
        if self.result_seconds < self.scan_seconds:
            raise ValueError(
                f"result_seconds ({self.result_seconds}) must not be below scan_seconds ({self.scan_seconds})"
            )
        return self


class RequirementRules(PolicyTable):
    """Changes to one requirement of the profile; an omitted value stays that of the profile."""

    severity: RequirementSeverity | None = Field(default=None, strict=False)
    """Consequence if the requirement is not met."""
    minimum: float | None = None
    """Smallest accepted value, in the unit that the report shows."""
    maximum: float | None = None
    """Largest accepted value, in the unit that the report shows."""
    minimum_score: int | None = Field(default=None, ge=0, le=100)
    """Smallest accepted quality score of ISO/IEC 29794-5."""


class PortraitRules(PolicyTable):
    """Demands on the trusted image."""

    min_eye_distance: float = Field(default=85.0, ge=20, le=1000)
    """Smallest distance between the eye centres, in pixels. A profile may demand more."""
    max_bytes: int = Field(default=2_000_000, ge=1_000, le=2_000_000)
    """Largest upload, in bytes. The wire carries no more than 2,000,000."""
    max_pixels: int = Field(default=25_000_000, ge=10_000, le=80_000_000)
    """Largest number of pixels that an image's header may declare."""
    representations: RecordFaces = Field(default=RecordFaces.EXACTLY_ONE, strict=False)
    """Whether facial records with several faces are refused, or their first face is used."""
    profile: Profile = Field(default=Profile.FACEGATE, strict=False)
    """Requirements that hold unless ``requirements`` changes them: "facegate" (those of matching are hard,
    the others advice) or "iso_full_frontal" (ISO/IEC 19794-5)."""
    requirements: dict[_Code, RequirementRules] = Field(default_factory=dict)
    """Changes to single requirements, by the code that the report gives a requirement."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        try:
            self.as_policy()
        except PortraitPolicyInvalid as error:
            raise ValueError(str(error)) from error
        return self

    def as_policy(self) -> PortraitPolicy:
        """Return the demands in the terms of the matcher.

        Raises:
            matcher.errors.PortraitPolicyInvalid: The rules contradict each other; never for validated rules.
        """
        return PortraitPolicy(
            max_bytes=self.max_bytes,
            max_pixels=self.max_pixels,
            min_eye_distance=self.min_eye_distance,
            profile=self.profile,
            changes={
                code: RuleChange(
                    severity=None if rules.severity is None else Severity[rules.severity.name],
                    minimum=rules.minimum,
                    maximum=rules.maximum,
                    minimum_score=rules.minimum_score,
                )
                for code, rules in self.requirements.items()
            },
            representations=Representations[self.representations.name],
        )


class DisclosureRules(PolicyTable):
    """Disclosure of results."""

    app: AppDisclosure = Field(default=AppDisclosure.PASS_FAIL_AND_HINTS, strict=False)
    """The part of the result that the app gets: nothing, whether the check passed, or also, after a failure,
    the feedback that it was sent during that attempt and whether network, camera or server was too slow. It
    never gets any other reason."""


class RetentionRules(PolicyTable):
    """Retention."""

    evidence_seconds: int = Field(default=30 * _DAY, ge=0, le=3650 * _DAY)
    """Time from the decision until result and evidence are erased, but not before the result's deadline."""
    images_seconds: int | None = Field(default=None, ge=0, le=3650 * _DAY)
    """Time from the decision until the images are erased (evidence frame, further frames and the trusted
    image), but not before the result's deadline; at most ``evidence_seconds``. Without it, they are erased
    with the result. The record still states their SHA-256."""
    audit_images: int = Field(default=2, ge=0, le=4)
    """Number of frames to keep beside the evidence frame."""
    biometrics: bool = True
    """Whether biometric data outlive the decision. With false, no image of the scan is written, nor hashes of
    its frames, nor marks by which a recording of it would be recognised; the portrait's template stays,
    sealed, until the decision. ``audit_images`` must then be 0, and ``portrait`` "hash" or "none"."""
    portrait: PortraitKept = Field(default=PortraitKept.HASH, strict=False)
    """The data of the trusted image that the evidence record keeps: "bytes" (the image as uploaded, sealed,
    and its SHA-256), "hash" (only its SHA-256) or "none"."""

    @model_validator(mode="after")
    def _images_not_after_record(self) -> Self:
        if self.images_seconds is not None and self.images_seconds > self.evidence_seconds:
            raise ValueError("images_seconds is greater than evidence_seconds")
        return self

    @model_validator(mode="after")
    def _no_biometrics(self) -> Self:
        if self.biometrics:
            return self
        for contradicted, remedy in (
            (self.audit_images > 0, "set audit_images = 0"),
            (self.portrait is PortraitKept.BYTES, 'set portrait to "hash" or "none"'),
            (self.images_seconds is not None, "remove images_seconds"),
        ):
            if contradicted:
                raise ValueError(f"biometrics is false, so that no image is kept: {remedy}")
        return self


class ReviewRules(PolicyTable):
    """The checks that people review after the decision. The result never changes."""

    doubt: bool = False
    """Whether a check is reviewed whose doubt a challenge resolved as SUCCESS."""
    inconclusive: bool = False
    """Whether a check is reviewed that failed with LIVENESS_INCONCLUSIVE."""
    device_signs: bool = False
    """Whether a check is reviewed that is a SUCCESS although a sign of manipulation of the device is
    suspected."""
    sample_percent: float = Field(default=0.0, ge=0.0, le=100.0)
    """The share of SUCCESS that is reviewed, in per cent. A hash of the check's identifier draws them."""
    failures: int | None = Field(default=None, ge=2, le=100)
    """The number of failed checks of one subject within ``failures_days`` from which on each is reviewed.
    Checks that were left, cancelled, or failed by conditions alone do not count. Without it, none."""
    failures_days: int = Field(default=30, ge=1, le=365)
    """The days in which these failures count. Erased checks do not."""
    four_eyes: bool = False
    """Whether two people must decide. If they differ, the outcome is ESCALATE; a first ESCALATE is final."""
    deadline_hours: int = Field(default=72, ge=1, le=90 * 24)
    """Time from the decision until a review ends undecided; not later than the images or the record of the
    check are erased."""
    claim_minutes: int = Field(default=15, ge=1, le=240)
    """How long a reviewer holds a review without claiming it again."""

    @model_validator(mode="after")
    def _something_is_reviewed(self) -> Self:
        if not (self.doubt or self.inconclusive or self.device_signs or self.sample_percent or self.failures):
            raise ValueError(
                "the table sends no check to review: set doubt, inconclusive, device_signs, "
                "sample_percent or failures, or remove the table"
            )
        return self


class EnrolmentRules(PolicyTable):
    """Enrolment: a SUCCESS may become the trusted image of later checks of the same person."""

    retention_seconds: int = Field(ge=1, le=3650 * _DAY)
    """Time from the decision in which the evidence frame may be the trusted image of later checks, and is
    kept for that, longer than ``retention.images_seconds`` if need be; at most
    ``retention.evidence_seconds``."""


_ARCS: Final = re.compile(r"[012](?:\.(?:0|[1-9]\d*))+")
_LONGEST_OID: Final = 128


def _object_identifier(text: str) -> str:
    arcs = text.split(".")
    if (
        len(text) > _LONGEST_OID
        or _ARCS.fullmatch(text) is None
        or (arcs[0] != "2" and (len(arcs[1]) > 2 or int(arcs[1]) > 39))
    ):
        raise ValueError(
            f"{text!r:.68} is no object identifier; write two or more numbers with dots and without leading "
            f"zeros, at most {_LONGEST_OID} characters, the first 0, 1 or 2, and the second below 40 after 0 "
            'and 1, such as "1.3.6.1.4.1.32473.1"'
        )
    return text


_Oid = Annotated[
    str,
    AfterValidator(_object_identifier),
    WithJsonSchema({"type": "string", "pattern": f"^{_ARCS.pattern}$", "maxLength": _LONGEST_OID}),
]


class Policy(PolicyTable):
    """Named settings of a use case."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    """Name by which the orchestrator selects the policy: lower-case letters, digits, ``_`` and ``-``."""
    version: int = Field(ge=1, le=2**31 - 1)
    """Version of the file. Raise it with every change."""
    description: str = Field(min_length=1, max_length=500)
    """Purpose of the policy, as text for people."""
    oid: _Oid | None = None
    """Object identifier of your identity proofing policy (ETSI TS 119 461). Signed results state it beside
    name and version."""
    consent: ConsentReference = Field(default=ConsentReference.OPTIONAL, strict=False)
    """Whether an upload must have a ``consent_reference``; without one it is then refused with
    ``INVALID_FIELD``. The server does not test what the reference refers to."""
    for_tests: bool = False
    """Marks the policy for servers that trust apps built for tests (``device_integrity.apple.environment =
    "development"``), which accept no others."""
    mode: Mode = Field(strict=False)
    """Weakest mode that can give SUCCESS."""
    liveness: LivenessRules = LivenessRules()
    """Demands on liveness."""
    subject: SubjectRules = SubjectRules()
    """The faces that count as persons."""
    match: MatchRules
    """Demands on the match."""
    challenge: ChallengeRules = ChallengeRules()
    """Demands on the challenge of a DYNAMIC scan; ``open_mouth`` and ``turn_head`` also hold in EXPRESS."""
    doubt: DoubtRules | None = None
    """The challenges that follow doubt about the person. Only for policies whose ``mode`` is EXPRESS."""
    device: DeviceRules = DeviceRules()
    """Demands on the device."""
    attempts: AttemptRules = AttemptRules()
    """Numbers of attempts."""
    deadlines: DeadlineRules = DeadlineRules()
    """Deadlines."""
    portrait: PortraitRules = PortraitRules()
    """Demands on the trusted image."""
    disclosure: DisclosureRules = DisclosureRules()
    """Disclosure of results."""
    retention: RetentionRules = RetentionRules()
    """Retention."""
    review: ReviewRules | None = None
    """The checks that people review after the decision. Without the table, none."""
    enrolment: EnrolmentRules | None = None
    """Whether a SUCCESS with a subject reference may become the trusted image of later checks
    (``trusted_check_id``). Needs ``consent = "required"``. Without the table, none."""

    def challenge_for(self, requested: Mode, challenge: ChallengeKind | None = None) -> ChallengeDemands:
        """Return the demands on an attempt of a check.

        Args:
            requested: The mode of the check: that of the policy, or the one to which the orchestrator raised
                it.
            challenge: The challenge of the attempt. With ``None``, the demands of a scan without doubt.
        """
        if requested.strength > self.mode.strength:
            return self.challenge.together_with(self.challenge.raised)
        if self.doubt is None or challenge is None:
            return self.challenge
        return self.challenge.together_with(self.doubt.demands(challenge))

    def answers_doubt(self, requested: Mode) -> DoubtRules | None:
        """Return the table of doubt; ``None`` without one, and in a check that demands the flash anyway."""
        return self.doubt if requested is Mode.EXPRESS else None

    @property
    def why_no_flash(self) -> str | None:
        """Why no scan of this policy can use the flash, as text; ``None`` if one can."""
        if not self.challenge.flash_allowed:
            return "challenge.flash_allowed is false"
        for name, least in (
            ("idle_seconds", _FLASH_IDLE_SECONDS),
            ("attempt_seconds", self._longest_flash),
        ):
            if (seconds := getattr(self.deadlines, name)) < least:
                return f"deadlines.{name} is {seconds}, and a flash takes {least} or more"
        return None

    @property
    def _longest_flash(self) -> int:
        """The longest attempt with the flash, seconds."""
        raised = self.challenge_for(Mode.DYNAMIC)
        doubted = self.challenge_for(self.mode, ChallengeKind.FLASH)
        return _FLASH_ATTEMPT_SECONDS + max(raised.gesture_seconds, doubted.gesture_seconds)

    @model_validator(mode="after")
    def _mode_fits(self) -> Self:
        least = _EXPRESS_ATTEMPT_SECONDS + self.challenge.gesture_seconds
        if self.challenge.gestures and self.deadlines.attempt_seconds < least:
            raise ValueError(
                f"deadlines.attempt_seconds is {self.deadlines.attempt_seconds}, and an attempt that asks "
                f"for gestures (open_mouth, turn_head) takes {least} or more"
            )
        if self.mode is Mode.DYNAMIC and (reason := self.why_no_flash) is not None:
            raise ValueError(f'mode is "DYNAMIC", whose challenge is the flash, but {reason}')
        return self

    @model_validator(mode="after")
    def _review_fits(self) -> Self:
        if self.review is not None and not self.retention.biometrics:
            raise ValueError(
                "retention.biometrics is false, so that no image is kept for a reviewer: remove the "
                "table review"
            )
        return self

    @model_validator(mode="after")
    def _enrolment_fits(self) -> Self:
        if self.enrolment is None:
            return self
        if self.consent is not ConsentReference.REQUIRED:
            raise ValueError('the table enrolment needs consent = "required": set it, or remove the table')
        if not self.retention.biometrics:
            raise ValueError(
                "retention.biometrics is false, so that no image is kept to compare later scans with: remove "
                "the table enrolment"
            )
        if self.enrolment.retention_seconds > self.retention.evidence_seconds:
            raise ValueError("enrolment.retention_seconds is greater than retention.evidence_seconds")
        return self

    @model_validator(mode="after")
    def _doubt_fits(self) -> Self:
        doubt, deadlines = self.doubt, self.deadlines
        if doubt is None:
            return self
        if self.mode is not Mode.EXPRESS:
            raise ValueError(f'mode is "{self.mode}", which has its challenge anyway: remove the table doubt')
        if ChallengeKind.FLASH in doubt.order and (reason := self.why_no_flash) is not None:
            raise ValueError(f'doubt.order contains "flash", but {reason}')
        for challenge in doubt.order:
            if less := self._less_than_raised(challenge):
                raise ValueError(
                    f"doubt.{challenge} demands less than challenge.raised ({', '.join(less)}): doubt cannot "
                    "demand less than a raised mode"
                )
            if doubt.live_threshold(challenge) < self.liveness.live_threshold:
                raise ValueError(
                    f"doubt.{challenge}.live_threshold is {doubt.live_threshold(challenge):g}, below "
                    f"liveness.live_threshold ({self.liveness.live_threshold:g}): doubt cannot demand less"
                )
            longest = _MOVEMENT_ATTEMPT_SECONDS
            if challenge is ChallengeKind.GESTURES:
                longest = _EXPRESS_ATTEMPT_SECONDS
            least = longest + self.challenge_for(self.mode, challenge).gesture_seconds
            if challenge is not ChallengeKind.FLASH and deadlines.attempt_seconds < least:
                raise ValueError(
                    f"deadlines.attempt_seconds is {deadlines.attempt_seconds}, and an attempt with the "
                    f"challenge {challenge} takes {least} or more"
                )
        return self

    def _less_than_raised(self, challenge: ChallengeKind) -> tuple[str, ...]:
        """Return the demands of a raised mode that an attempt answering doubt makes less of.

        Only those that its challenge can make: bits and depth belong to the flash, and gestures replace the
        blink. None if no mode can be raised.
        """
        if self.why_no_flash is not None:
            return ()
        asked = self.challenge_for(self.mode, challenge)
        return tuple(
            name for name in _MADE[challenge] if getattr(asked, name) < getattr(self.challenge.raised, name)
        )


def liveness_policy(policy: Policy, challenge: ChallengeKind | None = None) -> LivenessPolicy:
    """Return the part of the policy of a check that liveness applies.

    Args:
        challenge: The challenge with which an attempt answers doubt; ``None`` without one.
    """
    rules = policy.liveness
    live = rules.live_threshold
    if policy.doubt is not None and challenge is not None:
        live = policy.doubt.live_threshold(challenge)
    return LivenessPolicy(
        live_threshold=live,
        spoof_threshold=rules.spoof_threshold,
        require_pad_network=rules.require_pad_network,
        minimum_frames=rules.minimum_frames,
        evidence=rules.evidence.as_limits(),
    )


def render_schema() -> str:
    """Return the schema of policy files as JSON Schema 2020-12, indented, with a newline at its end.

    ``python -m docs.make_reference`` writes it to ``policy.schema.json`` beside this file, for editors; a
    test compares the two.
    """
    schema = Policy.model_json_schema(mode="validation")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Facegate policy"
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
