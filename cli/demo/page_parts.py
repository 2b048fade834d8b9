"""Pieces of the page: one check after the other."""

from typing import Final

from facegate.v1 import result_pb2

from cli.demo.display import hint_name
from cli.demo.flash import page_picture, svg
from cli.demo.markup import Html, fill, joined, jpeg_uri
from cli.demo.record import CheckRecord
from cli.demo.scenarios import Status
from cli.demo.words import expectation_text, reason_sentences
from cli.verdict_table import enum_word

__all__ = ["card", "fact", "row"]

_NOTHING: Final = Html("")
_ABSENT: Final = "-"
_TONES: Final = {
    Status.SUCCESS: "good",
    Status.FAILURE: "bad",
    Status.NOT_DECIDED: "warn",
    Status.REFUSED: "warn",
}
_EXPECTED: Final = {
    True: ("✓ as expected", "good"),
    False: ("✗ not as expected", "bad"),
    None: ("it informs", ""),
}
_MIDDLE: Final = 0.5
_FLASH: Final = "flash_"
"""How names of the flash's signals begin."""

_FULL_BITS: Final = 1.5
"""Times the bits that are needed, at the end of their gauge."""

_NEITHER: Final = 0.02
_VERDICT_TONES: Final = {
    result_pb2.LIVENESS_VERDICT_LIVE: "good",
    result_pb2.LIVENESS_VERDICT_SPOOF: "bad",
}


def fact(name: str, value: str | Html) -> Html:
    """A name and a value."""
    return fill("fact", name=name, value=value)


def row(record: CheckRecord) -> Html:
    """A check as a row of the overview."""
    passed = record.attack_passed
    result = record.result
    judged = result is not None and result.HasField("liveness")
    compared = result is not None and result.match.HasField("similarity")
    return fill(
        "row",
        key=record.scenario.key,
        title=record.scenario.title,
        expected=expectation_text(record.scenario.expected),
        tone="warn" if passed else _TONES[record.status],
        status=record.status,
        reasons="the attack passed" if passed else ", ".join(record.reasons),
        liveness=f"{result.liveness.confidence:.0f}" if result is not None and judged else _ABSENT,
        similarity=f"{result.match.similarity:.0f}" if result is not None and compared else _ABSENT,
        seconds=f"{record.timings.total:.1f}",
    )


def card(record: CheckRecord, *, number: int, thresholds: tuple[float, float]) -> Html:
    """A check with everything that is known of it.

    Args:
        record: The check.
        number: Which one it is, from 1.
        thresholds: The policy's confidences, 0..100, up to which a scan is a spoof and from which it
            is live.
    """
    expected, expected_tone = _judged(record)
    result = record.result
    return fill(
        "card",
        key=record.scenario.key,
        count=str(number),
        title=record.scenario.title,
        tone="warn" if record.attack_passed else _TONES[record.status],
        status=record.status,
        expected=expected,
        expected_tone=expected_tone,
        shown=record.scenario.shown,
        evidence=_flash_evidence(record) if record.scenario.flashes else _evidence(record),
        measures=_NOTHING if result is None else _measures(result, thresholds),
        signals=_NOTHING if result is None else _signals(result),
        facts=_facts(record),
    )


def _judged(record: CheckRecord) -> tuple[str, str]:
    """How the outcome compares with what was expected, and the tone to say it in."""
    if record.as_expected is None and record.attack_passed:
        return "⚠ this attack passed", "warn"
    return _EXPECTED[record.as_expected]


def _evidence(record: CheckRecord) -> Html:
    """Portrait, a few frames, evidence frame; and what the server says."""
    pictures = [_portrait(record)]
    if record.strip:
        frames = [
            fill("frame", uri=jpeg_uri(frame), alt=f"Frame {number} of the scan")
            for number, frame in enumerate(record.strip, start=1)
        ]
        pictures.append(fill("strip", frames=frames))
    return joined([fill("pictures", pictures=[*pictures, *_evidence_frame(record)]), _why(record)])


