"""The retention schedule: which data a server keeps, where, why, how long, and what destroys them.

It is made from the settings and the policies that the server itself reads. A test compares it with the tables
of the database.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from server.access.sessions import LONGEST
from server.configuration.settings import Settings
from server.domain.terms import PortraitKept
from server.policies import Policy
from server.policies.schema import ConsentReference
from server.storage.approvals import APPROVAL_VALID
from server.storage.devices import ENROLMENT

_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_YEAR: Final = 365 * 86_400

_JUDGE: Final = (
    "To compare the person in front of the camera with the trusted image, and to tell a living person."
)
_PROVE: Final = "To show later how the decision came about, and who was there."
_DECISION: Final = "The decision overwrites it, in its transaction."
_RETENTION: Final = "Retention."
_FORGOTTEN: Final = "Of one person also at once, by `facegate checks erase`."
_WITH_CHECK: Final = f"Retention. {_FORGOTTEN}"
_EACH_MINUTE: Final = "Every server, each minute."
_HELD: Final = "Keeps it, until the last hold is released."
_NOT_HELD: Final = "None."
_NOT_KEPT: Final = "not kept"


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


def _of_check(policy: Policy, settings: Settings) -> Iterator[ScheduledDatum]:
    """Yield the data of the checks of a policy, in the order in which they arise."""
    retention, deadlines = policy.retention, policy.deadlines
    with_record = _kept(retention.evidence_seconds, policy)
    with_images = with_record
    if retention.images_seconds is not None:
        with_images = _kept(retention.images_seconds, policy)

    def retained(
        name: str,
        *places: str,
        purpose: str,
        kept: bool = True,
        biometric: bool = False,
        times: tuple[str, int] = with_record,
        destroyed_by: str = _RETENTION,
        hold: str = _HELD,
    ) -> ScheduledDatum:
        words, seconds = times
        return ScheduledDatum(
            name=name,
            places=places,
            biometric=biometric,
            purpose=purpose,
            kept=words if kept else _NOT_KEPT,
            seconds=seconds if kept else 0,
            destroyed_by=destroyed_by if kept else "-",
            hold=hold if kept else _NOT_HELD,
        )

    def image(name: str, *places: str, kept: bool = True) -> ScheduledDatum:
        return retained(
            name,
            *places,
            purpose=_PROVE,
            kept=kept,
            biometric=True,
            times=with_images,
            destroyed_by=f"Its key first, then the object. {_RETENTION}",
        )

    def enrolled() -> Iterator[ScheduledDatum]:
        if (rules := policy.enrolment) is not None:
            yield retained(
                "Evidence frame of a SUCCESS, as the trusted image of later checks",
                "object store, sealed",
                "evidence",
                purpose="To compare the same person in later checks, by consent.",
                biometric=True,
                times=_kept(rules.retention_seconds, policy),
                destroyed_by=f"Its key first, then the object. {_WITH_CHECK}",
            )

    def not_retained(
        name: str, place: str, *, purpose: str, kept: str, destroyed_by: str, biometric: bool = True
    ) -> ScheduledDatum:
        return ScheduledDatum(
            name=name,
            places=(place,),
            biometric=biometric,
            purpose=purpose,
            kept=kept,
            seconds=0,
            destroyed_by=destroyed_by,
        )

    until_decision = partial(
        not_retained,
        kept=f"until the decision, at the latest {span(deadlines.scan_seconds)} after the upload",
        destroyed_by=f"{_DECISION} A check that nobody scans is decided by its deadline.",
    )

    uploaded = "Trusted image as uploaded"
    if retention.portrait is PortraitKept.BYTES:
        yield image(uploaded, "memory", "object store, sealed", "evidence")
    else:
        yield not_retained(
            uploaded,
            "memory",
            purpose="To make its template.",
            kept="the call of UploadTrustedImage",
            destroyed_by="The end of the call.",
        )
    yield until_decision(
        "Template of the trusted image, with its aligned face of 96 x 120 grey pixels",
        "checks, sealed",
        purpose=_JUDGE,
    )
    yield until_decision(
        "Measurements of the trusted image: its size, and whether it meets the requirements",
        "checks",
        purpose="To answer a repeated UploadTrustedImage.",
        biometric=False,
    )
    yield until_decision(
        "Public key of the scan, which the device makes for it, and its SHA-256",
        "checks",
        purpose="To let only the same device go on with the scan.",
        biometric=False,
    )
    yield not_retained(
        "Frames of the scan, and templates made of them",
        "memory",
        purpose=_JUDGE,
        kept=f"the attempt, at most {span(deadlines.attempt_seconds)} and the time to judge it",
        destroyed_by="The end of the attempt.",
    )
    audit = f" and at most {retention.audit_images} audit images" if retention.audit_images else ""
    yield image(f"Evidence frame{audit}", "object store, sealed", "evidence", kept=retention.biometrics)
    yield from enrolled()
    yield retained(
        "Keyed hashes of frames, of what they show, and the movement of each attempt",
        "scan_marks",
        "scan_memories, sealed",
        purpose="To recognise a recording that is sent again.",
        kept=retention.biometrics and retention.evidence_seconds > 0,
        biometric=True,
        destroyed_by=f"{_WITH_CHECK} The oldest go earlier where a tenant has more than "
        f"{settings.device_integrity.remembered_scans:,} scans.",
        hold="Keeps it with its check, but not against that number.",
    )
    yield retained(
        "Result: status, reasons, scores, device tests, signature",
        "evidence_records, sealed",
        "status, reasons and words of the index: checks, record_terms",
        purpose="The decision and its reasons.",
    )
    yield retained(
        "SHA-256 of the trusted image",
        "checks until the decision",
        "evidence_records, sealed",
        purpose="To show later which image was compared.",
        kept=retention.portrait is not PortraitKept.NONE,
    )
    yield retained(
        "SHA-256 of the upload that named a request_id, with its image and references",
        "requests",
        purpose="To tell a repeated upload from another one with its request_id.",
    )
    yield retained(
        "SHA-256 of each frame",
        "attempts until the decision",
        "evidence_records, sealed",
        purpose="To show later which frames were judged.",
        kept=retention.biometrics,
    )
    yield retained(
        "Subject and consent reference, and keyed hashes of them",
        "checks until the decision",
        "evidence_records, sealed",
        "record_terms",
        purpose="To find a check, and to attribute it.",
    )
    yield retained(
        "Attempts: times, numbers of frames, hints",
        "attempts",
        purpose="To limit attempts, and to list them.",
    )
    yield retained(
        "Keyed hashes of the device's keys; findings on its evidence",
        "device_key_uses",
        "device_evidence",
        purpose="To recognise a device after an attack; to go on after a lost connection.",
        destroyed_by=_WITH_CHECK,
    )
    yield retained(
        "Return address of a hosted scan; hashes of the secrets of the browsers that opened it",
        "hosted_scans",
        purpose="To let only those browsers scan, and to lead the person back.",
        destroyed_by=_WITH_CHECK,
    )
    yield retained(
        "Review by people: causes, names of reviewers, their decisions and words",
        "reviews",
        purpose="To decide about checks that the machine should not decide alone.",
        kept=policy.review is not None,
    )
    yield ScheduledDatum(
        name="What stays of an erased check: identifier, tenant, times, policy, status",
        places=("checks", "requests"),
        purpose="To prove the erasure, and to answer a repeated request.",
        kept="for ever; it names no person",
        destroyed_by="Nothing.",
    )


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
