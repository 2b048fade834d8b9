"""Writes docs/reference/timers.md: every time limit that an integrator meets.

Defaults come from the schemas of policies and settings, the other values from the code's constants.
"""

import json
from dataclasses import fields
from functools import cache
from importlib import import_module
from typing import Any, Final, TypeAlias

from docs.make_reference import REFERENCE, reference_fields
from server.access.sessions import IDLE, LONGEST, STEP_UP
from server.configuration.settings import Settings
from server.policies.schema import Policy

PAGE: Final = REFERENCE / "timers.md"

_Row: TypeAlias = tuple[str, str, str, str]
"""What is limited; the value, with the field that sets it; from when; the effect."""

_INTRODUCTION: Final = """\
# Timers

Every time limit that an integrator meets; those of the server alone are [settings](settings.md). A field
after a value sets it, in the [policy](policies.md) or in the settings; the value is its default.

`make reference` writes this page from the code; do not edit it by hand.
"""
_CALLS: Final = """
If all places are taken, a call other than `WatchCheck` first waits for its turn, within the server's limit
and before the upload of a video; then it is refused with `OVERLOADED`
([how tenants share](../operating.md#how-tenants-share)).
"""
_UNITS: Final = ((86_400, "days"), (3_600, "h"), (60, "min"))


@cache
def _defaults(model: type[Policy] | type[Settings]) -> dict[str, float]:
    """The defaults of the numeric fields of a schema, by dotted name."""
    found = {}
    for field in reference_fields(model):
        value = None if field.default is None else json.loads(field.default)
        if isinstance(value, int | float):
            found[f"{field.table}.{field.name}".removeprefix(".")] = float(value)
    return found


def _seconds(value: float) -> str:
    """A duration in the largest unit of which it is at least twice a whole number."""
    for size, unit in _UNITS:
        if value >= 2 * size and value % size == 0:
            return f"{value / size:g} {unit}"
    return f"{value:g} s"


def _policy(name: str, unit: float = 1.0) -> str:
    return f"{_seconds(_defaults(Policy)[name] * unit)}, policy `{name}`"


def _setting(name: str, unit: float = 1.0) -> str:
    return f"{_seconds(_defaults(Settings)[name] * unit)}, setting `{name}`"


def _number(module: str, name: str) -> float:
    """A constant of a module, a part of one, or the default of a field of a dataclass (``Class.field``)."""
    base, _, part = name.partition(".")
    value: Any = getattr(import_module(module), base)
    if isinstance(value, type):
        (value,) = (each.default for each in fields(value) if each.name == part)
    elif part:
        value = getattr(value, part)
    return float(value)


def _constant(module: str, name: str, unit: float = 1.0) -> str:
    return _seconds(_number(module, name) * unit)


def _check() -> list[_Row]:
    return [
        (
            "scan deadline",
            _policy("deadlines.scan_seconds"),
            "upload",
            "Goodbye `DEADLINE`, `TOKEN_EXPIRED`; the check is decided with what was received",
        ),
        ("result deadline", _policy("deadlines.result_seconds"), "upload", "`RESULT_EXPIRED`"),
        (
            "resumption",
            _policy("deadlines.resume_seconds"),
            "a lost connection",
            "`FinishCheck` no longer answers `SCAN_IN_PROGRESS` and may close the check; the device may "
            "resume until it does, or until the scan deadline",
        ),
        ("retention", _policy("retention.evidence_seconds"), "decision", "result and evidence are erased"),
        (
            "retention of images",
            "as retention, policy `retention.images_seconds`",
            "decision",
            "the images are erased, the record stays; not before the result deadline",
        ),
        (
            "[review](../console.md#review) by people",
            _policy("review.deadline_hours", 3600),
            "decision",
            "it is `EXPIRED`, and the result stands; earlier if the images are erased",
        ),
        (
            "claim of a review",
            _policy("review.claim_minutes", 60),
            "`ClaimReview`",
            "others may claim it; `REVIEW_NOT_CLAIMED`",
        ),
        (
            "attempt to deliver an event of [webhooks](../webhooks.md)",
            _constant("server.running.webhooks", "_SECONDS"),
            "",
            "it is tried again after 5 s, 5 min, 30 min, and 2, 5, 10, 14, 20 and 24 h; then it is dead",
        ),
    ]


