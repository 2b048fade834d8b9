"""Shows results as tables on the terminal, and saves them as files."""

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC
from pathlib import Path
from typing import TypeVar, cast

import typer
from facegate.v1 import result_pb2, scan_pb2, verification_service_pb2
from google.protobuf import json_format
from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.shown import counted, facts_table, list_table, say, wide_console
from matcher import similarity_in_words

_Message = TypeVar("_Message", bound=Message)

_SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png"}
DEGREES = {scan_pb2.ROTATION_90: 90, scan_pb2.ROTATION_180: 180, scan_pb2.ROTATION_270: 270}
"""By how many degrees an image is to be turned clockwise."""


def message_json(message: Message, *, indent: int | None = 2) -> str:
    """Return a message as JSON with the names of the proto file. Bytes are base64."""
    return json_format.MessageToJson(message, preserving_proto_field_name=True, indent=indent)


def print_messages(
    found: Sequence[_Message], *, as_json: bool, table: Callable[[Sequence[_Message]], Table], nothing: str
) -> None:
    """Print messages as JSON Lines or as a table; without any, say so on standard error."""
    if as_json:
        for message in found:
            typer.echo(message_json(message, indent=None))
    elif found:
        wide_console().print(table(found))
    else:
        say(nothing, err=True)


def time_words(stamp: Timestamp) -> str:
    """Return a time in UTC for people."""
    return stamp.ToDatetime(UTC).strftime("%Y-%m-%d %H:%M:%S")


def save_verdict(response: verification_service_pb2.FinishCheckResponse, folder: Path) -> tuple[str, ...]:
    """Write ``<check>-evidence``, ``-audit-N``, ``.json`` and ``.jws`` files.

    Returns:
        The images, the evidence frame first, each with how to turn it upright, and then the other files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The identifier comes from the network and becomes part of a path.
    check_id = str(uuid.UUID(response.result.check_id))
    pictures = []
    if response.HasField("evidence_frame"):
        pictures.append(_save(response.evidence_frame, folder / f"{check_id}-evidence"))
    for number, picture in enumerate(response.audit_images, start=1):
        pictures.append(_save(picture, folder / f"{check_id}-audit-{number}"))
    texts = {".json": message_json(response.result), ".jws": response.result_jws}
    files = []
    for suffix, text in texts.items():
        if text:
            files.append(folder / f"{check_id}{suffix}")
            files[-1].write_text(text + "\n", encoding="utf-8")
    return (*pictures, *map(str, files))


def _save(picture: result_pb2.EvidenceImage, stem: Path) -> str:
    path = stem.with_name(stem.name + _SUFFIXES.get(picture.media_type, ".bin"))
    path.write_bytes(picture.image)
    degrees = DEGREES.get(picture.rotation, 0)
    turns = f", to be rotated {degrees} degrees clockwise" if degrees else ""
    mirrored = ", mirrored" if picture.mirrored else ""
    return f"{path}{turns}{mirrored}"


_PASSED = {True: Text("yes", "green"), False: Text("no", "red"), None: Text("-", "dim")}
_NEUTRAL = Text("neutral", "dim")
_BEFORE_CAPITAL = re.compile("(?<=[a-z])(?=[A-Z])")
_NEUTRAL_SCORE = 0.5
"""The score of a signal that counts neither for nor against life."""
_MOST_EXPLANATIONS = 3
_STATUS_STYLES = {
    result_pb2.CHECK_STATUS_SUCCESS: "bold green",
    result_pb2.CHECK_STATUS_NOT_DECIDED: "bold yellow",
}
_UNATTESTED = frozenset({result_pb2.DEVICE_ASSURANCE_NONE, result_pb2.DEVICE_ASSURANCE_LOW})
_VERDICT_STYLES = {
    result_pb2.LIVENESS_VERDICT_LIVE: "green",
    result_pb2.LIVENESS_VERDICT_SPOOF: "red",
    result_pb2.LIVENESS_VERDICT_INCONCLUSIVE: "yellow",
}


def code_word(kind: EnumDescriptor, number: int) -> str:
    """Return the name of an enum's value without its prefix; the number if this version does not know it."""
    value = kind.values_by_number.get(number)
    prefix = f"{_BEFORE_CAPITAL.sub('_', kind.name).upper()}_"
    return str(number) if value is None else value.name.removeprefix(prefix)


