"""What the pages of ``demo`` and ``try`` explain of the result of a check, in words and numbers."""

from collections.abc import Iterable, Iterator
from typing import Final

from facegate.v1 import result_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from cli.shown import counted
from cli.verdict import enum_word, match_words, pack_words, policy_words, transcript_words
from facegate_protocol.texts import FAILURES
from server.pages import Group, Judgement, Measure

SUCCESS: Final = "The scan shows the right person, a living person, now."
_SIGNALS: Final = (
    "Each score goes from 0 (as an attack) to 1 (as a live person). A score in the middle is neutral: the "
    "signal counts neither for nor against life. The weight is the signal's share of the decision; signals "
    "without a weight only inform."
)
_FLASH: Final = "flash_"
_COLOURS: Final = "flash_colours"
_IDLE: Final = "It did not count, because the face answered no colour measurably."
_WITHOUT_KIND: Final = frozenset({"REAL", "UNKNOWN", "UNSPECIFIED"})
_SPEAKS: Final = 0.01
"""Least part of the decision, as weight times distance from the neutral score, that counts as speaking."""


def reason_sentence(reason: str) -> str:
    """Return what a failure reason means; its name if this version does not know it."""
    return FAILURES[reason].means if reason in FAILURES else reason


def because(result: result_pb2.CheckResult, *, demanded: tuple[str, ...] = ()) -> list[str]:
    """Return the causes: failed tests of the device that decided or whose names begin so; then the others."""
    faults = [
        f"Device: {test.detail.rstrip('.')}."
        for test in result.device.checks
        if test.outcome == result_pb2.DeviceCheck.OUTCOME_FAIL
        and (test.name.startswith(demanded) or (test.decisive and not test.tolerated))
    ]
    return [*faults, *result.liveness.explanations]


def judgement(result: result_pb2.CheckResult, thresholds: tuple[float, float]) -> Judgement:
    """Return the measurements and signals.

    Args:
        thresholds: The policy's confidences, 0..100: up to the first a scan is a spoof, from the second it
            is live.
    """
    signals = weighed_signals(result.liveness.signals)
    deciding = [one for one in signals if one.weight > 0]
    informing = [one for one in signals if one.weight <= 0]
    return Judgement(
        measures=[*_measures(result, thresholds)],
        signals_title="Signals" if signals else "",
        signals_said=_SIGNALS if signals else "",
        signals=deciding,
        more=informing,
        more_title=f"{counted(len(informing), 'signal')} without a weight" if informing else "",
    )


def weighed_signals(signals: Iterable[result_pb2.Signal]) -> list[result_pb2.Signal]:
    """Return the signals, the heaviest first, with their details as sentences.

    In the result, the assessed signals of the flash share half of the weights. But if no colour was decided,
    that alone is the finding (``liveness.dynamic.judge``), and their scores did not count. They then have the
    weight 0 here, and the weights of the others sum to 1.
    """
    shown = [result_pb2.Signal.FromString(one.SerializeToString()) for one in signals]
    for one in shown:
        one.detail = _sentence(one.detail)
    if not any(one.name == _COLOURS and one.HasField("score") for one in shown):
        idle = [one for one in shown if one.name.startswith(_FLASH) and one.weight > 0]
        for one in idle:
            one.weight, one.detail = 0.0, f"{one.detail} {_IDLE}".strip()
        if idle and (rest := sum(one.weight for one in shown)):
            for one in shown:
                one.weight /= rest
    return sorted(shown, key=lambda one: -one.weight)


def speaking(signals: Iterable[result_pb2.Signal]) -> list[result_pb2.Signal]:
    """Return the signals that speak most against life, the strongest first."""

    def against(one: result_pb2.Signal) -> float:
        return (0.5 - one.score) * one.weight if one.HasField("score") else 0.0

    return sorted((one for one in signals if against(one) > _SPEAKS), key=against, reverse=True)