def _stream() -> list[_Row]:
    gesture = _number("attempt.last_requests", "GESTURE_SECONDS")
    clock = gesture + _number("attempt.last_requests", "_NETWORK_SECONDS")
    delay = _constant("attempt.last_requests", "_MOST_DELAY_SECONDS")
    unrest = _constant("attempt.last_requests", "_MOST_UNREST_SECONDS")
    apart = _number("server.policies.schema", "_GESTURES_APART_SECONDS")
    pauses = round(_number("liveness.dynamic.challenge.flash", "_MOST_PAUSES"))
    return [
        (
            "start",
            _constant("server.edge.device_servicer", "_START_SECONDS"),
            "the stream opens",
            "`STREAM_IDLE`; `OVERLOADED` sooner if other streams wait too",
        ),
        ("resume proof", _policy("deadlines.idle_seconds"), "Challenge", "`RESUME_PROOF_INVALID`"),
        ("silence in an attempt", _policy("deadlines.idle_seconds"), "the last message", "`STREAM_IDLE`"),
        ("attempt", _policy("deadlines.attempt_seconds"), "AttemptStart", "`CaptureComplete`"),
        (
            "end of an attempt",
            _constant("server.running.assembly", "Tuning.end_seconds"),
            "CaptureComplete",
            "`STREAM_IDLE`",
        ),
        (
            "readiness",
            f"{_policy('deadlines.ready_seconds')}; never later than the scan deadline",
            "ScanResult with `another_attempt`, of devices with `CAPABILITY_READY`",
            "`STREAM_IDLE`; the device resumes when the person is ready",
        ),
        (
            "attestation grace",
            _policy("deadlines.attestation_grace_seconds"),
            "the last AttemptEnd",
            "judged without the evidence",
        ),
        (
            "an action of the flash (blink, turn)",
            _constant("liveness.dynamic.policy", "DynamicPolicy.blink_patience_seconds"),
            "the request",
            "the attempt ends without it",
        ),
        (
            "each gesture (an open mouth, a turn to a side)",
            f"{_seconds(gesture)} of capture time, {_seconds(clock)} by the server's clock",
            f"its request, up to {delay} after the rest of an attempt; for a turn up to {unrest} more until "
            f"the head is at rest. The longest attempt is longer by {_seconds(gesture)} for one gesture and "
            f"{_seconds(2 * gesture + apart)} for two",
            "the attempt ends without it",
        ),
        (
            "an oval of the movement challenge",
            _constant("liveness.dynamic.movement.challenge", "_PATIENCE_SECONDS"),
            "the end of its transition",
            "`ACTION_NOT_PERFORMED`",
        ),
        (
            "a pause of the flash",
            f"at least {_constant('liveness.dynamic.challenge.flash', '_PAUSE_SECONDS')}",
            "`CapturePause`, because the face left the oval",
            f"the capture continues once the face is back; after {pauses} pauses it ends (`CaptureComplete`)",
        ),
        (
            "frames after a pause",
            _constant("liveness.dynamic.challenge.flash", "_UNSEEN_SECONDS"),
            "the pause ends",
            f"without a frame it pauses again, and that counts as one of the {pauses}",
        ),
        (
            "a device that does not read",
            _constant("server.edge.device_servicer", "WRITE_SECONDS"),
            "the server's message",
            "`STREAM_IDLE`; the result of a newer stream of the same scan waits as long",
        ),
        (
            "shutdown",
            _setting("drain_seconds"),
            "SIGTERM",
            "running scans are cut off; their devices resume elsewhere",
        ),
        (
            "reconnect after a fault",
            _constant("server.scan.session", "_FAULT_RECONNECT_SECONDS"),
            "Goodbye `SERVER_FAULT`, in its `reconnect_after`",
            "the device reconnects and resumes; the attempt was not counted",
        ),
        (
            "reconnect at a shutdown",
            _constant("server.scan.session", "_RECONNECT_SECONDS"),
            "Goodbye `DRAINING`, in its `reconnect_after`",
            "the device reconnects and resumes, on another replica",
        ),
    ]


