"""Makes the checks of the person in front of this machine's camera, as an orchestrator does.

An uploaded picture becomes the trusted image, an ISO/IEC 19794-5 record. Each mode of the page has a policy.
"""

import asyncio
import base64
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from facegate.v1 import result_pb2, scan_pb2, verification_service_pb2

from cli.image.command import decode_picture, eye_finder
from cli.verdict import DEGREES, enum_word, enum_words, message_json
from cli.words import measured_words, refusal_advice
from facegate_client import KeySet, Orchestrator, ServerError
from lab.demo.flash import colours_figures, said_columns
from lab.demo.local_server import FLASH_ALONE_POLICY, FLASH_POLICY, POLICY, TRIAL_POLICY, write_text
from lab.demo.runner import is_verified
from lab.explanation import (
    SUCCESS,
    because,
    device_tests,
    judgement,
    proof,
    reason_sentence,
    seconds_between,
)
from lab.pages import render
from matcher import ConversionImpossible, MatcherError, TargetFormat, Wishes, convert
from matcher.conformance import remedy_for
from matcher.records import Representations, open_trusted_image
from server.checks.offer import pack_shortfall
from server.domain.terms import Mode
from server.pages import Explanation, Figure, Group, data_uri
from server.policies import load_policies
from vision.errors import VisionError
from vision.packs import Pack

MOST_BYTES: Final = 20_000_000
"""Largest upload. A trusted image has at most 2,000,000 bytes; the page makes photos smaller first."""
_QUALITY: Final = 92
_SCAN_SECONDS: Final = 60.0
"""How long a check that has no result yet counts as running."""
_WAIT_SECONDS: Final = 15.0
_AUDIT_IMAGES: Final = 2
_MOST_PORTRAITS: Final = 8
_COLOURS_TRIAL_POLICY: Final = "evaluation-colours"
"""``adaptive`` for packs that are for evaluation only."""

_TEXT: Final = f"""\
# For trials only: "{FLASH_ALONE_POLICY}" with the match and challenges that the pack "embedded" supports.
name = "{_COLOURS_TRIAL_POLICY}"
version = 1
description = "For trials only: begins with the screen challenge, with at most one false match in a hundred."
mode = "EXPRESS"

[match]
max_fmr = 1e-2

[liveness]
live_threshold = 70.0
spoof_threshold = 30.0

[doubt]
order = ["flash", "movement"]
at_start = true

[attempts]
maximum = 4

[retention]
evidence_seconds = 86_400
audit_images = 2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialMode:
    """A mode of the page.

    Attributes:
        key: ``express``, ``colours`` or ``dynamic``.
        wanted: The mode that a check asks for, if it raises that of the policy.
        shortfall: Why the pack cannot serve it; empty if it can.
    """

    key: str
    policy: str
    flashes: bool
    wanted: scan_pb2.Mode.ValueType = scan_pb2.MODE_UNSPECIFIED
    shortfall: str = ""


def offered_modes(pack: Pack, *, folder: Path) -> tuple[TrialMode, ...]:
    """Return the modes of the page, in order."""
    trial = pack.evaluation_only
    modes = (
        TrialMode(key="express", policy=TRIAL_POLICY if trial else POLICY, flashes=False),
        TrialMode(key="colours", policy=_COLOURS_TRIAL_POLICY if trial else FLASH_ALONE_POLICY, flashes=True),
        TrialMode(
            key="dynamic",
            policy=TRIAL_POLICY if trial else FLASH_POLICY,
            flashes=True,
            wanted=scan_pb2.MODE_DYNAMIC if trial else scan_pb2.MODE_UNSPECIFIED,
        ),
    )
    book = load_policies(folder)
    shortfalls = (
        pack_shortfall(
            book.get(mode.policy).policy,
            pack,
            requested=Mode.DYNAMIC if mode.key == "dynamic" else Mode.EXPRESS,
            allow_evaluation_pack=True,
        )
        for mode in modes
    )
    return tuple(
        replace(mode, shortfall=shortfall or "") for mode, shortfall in zip(modes, shortfalls, strict=True)
    )


def write_trial_policy(folder: Path) -> None:
    """Add the policy of the mode with colours for packs that are for evaluation only."""
    write_text(folder / f"{_COLOURS_TRIAL_POLICY}.toml", _TEXT)


@dataclass(frozen=True, slots=True)
class TrustedImage:
    """The bytes of a trusted image.

    Attributes:
        data: A record, or the upload as it was if it is no bare picture or cannot be converted.
        notes: One sentence for each change by the conversion; empty without a conversion.
    """

    data: bytes
    notes: tuple[str, ...] = ()


def as_record(upload: bytes, pack: Pack) -> TrustedImage:
    """Convert a bare picture into an ISO/IEC 19794-5:2011 record with the places of the eyes.

    Records and DG2 stay as they are, and so does what cannot be converted: the server then states why it
    refuses it. Slow: do not call it in the event loop.
    """
    wishes = Wishes(
        form=TargetFormat.ISO_2011,
        quality=_QUALITY,
        captured=datetime.now(UTC),
        find_eyes=eye_finder(pack),
    )
    try:
        content = open_trusted_image(upload, representations=Representations.FIRST, max_bytes=MOST_BYTES)
        if content.record is not None or content.dg2 is not None:
            return TrustedImage(upload)
        converted = convert(content, wishes, decode=decode_picture)
    except (ConversionImpossible, MatcherError, VisionError):
        return TrustedImage(upload)
    return TrustedImage(converted.data, converted.notes)


def accepted_document(
    report: verification_service_pb2.PortraitReport, image: TrustedImage, *, key: str
) -> dict[str, Any]:
    """Return the server's findings on an accepted portrait as a JSON object."""
    return {
        "portrait": key,
        "container": report.container,
        "width": report.width,
        "height": report.height,
        "eye_distance": report.eye_distance_px,
        "met": sum(one.HasField("passed") and one.passed for one in report.requirements),
        "assessed": sum(one.HasField("passed") for one in report.requirements),
        "findings": [
            {
                "code": one.code,
                "measured": measured_words(one),
                "required": one.required,
                "remedy": remedy_for(one.code, one.measured),
            }
            for one in report.requirements
            if one.HasField("passed") and not one.passed
        ],
        "notes": [*image.notes, *(f"{note}." for note in report.notes)],
    }


