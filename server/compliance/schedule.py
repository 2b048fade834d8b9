"""The retention schedule: which data a server keeps, where, why, how long, and what destroys them.

It is made from the settings and the policies that the server itself reads. A test compares it with the tables
of the database.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, TypeAlias

from server.access.sessions import LONGEST
from server.configuration.settings import Settings
from server.domain.terms import PortraitKept
from server.policies import Policy
from server.policies.schema import ConsentReference
from server.storage.approvals import APPROVAL_VALID
from server.storage.devices import ENROLMENT

_Until: TypeAlias = Literal[
    "call", "attempt", "decision", "images", "record", "record or person", "marks", "enrolment", "ever"
]
"""Until when a datum of a check is kept; ``_ends`` has the times."""
_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_YEAR: Final = 365 * 86_400

_JUDGE: Final = (
    "To compare the person in front of the camera with the trusted image, and to tell a living person."
)
_PROVE: Final = "To show later how the decision came about, and who was there."
_KEY_FIRST: Final = "Its key first, then the object."
_RETENTION: Final = "Retention."
_FORGOTTEN: Final = "Of one person also at once, by `facegate checks erase`."
_WITH_CHECK: Final = f"Retention. {_FORGOTTEN}"
_EACH_MINUTE: Final = "Every server, each minute."
_HELD: Final = "Keeps it, until the last hold is released."
_NOT_HELD: Final = "None."


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledDatum:
    """One line of the schedule.

    Attributes:
        places: Where it is: names of tables of the database, "object store", "memory" or another place.
        biometric: Whether it is an image of a face, or made from one.
        kept: How long, in words.
        seconds: The longest time from the decision, in seconds; 0 if nothing outlives it, ``None`` if it does
            not depend on a decision.
    """

    name: str
    places: tuple[str, ...]
    biometric: bool = False
    purpose: str
    kept: str
    seconds: int | None = None
    destroyed_by: str
    hold: str = _NOT_HELD


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySchedule:
    """The schedule of the checks of one policy.

    Attributes:
        consent_required: Whether an upload is refused without a consent reference.
        biometric_kept: How long the last biometric datum is kept, in words.
        biometric_seconds: The longest time from the decision until it is destroyed.
    """

    policy: str
    version: int
    description: str
    consent_required: bool
    biometric_kept: str
    biometric_seconds: int
    data: tuple[ScheduledDatum, ...]

    @property
    def summary(self) -> str:
        """The time in which biometric data are destroyed, beside that of BIPA and CUBI."""
        if self.biometric_seconds == 0:
            return "No biometric datum outlives the decision."
        limit = ""
        for years, law in ((1, "CUBI, if the purpose ends with the decision"), (3, "BIPA")):
            if self.biometric_seconds > years * _YEAR:
                limit += f" This is longer than {span(years * _YEAR)} ({law})."
        return f"Biometric data are kept at most {self.biometric_kept}, unless a hold keeps them.{limit}"

    @property
    def consent(self) -> str:
        """Whether a consent reference is required, in words."""
        if self.consent_required:
            return "An upload without a consent reference is refused."
        return "An upload may have a consent reference; the policy does not require one."


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSchedule:
    """The schedule of a server.

    Attributes:
        others: The data that depend on no policy.
    """

    policies: tuple[PolicySchedule, ...]
    others: tuple[ScheduledDatum, ...]


def retention_schedule(settings: Settings, policies: tuple[Policy, ...]) -> RetentionSchedule:
    """Return the schedule of a server with these settings that serves these policies."""
    return RetentionSchedule(
        policies=tuple(_of_policy(policy, settings) for policy in policies), others=tuple(_others(settings))
    )


def span(seconds: int) -> str:
    """Return a time in the largest units in which it is a whole number: ``30 days``, ``90 seconds``."""
    unit, name = next((unit, name) for unit, name in _UNITS if seconds % unit == 0)
    count = seconds // unit
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def _span(time: timedelta) -> str:
    return span(int(time.total_seconds()))


def _of_policy(policy: Policy, settings: Settings) -> PolicySchedule:
    data = tuple(_of_check(policy, settings))
    last = max((datum for datum in data if datum.biometric), key=lambda datum: datum.seconds or 0)
    return PolicySchedule(
        policy=policy.name,
        version=policy.version,
        description=policy.description,
        consent_required=policy.consent is ConsentReference.REQUIRED,
        biometric_kept=last.kept,
        biometric_seconds=last.seconds or 0,
        data=data,
    )


@dataclass(frozen=True, slots=True)
class _End:
    kept: str
    seconds: int | None
    destroyed_by: str
    hold: str = _NOT_HELD


_NOTHING_KEPT: Final = _End("not kept", 0, "-")


def _always(_policy: Policy) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _Line:
    """A datum of checks: whether those of a policy have it at all, and whether it is kept of them."""

    name: str
    places: tuple[str, ...]
    purpose: str
    until: _Until
    biometric: bool = False
    there: Callable[[Policy], bool] = _always
    kept: Callable[[Policy], bool] = _always


_OF_CHECK: Final = (
    _Line(
        "Trusted image as uploaded",
        ("memory", "object store, sealed", "evidence"),
        _PROVE,
        "images",
        biometric=True,
        there=lambda policy: policy.retention.portrait is PortraitKept.BYTES,
    ),
    _Line(
        "Trusted image as uploaded",
        ("memory",),
        "To make its template.",
        "call",
        biometric=True,
        there=lambda policy: policy.retention.portrait is not PortraitKept.BYTES,
    ),
    _Line(
        "Template of the trusted image, with its aligned face of 96 x 120 grey pixels",
        ("checks, sealed",),
        _JUDGE,
        "decision",
        biometric=True,
    ),
    _Line(
        "Measurements of the trusted image: its size, and whether it meets the requirements",
        ("checks",),
        "To answer a repeated UploadTrustedImage.",
        "decision",
    ),
    _Line(
        "Public key of the scan, which the device makes for it, and its SHA-256",
        ("checks",),
        "To let only the same device go on with the scan.",
        "decision",
    ),
    _Line("Frames of the scan, and templates made of them", ("memory",), _JUDGE, "attempt", biometric=True),
    _Line(
        "Evidence frame{audit_images}",
        ("object store, sealed", "evidence"),
        _PROVE,
        "images",
        biometric=True,
        kept=lambda policy: policy.retention.biometrics,
    ),
    _Line(
        "Evidence frame of a SUCCESS, as the trusted image of later checks",
        ("object store, sealed", "evidence"),
        "To compare the same person in later checks, by consent.",
        "enrolment",
        biometric=True,
        there=lambda policy: policy.enrolment is not None,
    ),
    _Line(
        "Keyed hashes of frames, of what they show, and the movement of each attempt",
        ("scan_marks", "scan_memories, sealed"),
        "To recognise a recording that is sent again.",
        "marks",
        biometric=True,
        kept=lambda policy: policy.retention.biometrics and policy.retention.evidence_seconds > 0,
    ),
    _Line(
        "Result: status, reasons, scores, device tests, signature",
        ("evidence_records, sealed", "status, reasons and words of the index: checks, record_terms"),
        "The decision and its reasons.",
        "record",
    ),
    _Line(
        "SHA-256 of the trusted image",
        ("checks until the decision", "evidence_records, sealed"),
        "To show later which image was compared.",
        "record",
        kept=lambda policy: policy.retention.portrait is not PortraitKept.NONE,
    ),
    _Line(
        "SHA-256 of the upload that named a request_id, with its image and references",
        ("requests",),
        "To tell a repeated upload from another one with its request_id.",
        "record",
    ),
    _Line(
        "SHA-256 of each frame",
        ("attempts until the decision", "evidence_records, sealed"),
        "To show later which frames were judged.",
        "record",
        kept=lambda policy: policy.retention.biometrics,
    ),
    _Line(
        "Subject and consent reference, and keyed hashes of them",
        ("checks until the decision", "evidence_records, sealed", "record_terms"),
        "To find a check, and to attribute it.",
        "record",
    ),
    _Line(
        "Attempts: times, numbers of frames, hints",
        ("attempts",),
        "To limit attempts, and to list them.",
        "record",
    ),
    _Line(
        "Keyed hashes of the device's keys; findings on its evidence",
        ("device_key_uses", "device_evidence"),
        "To recognise a device after an attack; to go on after a lost connection.",
        "record or person",
    ),
    _Line(
        "Return address of a hosted scan; hashes of the secrets of the browsers that opened it",
        ("hosted_scans",),
        "To let only those browsers scan, and to lead the person back.",
        "record or person",
    ),
    _Line(
        "Review by people: causes, names of reviewers, their decisions and words",
        ("reviews",),
        "To decide about checks that the machine should not decide alone.",
        "record",
        kept=lambda policy: policy.review is not None,
    ),
    _Line(
        "What stays of an erased check: identifier, tenant, times, policy, status",
        ("checks", "requests"),
        "To prove the erasure, and to answer a repeated request.",
        "ever",
    ),
)
"""The data of a check, in the order in which they arise."""


def _of_check(policy: Policy, settings: Settings) -> Iterator[ScheduledDatum]:
    most, ends = policy.retention.audit_images, _ends(policy, settings)
    audit_images = f" and at most {most} audit images" if most else ""
    for line in _OF_CHECK:
        if not line.there(policy):
            continue
        end = ends[line.until] if line.kept(policy) else _NOTHING_KEPT
        yield ScheduledDatum(
            name=line.name.format(audit_images=audit_images),
            places=line.places,
            biometric=line.biometric,
            purpose=line.purpose,
            kept=end.kept,
            seconds=end.seconds,
            destroyed_by=end.destroyed_by,
            hold=end.hold,
        )


def _ends(policy: Policy, settings: Settings) -> dict[_Until, _End]:
    retention, deadlines, enrolment = policy.retention, policy.deadlines, policy.enrolment
    record = with_images = _kept(retention.evidence_seconds, policy)
    if retention.images_seconds is not None:
        with_images = _kept(retention.images_seconds, policy)
    ends: dict[_Until, _End] = {
        "call": _End("the call of UploadTrustedImage", 0, "The end of the call."),
        "attempt": _End(
            f"the attempt, at most {span(deadlines.attempt_seconds)} and the time to judge it",
            0,
            "The end of the attempt.",
        ),
        "decision": _End(
            f"until the decision, at the latest {span(deadlines.scan_seconds)} after the upload",
            0,
            "The decision overwrites it, in its transaction. A check that nobody scans is decided by its "
            "deadline.",
        ),
        "images": _End(*with_images, f"{_KEY_FIRST} {_RETENTION}", _HELD),
        "record": _End(*record, _RETENTION, _HELD),
        "record or person": _End(*record, _WITH_CHECK, _HELD),
        "marks": _End(
            *record,
            f"{_WITH_CHECK} The oldest go earlier where a tenant has more than "
            f"{settings.device_integrity.remembered_scans:,} scans.",
            "Keeps it with its check, but not against that number.",
        ),
        "ever": _End("for ever; it names no person", None, "Nothing."),
    }
    if enrolment is not None:
        enrolled = _kept(enrolment.retention_seconds, policy)
        ends["enrolment"] = _End(*enrolled, f"{_KEY_FIRST} {_WITH_CHECK}", _HELD)
    return ends


def _kept(seconds: int, policy: Policy) -> tuple[str, int]:
    """Return how long something is kept, in words, and the longest time from the decision, in seconds.

    Until the result's deadline, FinishCheck returns everything; the decision is never before the upload.
    """
    result = policy.deadlines.result_seconds
    if seconds >= result:
        return f"{span(seconds)} from the decision", seconds
    after = f", and {span(seconds)} from the decision if that is later" if seconds else ""
    return f"{span(result)} from the upload{after}", result


def _others(settings: Settings) -> Iterator[ScheduledDatum]:
    failures = settings.limits.failures
    yield ScheduledDatum(
        name="Keyed hashes of subject, trusted image and device of checks that failed or run",
        places=("check_tries",),
        purpose="To limit guessing, and to report earlier attacks.",
        kept=f"{span(failures.remember_days * 86_400)} from the decision",
        destroyed_by=f"{_EACH_MINUTE} {_FORGOTTEN}",
    )
    yield ScheduledDatum(
        name="Public keys of devices (App Attest, WebAuthn), with Apple's receipt",
        places=("enrolled_keys",),
        purpose="To recognise the same device in a later scan.",
        kept=f"{_span(ENROLMENT)} without use",
        destroyed_by=f"{_EACH_MINUTE} {_FORGOTTEN}",
    )
    yield ScheduledDatum(
        name="Hashes of used tokens",
        places=("one_time_tokens",),
        purpose="A token counts once.",
        kept="until the token would expire",
        destroyed_by=_EACH_MINUTE,
    )
    yield ScheduledDatum(
        name="Holds",
        places=("holds",),
        purpose="Legal holds on checks.",
        kept="until released",
        destroyed_by="`facegate checks hold --release`.",
    )
    yield ScheduledDatum(
        name="Requests that wait for a second person",
        places=("pending_approvals",),
        purpose="Actions that two people confirm.",
        kept=_span(APPROVAL_VALID),
        destroyed_by="The action, or every server, each minute.",
    )
    yield ScheduledDatum(
        name="Events for webhooks: identifiers, times, statuses and reasons of checks; no reference",
        places=("events",),
        purpose="To deliver them, and to deliver them again.",
        kept="until delivered, at most 4 days; then 7 days, or 30 if no endpoint took it",
        destroyed_by=_EACH_MINUTE,
    )
    yield ScheduledDatum(
        name="Sessions of the console: names and rights of callers, hashes of cookies",
        places=("console_sessions",),
        purpose="Log-ins that every replica knows.",
        kept="there is no console" if settings.listeners.console is None else f"at most {_span(LONGEST)}",
        destroyed_by="Logging out, or every server, each minute.",
    )
    yield ScheduledDatum(
        name="Audit log: names of callers, purposes, times, pseudonyms of subjects",
        places=("audit_events", "audit_heads", "audit_checkpoints", "audit_subjects", "witness"),
        purpose="To prove who read or changed what.",
        kept="for ever",
        destroyed_by="Nothing; `facegate checks erase` destroys the key of the person's pseudonym.",
    )
    yield ScheduledDatum(
        name="Policy files; the oldest server that the database admits",
        places=("policies", "schema_floor"),
        purpose="Each check is decided by the policy that was frozen into it.",
        kept="for ever; no personal data",
        destroyed_by="Nothing.",
    )
    yield ScheduledDatum(
        name="Backups, and logs of the server",
        places=("where you store them",),
        biometric=True,
        purpose="Recovery; operation. Logs have no image, template or reference.",
        kept="as you expire them: not later than what they copy, or what you promise to people",
        destroyed_by="You.",
        hold="Yours to observe.",
    )