def _flash_evidence(record: CheckRecord) -> Html:
    """Portrait, evidence frame and what the server says, in a row; below, the scan under the colours."""
    pictures = [_portrait(record), *_evidence_frame(record), _why(record)]
    if record.flash is None:
        strip = fill("sentence", kind="small", text="No frame shows a colour of the screen.")
    else:
        strip = fill("flash", drawing=svg(page_picture(record.flash)))
    return joined([fill("flash_pictures", pictures=pictures), strip])


def _portrait(record: CheckRecord) -> Html:
    return fill(
        "picture",
        kind="portrait",
        uri=jpeg_uri(record.portrait),
        alt="The trusted portrait",
        caption="Trusted portrait, refused" if record.refusal else "Trusted portrait",
    )


def _evidence_frame(record: CheckRecord) -> list[Html]:
    if record.response is None or not record.response.HasField("evidence_frame"):
        return []
    return [
        fill(
            "picture",
            kind="evidence",
            uri=jpeg_uri(record.response.evidence_frame.image),
            alt="The evidence frame",
            caption="Evidence frame from FinishCheck",
        )
    ]


def _why(record: CheckRecord) -> Html:
    sentences = [fill("sentence", kind="reason", text=text) for text in reason_sentences(record)]
    if record.result is not None:
        said = [*_device_faults(record), *record.result.liveness.explanations]
        sentences += [fill("sentence", kind="because", text=text) for text in said]
    return fill("why", sentences=sentences)


def _device_faults(record: CheckRecord) -> list[str]:
    """What is wrong with a device: failed checks that decide, and those of evidence that it was asked for."""
    if record.result is None:
        return []
    evidence = ("android_key.", "play_integrity.") if record.scenario.device is not None else ()
    return [
        f"Device: {check.detail}."
        for check in record.result.device.checks
        if check.outcome == result_pb2.DeviceCheck.OUTCOME_FAIL
        and (check.name.startswith(evidence) or (check.decisive and not check.tolerated))
    ]


def _measures(result: result_pb2.CheckResult, thresholds: tuple[float, float]) -> Html:
    measures = []
    if result.HasField("liveness"):
        measures.append(_liveness(result.liveness, thresholds))
    if result.match.HasField("similarity"):
        measures.append(_similarity(result.match))
    if result.liveness.required_bits > 0:
        measures.append(_bits(result.liveness))
    return fill("measures", measures=measures)


def _liveness(liveness: result_pb2.LivenessResult, thresholds: tuple[float, float]) -> Html:
    spoof, live = thresholds
    word = enum_word(result_pb2.LivenessVerdict.Name, liveness.verdict, "LIVENESS_VERDICT_")
    attack = enum_word(result_pb2.AttackType.Name, liveness.attack_type, "ATTACK_TYPE_")
    looks = "" if attack in {"REAL", "UNKNOWN", "UNSPECIFIED"} else f" Attack type: {attack}."
    return fill(
        "measure",
        name="Liveness confidence",
        value=f"{liveness.confidence:.1f}, {word}",
        tone=_VERDICT_TONES.get(liveness.verdict, ""),
        spoken=f"{liveness.confidence:.0f} of 100",
        share=f"{liveness.confidence:.1f}",
        marks=[_mark(spoof, "SPOOF up to here"), _mark(live, "LIVE from here")],
        detail=f"SPOOF up to {spoof:g}, LIVE from {live:g}, INCONCLUSIVE between.{looks}",
    )


def _similarity(match: result_pb2.MatchResult) -> Html:
    return fill(
        "measure",
        name="Similarity to the portrait",
        value=f"{match.similarity:.1f}",
        tone="good" if match.same_person else "bad",
        spoken=f"{match.similarity:.0f} of 100, {match.required_similarity:.0f} is needed",
        share=f"{match.similarity:.1f}",
        marks=[_mark(match.required_similarity, "needed")],
        detail=f"Needed: {match.required_similarity:g} (FMR at most {match.required_fmr:.2g}). A threshold "
        f"at this similarity has an FMR of at most {match.fmr_bound:.2g}; {match.frames_used} frames fused.",
    )