def _calls() -> list[_Row]:
    cache_control: str = import_module("server.running.admin")._JWKS_CACHE
    call = _constant("server.edge.service_servicer", "_MAX_SECONDS")
    finish = f"server {call}, client {_constant('facegate_client.orchestrator', '_CALL_SECONDS')}"
    busy = _constant("server.domain.tries", "BUSY_SECONDS")
    most = _defaults(Settings)["limits.failures.maximum"]
    return [
        (
            "`UploadTrustedImage`",
            f"server {call}, client {_constant('facegate_client.orchestrator', '_UPLOAD_SECONDS')}",
            "the call",
            "repeat it with the same `request_id`",
        ),
        (
            "`FinishCheck`, `GetCheck`, `FindChecks`, `CancelCheck`",
            finish,
            "the call",
            "repeat it at any time",
        ),
        ("`WatchCheck`", "the scan deadline", "the upload", "repeat it after UNAVAILABLE"),
        (
            "`AnalyzeImage`",
            f"server {_constant('server.edge.analysis_servicer', '_IMAGE_SECONDS')}, "
            f"client {_constant('facegate_client.analysis', '_IMAGE_SECONDS')}",
            "the call",
            "repeat it at any time",
        ),
        (
            "`AnalyzeVideo`",
            f"server {_constant('server.edge.analysis_servicer', 'UPLOAD_SECONDS')} for the upload, then "
            f"{_constant('server.running.workers', '_VIDEO_LIMITS.wall_seconds')}; "
            f"client {_constant('facegate_client.analysis', '_VIDEO_SECONDS')}",
            "the call",
            "repeat it at any time",
        ),
        (
            "wait for a place",
            _constant("server.running.capacity", "WAIT_SECONDS"),
            "the call",
            "`OVERLOADED`",
        ),
        (
            "cache of the JWK Set",
            _seconds(float(cache_control.rpartition("=")[2])),
            "the answer",
            "fetch the keys again after it, and at once if a `kid` is unknown",
        ),
        (
            "expiry of credentials",
            "`exp` of an access token, `expires` of an API key",
            "",
            "`UNAUTHENTICATED`; streams end",
        ),
        (
            "session of the [console](../console.md)",
            f"{_seconds(IDLE.total_seconds())}; {_seconds(LONGEST.total_seconds())}",
            "its last call; the log-in",
            "`UNAUTHENTICATED`: log in again",
        ),
        (
            "exports and erasures in the console",
            _seconds(STEP_UP.total_seconds()),
            "the log-in",
            "`STEP_UP_REQUIRED`: log in again",
        ),
        (
            "keys of an [OIDC issuer](../console.md#keys-of-the-issuer)",
            _constant("server.access.signing_keys", "FRESH_SECONDS"),
            "their fetch",
            "fetched again by the next call; for an unknown `kid` at most once in "
            f"{_constant('server.access.signing_keys', 'RETRY_SECONDS')}; while the issuer is away the last "
            f"ones work for {_constant('server.access.signing_keys', 'KEPT_SECONDS')}",
        ),
        (
            "`CancelCheck`, and `FinishCheck` with `close_now`",
            _constant("server.checks.completion", "_PATIENCE_SECONDS"),
            "the call, while a scan runs",
            "the stream's replica closes the check with the frames that it received; after this time the "
            "call itself does",
        ),
        (
            "`RetryInfo` of `SCAN_IN_PROGRESS`",
            f"{_number('server.checks.completion', '_LEAST_RETRY_SECONDS'):g} to "
            f"{_constant('server.checks.completion', '_RETRY_SECONDS')}",
            "",
            "call again: the scan may be over, or no longer be resumable",
        ),
        (
            "`RetryInfo` of a storage fault (`NOT_SERVING`)",
            _constant("server.edge.status", "_RETRY_SECONDS"),
            "",
            "call again, with the same `request_id` if the call has one",
        ),
        (
            "`RetryInfo` of `TOO_MANY_FAILURES`",
            f"{busy} while {most:g} checks of one subject, portrait or device are being scanned; else until "
            "the lock or block ends",
            "",
            "the check stays open; call or reconnect then",
        ),
    ]


def _failures() -> list[_Row]:
    settings = _defaults(Settings)
    lock, block = (settings[f"limits.failures.{name}"] for name in ("maximum", "block_maximum"))
    return [
        (
            "window",
            _setting("limits.failures.window_seconds"),
            "",
            f"{lock:g} failures within it bring a lock",
        ),
        (
            "lock",
            _setting("limits.failures.lock_seconds"),
            "",
            "uploads and scans are refused with `TOO_MANY_FAILURES`",
        ),
        (
            "window of a block, and the block",
            _setting("limits.failures.block_seconds"),
            "",
            f"{block:g} failures within it, at any distance from each other, bring a block",
        ),
        ("memory", _setting("limits.failures.remember_days", 86_400), "", "failures are erased"),
    ]


def _device() -> list[_Row]:
    policy = "facegate_client.scan_stream"
    first, cap = (_number(policy, f"ReconnectPolicy.{name}") for name in ("initial_s", "cap_s"))
    return [
        (
            "connect",
            _constant("facegate_client.channel", "_CONNECT_MS", 0.001),
            "",
            "one attempt to connect, including TLS",
        ),
        (
            "Challenge",
            _constant("facegate_client.device", "ScanSettings.handshake_timeout_s"),
            "ScanStart",
            "the connection counts as lost",
        ),
        (
            "back-off",
            f"{_seconds(first)}, doubling to {_seconds(cap)}, times a random factor of 0.5 to 1",
            "a lost connection",
            "reconnect; never less than `RetryInfo` or `reconnect_after`; starts again after a ScanResult",
        ),
        (
            "reconnects",
            f"{_number(policy, 'ReconnectPolicy.limit'):g}",
            "in a scan",
            "the policy may allow fewer (`attempts.reconnects`)",
        ),
        (
            "shortest hold of a colour",
            _constant("facegate_client.flash_screen", "SHORTEST_HOLD_S"),
            "",
            "whatever hold the server requests",
        ),
    ]


def timers_page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    sections = (
        ("A check", _check(), ""),
        ("A stream", _stream(), ""),
        ("Calls", _calls(), _CALLS),
        (
            "Failed checks",
            _failures(),
            "\nOf one subject, portrait or device ([orchestrator.md](../orchestrator.md#too-many-failures)). "
            "Sandbox checks\nhave separate values.\n",
        ),
        ("On the device", _device(), ""),
    )
    for title, rows, below in sections:
        parts.append(f"\n## {title}\n\n| Timer | Value | From | Effect |\n| --- | --- | --- | --- |\n")
        parts += [f"| {' | '.join(row)} |\n" for row in rows]
        parts.append(below)
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(timers_page(), encoding="utf-8")