def _sentence(text: str) -> str:
    text = text.rstrip(".")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _measures(result: result_pb2.CheckResult, thresholds: tuple[float, float]) -> Iterator[Measure]:
    liveness, match, (spoof, live) = result.liveness, result.match, thresholds
    if result.HasField("liveness"):
        verdict = enum_word(liveness, "verdict")
        attack = enum_word(liveness, "attack_type")
        kind = "" if attack in _WITHOUT_KIND else f" Attack type: {attack}."
        mode = enum_word(liveness, "used_mode")
        yield Measure(
            name="Liveness confidence",
            value=f"{liveness.confidence:.1f}, {verdict}",
            detail=f"SPOOF up to {spoof:g}, LIVE from {live:g}, INCONCLUSIVE between. Mode: {mode}.{kind}",
            share=liveness.confidence,
            tone={"LIVE": "good", "SPOOF": "bad"}.get(verdict, "warn"),
            spoken=f"{liveness.confidence:.0f} of 100",
            marks=((spoof, "SPOOF up to here"), (live, "LIVE from here")),
        )
    if match.HasField("similarity"):
        needed = match.required_similarity
        yield Measure(
            name="Similarity to the portrait",
            value=f"{match.similarity:.1f}",
            detail=f"{match_words(result)}. {needed:g} is needed; {match.frames_used} frames were fused.",
            share=match.similarity,
            tone="good" if match.same_person else "bad",
            spoken=f"{match.similarity:.0f} of 100, {needed:.0f} is needed",
            marks=((needed, "needed"),),
        )
    verified, required = liveness.verified_bits, liveness.required_bits
    if required > 0:
        guesses = f"{2**required:,.0f}"
        yield Measure(
            name="Verified challenge bits",
            value=f"{verified:.1f}",
            detail=f"Required: {required:g}. A blind guess reaches it once in {guesses} attempts.",
            # The gauge ends at 1.5 times the required bits.
            share=min(100.0, 100 * verified / (1.5 * required)),
            tone="good" if verified >= required else "bad",
            spoken=f"{verified:.1f} bits, {required:g} are needed",
            marks=((100 / 1.5, "needed"),),
        )


def device_tests(device: result_pb2.DeviceResult) -> Group:
    """Return the tests of the device, failed ones first."""
    order = [
        result_pb2.DeviceCheck.OUTCOME_FAIL,
        result_pb2.DeviceCheck.OUTCOME_PASS,
        result_pb2.DeviceCheck.OUTCOME_UNAVAILABLE,
    ]
    tests = sorted(
        device.checks, key=lambda one: order.index(one.outcome) if one.outcome in order else len(order)
    )
    assurance, required = enum_word(device, "assurance"), enum_word(device, "required_assurance")
    return Group(
        title=f"{counted(len(tests), 'test')} of the device: assurance {assurance}, needed {required}",
        columns=("Test", "Outcome", "Decides", "Detail"),
        rows=[
            (
                test.name,
                enum_word(test, "outcome"),
                "-" if not test.decisive else "tolerated" if test.tolerated else "yes",
                _sentence(test.detail or test.reason),
            )
            for test in tests
        ],
        folded=True,
    )


def proof(result: result_pb2.CheckResult, *, verified: bool) -> Iterator[tuple[str, str]]:
    """Yield names and values of what the result rests on.

    Args:
        verified: Whether the result's signature verifies with the server's published keys.
    """
    yield "Attempts", "; ".join(map(_attempt, result.attempts)) or "none"
    yield "Device assurance", enum_word(result.device, "assurance")
    yield "Transcript", transcript_words(result).plain
    yield "Signature (JWS, ES256)", "verified" if verified else "NOT VERIFIED"
    if result.sandbox:
        yield "Sandbox", "made for tests; it proves nothing about a person"
    yield "Check", result.check_id
    yield "Policy", policy_words(result.policy)
    yield "Pack", pack_words(result.pack).plain
    yield "SHA-256 of the policy", result.policy.sha256.hex()
    yield "SHA-256 of the evidence frame", result.evidence_frame.sha256.hex() or "none"


def _attempt(attempt: result_pb2.AttemptSummary) -> str:
    ended = attempt.HasField("end_time")
    took = f" in {seconds_between(attempt.start_time, attempt.end_time):.1f} s" if ended else ""
    outcome = enum_word(attempt, "outcome").lower()
    plan = f"{enum_word(attempt, 'plan')}, " if attempt.plan else ""
    return f"{plan}{counted(attempt.frames, 'frame')}{took}, {outcome}"


def seconds_between(start: Timestamp, end: Timestamp) -> float:
    """Return the time from one moment to another, seconds."""
    return (end.ToNanoseconds() - start.ToNanoseconds()) / 1e9