def enum_words(message: Message, field: str) -> tuple[str, ...]:
    """Return the names of the values of a repeated enum field; see ``code_word``."""
    return tuple(code_word(_kind_of(message, field), number) for number in getattr(message, field))


def enum_word(message: Message, field: str) -> str:
    """Return the name of the value of an enum field; see ``code_word``."""
    return code_word(_kind_of(message, field), getattr(message, field))


def _kind_of(message: Message, field: str) -> EnumDescriptor:
    return cast("EnumDescriptor", message.DESCRIPTOR.fields_by_name[field].enum_type)


def warning_rows(result: result_pb2.CheckResult) -> Iterator[tuple[str, Text]]:
    """Yield the decisive device tests that were tolerated, failed or not, and the end of its SDK."""
    device = result.device
    if names := ", ".join(device.tolerated_checks):
        by = " or the sandbox" if result.sandbox else ""
        yield "waivers", Text(f"Waived by the policy{by}: {names}", "yellow")
    if until := device.sdk_supported_until:
        yield "SDK", Text(f"{device.sdk_version} is supported until {until}; update the app", "yellow")


def policy_words(policy: result_pb2.PolicyReference) -> str:
    """Return the name and the version of a policy, and its object identifier if it has one."""
    return f"{policy.name} version {policy.version}{policy.oid and f', OID {policy.oid}'}"


def verdict_view(result: result_pb2.CheckResult, *, signature: str, more: str = "") -> Group:
    """Return a result as tables.

    Args:
        signature: The state of its signature, such as "verified" or "not checked".
        more: The option that lists every signal and device test, for a view that fits one screen; all of
            them are listed without.
    """
    summary = facts_table(_summary_rows(result, signature, short=bool(more)), title="Verdict")
    if more:
        signals, tests = len(result.liveness.signals), len(result.device.checks)
        counts = f"{counted(signals, 'liveness signal')} and {counted(tests, 'device test')}"
        return Group(summary, Text(f"{more} lists {counts}.", "dim"))
    parts = [summary]
    if result.liveness.signals:
        parts.append(_signals("Liveness signals", result.liveness.signals))
    if result.device.checks:
        parts.append(_device_tests(result.device))
    if result.device.signals:
        parts.append(_signals("Device signals", result.device.signals))
    return Group(*parts)


def _summary_rows(
    result: result_pb2.CheckResult, signature: str, *, short: bool
) -> Iterator[tuple[str, str | Text]]:
    if result.sandbox:
        yield "sandbox", Text("made for tests, no statement about a person", "bold yellow")
    status = enum_word(result, "status")
    yield "status", Text(status, _STATUS_STYLES.get(result.status, "bold red"))
    if result.reasons:
        yield "reasons", Text(", ".join(enum_words(result, "reasons")), "red")
    yield "liveness", _liveness(result)
    if explanations := result.liveness.explanations[: _MOST_EXPLANATIONS if short else None]:
        yield "", "\n".join(explanations)
    if result.liveness.required_bits or result.liveness.challenge_steps:
        yield "challenge", _challenge(result.liveness)
    yield "same person", _match(result)
    yield "device", _device(result.device)
    failed = [one for one in result.device.checks if one.outcome == result_pb2.DeviceCheck.OUTCOME_FAIL]
    if short and failed:
        # Each name once: the evidence of every stream was tested.
        yield "", Text(f"failed tests: {', '.join(dict.fromkeys(one.name for one in failed))}", "yellow")
    decided = next((one.detail for one in failed if one.decisive and not one.tolerated), "")
    if short and decided:
        yield "", Text(decided, "red")
    yield from warning_rows(result)
    yield "transcript", transcript_words(result)
    if not short:
        yield "attempts", ", ".join(enum_word(one, "outcome").lower() for one in result.attempts) or "none"
    yield "policy", policy_words(result.policy)
    if not short or result.pack.evaluation_only or result.pack.missing_pad_networks:
        yield "pack", pack_words(result.pack)
    yield "signature", signature
    yield "check", result.check_id


def _liveness(result: result_pb2.CheckResult) -> Text:
    if not result.HasField("liveness"):
        return Text("not judged", "dim")
    liveness = result.liveness
    text = Text(enum_word(liveness, "verdict"), _VERDICT_STYLES.get(liveness.verdict, ""))
    mode = enum_word(liveness, "used_mode")
    text.append(f", confidence {liveness.confidence:.1f} of 100, mode {mode}", "default")
    if liveness.attack_type_confidence > 0 and liveness.attack_type != result_pb2.ATTACK_TYPE_REAL:
        attack = enum_word(liveness, "attack_type")
        text.append(f", looks like {attack} ({liveness.attack_type_confidence:.0f} of 100)", "default")
    return text