def refused_document(refusal: ServerError) -> dict[str, Any]:
    """Return the refusal of a portrait as a JSON object, with its remedy."""
    message = refusal.message.rstrip(".")
    code, measured = (refusal.metadata.get(name, "") for name in ("requirement", "measured"))
    return {
        "reason": refusal.reason or refusal.code,
        "message": f"{message[:1].upper()}{message[1:]}.",
        "remedy": remedy_for(code, measured) or refusal_advice(refusal.reason),
        "details": dict(sorted(refusal.metadata.items())),
    }


class Unknown(Exception):
    """The page names a portrait, a mode or a check that does not exist."""


def verdict_document(
    response: verification_service_pb2.FinishCheckResponse,
    *,
    thresholds: tuple[float, float],
    verified: bool,
    upload_seconds: float,
    finish_seconds: float,
) -> dict[str, Any]:
    """Return a result for the page: the outcome in words, the explanation as HTML, and the result itself.

    Args:
        thresholds: Those of `lab.explanation.judgement`.
        verified: Whether the result's signature verifies with the server's published keys.
    """
    result = response.result
    scan = (
        f"{seconds_between(result.attempts[0].start_time, result.decide_time):.1f} s"
        if result.attempts
        else "no frame came"
    )
    facts = [
        ("Upload of the portrait", f"{upload_seconds:.2f} s"),
        ("From the first frame to the verdict", scan),
        ("Result, with signature", f"{finish_seconds:.2f} s"),
        *proof(result, verified=verified),
    ]
    explanation = Explanation(
        key="verdict",
        title="Verdict",
        outcome=("", ""),
        pictures=Group(figures=[*_pictures(response)], kind="faces"),
        reasons=[("because", text) for text in because(result)],
        judgements=[judgement(result, thresholds)],
        groups=[
            Group(
                title="The colours on your face",
                figures=colours_figures(said_columns(result.liveness.challenge_steps)),
                kind="one",
            ),
            Group(title="The scan and its proof", facts=facts),
            device_tests(result.device),
        ],
    )
    success = result.status == result_pb2.CHECK_STATUS_SUCCESS
    names = enum_words(result, "reasons")
    return {
        "status": enum_word(result, "status"),
        "reasons": names,
        "sentences": [SUCCESS] if success else [*map(reason_sentence, names)],
        "sandbox": result.sandbox,
        "explained": render("explained.html", one=explanation),
        "result_json": message_json(result),
        "result_jws": response.result_jws,
    }


