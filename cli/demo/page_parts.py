"""Parts of the demo's page: the row and the card of a check."""

from collections.abc import Iterable
from typing import Final

from facegate.v1 import result_pb2

from cli.demo.display import hint_name
from cli.demo.flash import page_picture, svg
from cli.demo.record import DemoRecord
from cli.demo.scenarios import Status
from cli.demo.words import expectation_text, reason_sentences
from cli.verdict import enum_word, match_words
from server.pages import (
    NOTHING,
    Html,
    card,
    cell,
    data_uri,
    facts,
    figure,
    folded,
    gauge,
    image,
    joined,
    link_cell,
    mark,
    measure,
    pill,
    signal_list,
    signal_row,
    template,
)

__all__ = ["check_card", "row"]

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
_FLASH: Final = "flash_"
"""Prefix of the names of the flash's signals."""

_FLASH_CAPTION: Final = Html(
    "The deciding attempt (simulated). It shows the face in the middle of each colour, the colour that the "
    "server commanded, whether the server found that the face answers it, and the change of light over time "
    "as the server&rsquo;s own code measures it on the frames that were sent. The dashed curves show the "
    "light that these colours cause on a face: as strong as the answer that was found, and at least as "
    "strong as the dimmest usable screen causes."
)
_HOW_TO_READ: Final = Html(
    "Each score goes from 0 (as an attack) to 1 (as a live person). A score in the middle is neutral: the "
    "signal counts neither for nor against life. The weight is the signal&rsquo;s share of the decision; "
    "signals without a weight only inform."
)
_FULL_BITS: Final = 1.5
"""The end of the gauge of bits, as a multiple of the required bits."""

_VERDICT_TONES: Final = {
    result_pb2.LIVENESS_VERDICT_LIVE: "good",
    result_pb2.LIVENESS_VERDICT_SPOOF: "bad",
}


def row(record: DemoRecord) -> Html:
    """Returns the row of a check in the overview."""
    passed = record.attack_passed
    result = record.result
    judged = result is not None and result.HasField("liveness")
    compared = result is not None and result.match.HasField("similarity")
    names = "the attack passed" if passed else ", ".join(record.reasons)
    outcome = Html('{} <span class="names">{}</span>').format(
        pill(record.status, tone="warn" if passed else _TONES[record.status]), names
    )
    liveness = f"{result.liveness.confidence:.0f}" if result is not None and judged else _ABSENT
    similarity = f"{result.match.similarity:.0f}" if result is not None and compared else _ABSENT
    return Html("<tr>{}{}{}{}{}{}</tr>").format(
        link_cell(record.scenario.title, to=record.scenario.key),
        cell(expectation_text(record.scenario.expected)),
        cell(outcome),
        cell(liveness, number=True),
        cell(similarity, number=True),
        cell(f"{record.timings.total:.1f}", number=True),
    )


def check_card(record: DemoRecord, *, number: int, thresholds: tuple[float, float]) -> Html:
    """Returns the card of a check, with all its details.

    Args:
        record: The check.
        number: Its number on the page, from 1.
        thresholds: The policy's confidences, 0..100: up to the first a scan is a spoof, from the second it
            is live.
    """
    expected, expected_tone = _judged(record)
    result = record.result
    return card(
        key=record.scenario.key,
        number=number,
        title=record.scenario.title,
        pills=(
            pill(record.status, tone="warn" if record.attack_passed else _TONES[record.status]),
            pill(expected, tone=expected_tone, outline=True),
        ),
        body=(
            _sentence("shown", record.scenario.shown),
            _flash_evidence(record) if record.scenario.flashes else _evidence(record),
            NOTHING if result is None else _measures(result, thresholds),
            NOTHING if result is None else _signals(result),
            folded("Times and identifiers", _facts(record)),
        ),
    )


def _judged(record: DemoRecord) -> tuple[str, str]:
    """Returns whether the outcome is the expected one, in words, and the tone of the words."""
    if record.as_expected is None and record.attack_passed:
        return "⚠ this attack passed", "warn"
    return _EXPECTED[record.as_expected]


def _evidence(record: DemoRecord) -> Html:
    """Returns the portrait, a few frames, the evidence frame, and the explanations of the server."""
    pictures = [_portrait(record)]
    if record.strip:
        frames = [
            image(_jpeg_uri(frame), alt=f"Frame {number} of the scan")
            for number, frame in enumerate(record.strip, start=1)
        ]
        caption = "The scan, as the camera took it (simulated)"
        pictures.append(figure(_division("frames", frames), caption=caption, kind="strip"))
    return joined([_division("pictures", [*pictures, *_evidence_frame(record)]), _why(record)])


def _flash_evidence(record: DemoRecord) -> Html:
    """Returns portrait, evidence frame and explanations in a row; below, the scan under the colours."""
    pictures = [_portrait(record), *_evidence_frame(record), _why(record)]
    if record.flash is None:
        strip = _sentence("small", "No frame shows a colour of the screen.")
    else:
        drawing = template("cli.demo", "flash").format(drawing=svg(page_picture(record.flash)))
        strip = figure(drawing, caption=_FLASH_CAPTION, kind="flash-figure")
    return joined([_division("pictures flash", pictures), strip])


def _portrait(record: DemoRecord) -> Html:
    return figure(
        image(_jpeg_uri(record.portrait), alt="The trusted portrait"),
        caption="Trusted portrait, refused" if record.refusal else "Trusted portrait",
        kind="portrait",
    )


def _evidence_frame(record: DemoRecord) -> list[Html]:
    if record.response is None or not record.response.HasField("evidence_frame"):
        return []
    frame = image(_jpeg_uri(record.response.evidence_frame.image), alt="The evidence frame")
    return [figure(frame, caption="Evidence frame from FinishCheck", kind="evidence")]