def _challenge(liveness: result_pb2.LivenessResult) -> Text:
    enough = liveness.verified_bits >= liveness.required_bits
    coloured = [step for step in liveness.challenge_steps if step.drawn_bits > 0]
    right = sum(step.agrees for step in coloured)
    text = Text(f"{liveness.verified_bits:.1f} bits verified", "green" if enough else "red")
    text.append(
        f" (needs {liveness.required_bits:.1f}), {right} of {len(coloured)} colours answered right",
        "default",
    )
    return text


def _match(result: result_pb2.CheckResult) -> Text:
    match = result.match
    if result.status == result_pb2.CHECK_STATUS_NOT_DECIDED:
        return Text("not judged", "dim")
    if not result.HasField("match") or not match.HasField("similarity"):
        return Text("not compared: no usable face was captured", "dim")
    text = Text("yes", "green") if match.same_person else Text("no", "red")
    text.append(
        f", similarity {match_words(result)}; needs {match.required_similarity:.1f}; "
        f"{counted(match.frames_used, 'frame')}",
        "default",
    )
    return text


def match_words(result: result_pb2.CheckResult) -> str:
    """Return what the similarity of a result with one means, in words."""
    match = result.match
    return similarity_in_words(
        match.similarity,
        scan_bound=match.scan_fmr_bound if match.HasField("scan_fmr_bound") else None,
        saturated=match.fmr_bound <= result.pack.calibration.lowest_fmr_bound,
    )


def _device(device: result_pb2.DeviceResult) -> Text:
    needed = enum_word(device, "required_assurance")
    text = Text(f"assurance {enum_word(device, 'assurance')} (needs {needed})")
    if device.assurance in _UNATTESTED:
        text.append("; not attested", "yellow")
    return text


def transcript_words(result: result_pb2.CheckResult) -> Text:
    """Return whether the transcript of a result is intact, and its numbers of frames."""
    if not result.HasField("transcript"):
        return Text("none", "dim")
    transcript = result.transcript
    broken = result_pb2.FAILURE_REASON_TRANSCRIPT_BROKEN in result.reasons
    text = Text("intact", "green") if transcript.intact else Text("broken" if broken else "not signed", "red")
    text.append(
        f", {counted(transcript.frames, 'frame')} received, {transcript.frames_examined} examined, "
        f"{transcript.dropped} dropped, {counted(transcript.streams, 'stream')}",
        "default",
    )
    return text


def pack_words(pack: result_pb2.PackReference) -> Text:
    """Return a pack, and what limits it."""
    text = Text(f"{pack.name} {pack.version}")
    if pack.evaluation_only:
        text.append(" (for evaluation only: must not decide about people)", "yellow")
    if pack.missing_pad_networks:
        text.append(f" (without the PAD networks {', '.join(pack.missing_pad_networks)})", "yellow")
    if pack.HasField("calibration"):
        word = enum_word(pack.calibration, "provenance")
        text.append(f", calibration {word.lower().replace('_', ' ')}", "default")
    return text


def _signals(title: str, signals: Iterable[result_pb2.Signal]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("signal", min_width=14)
    table.add_column("score", justify="right")
    table.add_column("weight", justify="right")
    table.add_column("passed", justify="center", min_width=7)
    table.add_column("detail", overflow="fold")
    for signal in signals:
        neutral = signal.HasField("score") and round(signal.score, 2) == _NEUTRAL_SCORE
        table.add_row(
            Text(signal.label or signal.name),
            f"{signal.score:.2f}" if signal.HasField("score") else "-",
            f"{signal.weight:.2f}",
            _NEUTRAL if neutral else _PASSED[signal.passed if signal.HasField("passed") else None],
            Text(signal.detail),
        )
    return table


def _device_tests(device: result_pb2.DeviceResult) -> Table:
    table = list_table("test", "finding", "detail", title="Device tests", box=box.HEAVY_HEAD, pad_edge=True)
    for check in device.checks:
        outcome = enum_word(check, "outcome")
        if check.decisive:
            outcome += " (tolerated)" if check.tolerated else " (decides)"
        table.add_row(Text(check.name), Text(outcome), Text(check.detail or check.reason))
    return table