def _pictures(response: verification_service_pb2.FinishCheckResponse) -> Iterator[Figure]:
    if response.HasField("evidence_frame"):
        yield _figure(response.evidence_frame, "Evidence frame")
    else:
        yield Figure(caption="", instead="No face was captured, so there is no evidence frame.")
    for number, image in enumerate(response.audit_images, start=1):
        yield _figure(image, f"Audit image {number}")


def _figure(image: result_pb2.EvidenceImage, name: str) -> Figure:
    turned = f"turn-{DEGREES.get(image.rotation, 0)}{' mirrored' * image.mirrored}"
    uri = data_uri(image.image, media_type=image.media_type or "image/jpeg")
    return Figure(caption=name, images=[(uri, name)], kind=turned)


class PersonChecks:
    """The checks of the page. Portraits stay in this process, and checks at the server."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        *,
        keys: KeySet,
        pack: Pack,
        modes: Sequence[TrialMode],
        thresholds: tuple[float, float],
        sandbox: bool,
    ) -> None:
        """Make checks at one server, whose published keys are ``keys``."""
        self._orchestrator = orchestrator
        self._keys = keys
        self._pack = pack
        self._modes: Mapping[str, TrialMode] = {mode.key: mode for mode in modes}
        self._thresholds = thresholds
        self._sandbox = sandbox
        self._portraits: dict[str, TrustedImage] = {}
        # How long the upload of each check of this page took, seconds.
        self._checks: dict[str, float] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._given_up: asyncio.TimerHandle | None = None

    async def idle(self) -> None:
        """Wait while a person scans."""
        await self._idle.wait()

    async def examine(self, upload: bytes) -> dict[str, Any]:
        """Examine a portrait by a check that is cancelled, and remembers it for others."""
        image = await asyncio.to_thread(as_record, upload, self._pack)
        created = await self._create(image, next(iter(self._modes.values())))
        await self._orchestrator.cancel_check(created.check_id)
        key = secrets.token_urlsafe(12)
        self._portraits[key] = image
        while len(self._portraits) > _MOST_PORTRAITS:
            self._portraits.pop(next(iter(self._portraits)))
        return accepted_document(created.portrait, image, key=key)

    async def create(self, portrait: str, mode: str) -> dict[str, Any]:
        """Create a check, and return it and the ticket of its scan for the page."""
        image, chosen = self._portraits.get(portrait), self._modes.get(mode)
        if image is None or chosen is None:
            raise Unknown("there is no such portrait or mode")
        began = time.monotonic()
        created = await self._create(image, chosen)
        self._checks[created.check_id] = time.monotonic() - began
        self._begin()
        return {
            "check": created.check_id,
            "ticket": {
                "token": created.scan_token,
                "challengeKeySha256": base64.b64encode(created.challenge_key_sha256).decode(),
            },
        }

    async def finish(self, check_id: str) -> dict[str, Any]:
        """Close a check, and returns its result for the page."""
        upload_seconds = self._checks.get(check_id)
        if upload_seconds is None:
            raise Unknown("there is no such check")
        began = time.monotonic()
        response = await self._orchestrator.finish_check(
            check_id, audit_image_limit=_AUDIT_IMAGES, wait_s=_WAIT_SECONDS
        )
        self._idle.set()
        return verdict_document(
            response,
            thresholds=self._thresholds,
            verified=is_verified(response, self._keys, check_id, sandbox=self._sandbox),
            upload_seconds=upload_seconds,
            finish_seconds=time.monotonic() - began,
        )

    def _begin(self) -> None:
        """Count as scanning until a result is asked for, but not for long: the person may have left."""
        if self._given_up is not None:
            self._given_up.cancel()
        self._idle.clear()
        self._given_up = asyncio.get_running_loop().call_later(_SCAN_SECONDS, self._idle.set)

    async def _create(
        self, image: TrustedImage, mode: TrialMode
    ) -> verification_service_pb2.UploadTrustedImageResponse:
        return await self._orchestrator.upload_trusted_image(image.data, policy=mode.policy, mode=mode.wanted)