def _why(record: DemoRecord) -> Html:
    sentences = [_sentence("reason", text) for text in reason_sentences(record)]
    if record.result is not None:
        said = [*_device_faults(record), *record.result.liveness.explanations]
        sentences += [_sentence("because", text) for text in said]
    return _division("why", sentences)


def _device_faults(record: DemoRecord) -> list[str]:
    """Returns the failed tests of the device: the decisive ones, and those of the evidence it had to send."""
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
        measures.append(_similarity(result))
    if result.liveness.required_bits > 0:
        measures.append(_bits(result.liveness))
    return _division("columns measures", measures)


def _liveness(liveness: result_pb2.LivenessResult, thresholds: tuple[float, float]) -> Html:
    spoof, live = thresholds
    word = enum_word(result_pb2.LivenessVerdict.Name, liveness.verdict, "LIVENESS_VERDICT_")
    attack = enum_word(result_pb2.AttackType.Name, liveness.attack_type, "ATTACK_TYPE_")
    looks = "" if attack in {"REAL", "UNKNOWN", "UNSPECIFIED"} else f" Attack type: {attack}."
    return measure(
        "Liveness confidence",
        value=f"{liveness.confidence:.1f}, {word}",
        bar=gauge(
            liveness.confidence,
            tone=_VERDICT_TONES.get(liveness.verdict, ""),
            spoken=f"{liveness.confidence:.0f} of 100",
            marks=(mark(spoof, "SPOOF up to here"), mark(live, "LIVE from here")),
        ),
        detail=f"SPOOF up to {spoof:g}, LIVE from {live:g}, INCONCLUSIVE between.{looks}",
    )


def _similarity(result: result_pb2.CheckResult) -> Html:
    match = result.match
    return measure(
        "Similarity to the portrait",
        value=f"{match.similarity:.1f}",
        bar=gauge(
            match.similarity,
            tone="good" if match.same_person else "bad",
            spoken=f"{match.similarity:.0f} of 100, {match.required_similarity:.0f} is needed",
            marks=(mark(match.required_similarity, "needed"),),
        ),
        detail=f"{match_words(result)}. {match.required_similarity:g} is needed; "
        f"{match.frames_used} frames were fused.",
    )


def _bits(liveness: result_pb2.LivenessResult) -> Html:
    verified, required = liveness.verified_bits, liveness.required_bits
    full = _FULL_BITS * required
    return measure(
        "Verified challenge bits",
        value=f"{verified:.1f}",
        bar=gauge(
            min(100.0, 100 * verified / full),
            tone="good" if verified >= required else "bad",
            spoken=f"{verified:.1f} bits, {required:g} are needed",
            marks=(mark(100 * required / full, "needed"),),
        ),
        detail=f"Required: {required:g}. A blind guess reaches it once in {2**required:,.0f} attempts.",
    )


def _signals(result: result_pb2.CheckResult) -> Html:
    """Returns the signals of the challenge, or without one those with a weight. The others are folded."""
    signals = sorted(result.liveness.signals, key=lambda signal: -signal.weight)
    if not signals:
        return NOTHING
    flashed = len(result.liveness.challenge_steps) > 0
    first = [one for one in signals if (one.name.startswith(_FLASH) if flashed else one.weight > 0)]
    rest = [one for one in signals if one not in first]
    others = f"{len(rest)} signals of EXPRESS" if flashed else f"{len(rest)} signals that only inform"
    return joined(
        (
            Html("<h3>{}</h3>").format("Signals of the flash" if flashed else "Signals"),
            _sentence("small", _HOW_TO_READ),
            signal_list(map(_signal, first)),
            folded(others, signal_list(map(_signal, rest))),
        )
    )


def _signal(signal: result_pb2.Signal) -> Html:
    return signal_row(
        signal.label or signal.name,
        score=signal.score if signal.HasField("score") else None,
        weight=signal.weight,
        detail=signal.detail,
    )


def _sentence(kind: str, text: str | Html) -> Html:
    return Html('<p class="{}">{}</p>').format(kind, text)


def _division(kind: str, pieces: Iterable[Html]) -> Html:
    return Html('<div class="{}">{}</div>').format(kind, joined(pieces))


def _jpeg_uri(image: bytes) -> str:
    return data_uri(image, media_type="image/jpeg")


def _facts(record: DemoRecord) -> Html:
    times = record.timings
    found = {"UploadTrustedImage": f"{times.upload:.2f} s"}
    result = record.result
    if result is None:
        return facts((found | {"Check": "none was created"}).items())
    found |= {
        "Capture": f"{times.capture:.2f} s, {result.transcript.frames} frames",
        "Last frame to ScanResult": f"{times.decision:.2f} s",
        "FinishCheck": f"{times.finish:.2f} s",
        "Hints to the person": ", ".join(map(hint_name, record.hints)) or "none",
        "Attempts": str(len(result.attempts)),
        "Device assurance": enum_word(
            result_pb2.DeviceAssurance.Name, result.device.assurance, "DEVICE_ASSURANCE_"
        ),
        "Transcript": "intact" if result.transcript.intact else "broken or not signed",
        "Signature (JWS, ES256)": "verified" if record.signature_verified else "NOT VERIFIED",
        "Check": result.check_id,
        "Policy": f"{result.policy.name}, version {result.policy.version}",
        "SHA-256 of the policy": result.policy.sha256.hex(),
        "SHA-256 of the evidence frame": result.evidence_frame.sha256.hex() or "none",
    }
    return facts(found.items())