def _bits(liveness: result_pb2.LivenessResult) -> Html:
    verified, required = liveness.verified_bits, liveness.required_bits
    full = _FULL_BITS * required
    return fill(
        "measure",
        name="Verified challenge bits",
        value=f"{verified:.1f}",
        tone="good" if verified >= required else "bad",
        spoken=f"{verified:.1f} bits, {required:g} are needed",
        share=f"{min(100.0, 100 * verified / full):.1f}",
        marks=[_mark(100 * required / full, "needed")],
        detail=f"Needed: {required:g}. A blind guess gets there once in {2**required:,.0f} attempts.",
    )


def _mark(share: float, title: str) -> Html:
    return fill("mark", share=f"{share:.1f}", title=title)


def _signals(result: result_pb2.CheckResult) -> Html:
    """The challenge's own signals, or without a challenge those that decide; the others are folded away."""
    signals = sorted(result.liveness.signals, key=lambda signal: -signal.weight)
    if not signals:
        return _NOTHING
    flashed = len(result.liveness.challenge_steps) > 0
    first = [one for one in signals if (one.name.startswith(_FLASH) if flashed else one.weight > 0)]
    rest = [one for one in signals if one not in first]
    return fill(
        "signals",
        title="Signals of the flash" if flashed else "Signals",
        signals=[_signal(one) for one in first],
        others=f"{len(rest)} signals of EXPRESS" if flashed else f"{len(rest)} signals that only inform",
        rest=[_signal(one) for one in rest],
    )


def _signal(signal: result_pb2.Signal) -> Html:
    assessed = signal.HasField("score")
    return fill(
        "signal",
        kind="decides" if signal.weight > 0 else "informs",
        label=signal.label or signal.name,
        tone=_tone(signal.score) if assessed else "none",
        spoken=f"{signal.score:.2f} of 1" if assessed else "not assessed",
        share=f"{100 * signal.score:.1f}" if assessed else "0",
        score=f"{signal.score:.2f}" if assessed else _ABSENT,
        weight=f"weight {100 * signal.weight:.0f}%" if signal.weight > 0 else "informs",
        detail=signal.detail,
    )


def _tone(score: float) -> str:
    if abs(score - _MIDDLE) < _NEITHER:
        return "neither"
    return "good" if score > _MIDDLE else "bad"


def _facts(record: CheckRecord) -> Html:
    times = record.timings
    facts = [fact("UploadTrustedImage", f"{times.upload:.2f} s")]
    result = record.result
    if result is None:
        return joined([*facts, fact("Check", "none was created")])
    facts += [
        fact("Capture", f"{times.capture:.2f} s, {result.transcript.frames} frames"),
        fact("Last frame to ScanResult", f"{times.decision:.2f} s"),
        fact("FinishCheck", f"{times.finish:.2f} s"),
        fact("Hints on the way", ", ".join(map(hint_name, record.hints)) or "none"),
        fact("Attempts", str(len(result.attempts))),
        fact(
            "Device assurance",
            enum_word(result_pb2.DeviceAssurance.Name, result.device.assurance, "DEVICE_ASSURANCE_"),
        ),
        fact("Transcript", "intact" if result.transcript.intact else "broken or not signed"),
        fact("Signature (JWS, ES256)", "verified" if record.signature_verified else "NOT VERIFIED"),
        fact("Check", result.check_id),
        fact("Policy", f"{result.policy.name}, version {result.policy.version}"),
        fact("SHA-256 of the policy", result.policy.sha256.hex()),
        fact("SHA-256 of the evidence frame", result.evidence_frame.sha256.hex() or "none"),
    ]
    return joined(facts)
