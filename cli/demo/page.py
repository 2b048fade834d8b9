"""The page of the demo: one self-contained HTML file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from facegate.v1 import result_pb2

from cli.demo.display import hint_name
from cli.demo.flash import strip_picture
from cli.demo.pack_choice import ChosenPack
from cli.demo.record import DemoRecord
from cli.demo.summary import passed_attacks, unexpected
from cli.demo.words import expectation_text, mode_word, reason_sentences
from cli.verdict import enum_word, match_words
from server.pages import render
from vision.packs import MatchCalibration, Pack

__all__ = ["PageContext", "render_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """The content of the page besides the checks.

    Attributes:
        chosen: The pack that judged, with the reason for the choice.
        thresholds: The policy's confidences, 0..100: up to the first a scan is a spoof, from the second it
            is live.
        version: Version of the server.
        made: Time of creation, with a time zone.
        seed: Seed of the simulated scans.
        seconds: Duration of the demo.
    """

    chosen: ChosenPack
    thresholds: tuple[float, float]
    version: str
    made: datetime
    seed: int
    seconds: float


def render_page(records: Sequence[DemoRecord], context: PageContext) -> str:
    """Returns the page as HTML.

    Args:
        records: The checks, in order.
        context: The other content.
    """
    expected = [record for record in records if record.as_expected is not None]
    wrong = unexpected(records)
    pack = context.chosen.pack
    return render(
        "demo.html",
        title=f"{len(expected) - len(wrong)} of {len(expected)} outcomes as expected",
        wrong=wrong,
        passed=len(passed_attacks(records)),
        count=len(records),
        about=_about(records, context),
        pack=pack,
        policy=context.chosen.policy,
        why_chosen=context.chosen.why,
        matcher=matcher_sentence(pack.match_calibration, records),
        terms=[
            (one.part, f"Weights: {one.weights} Training data: {one.training_data}") for one in pack.terms
        ],
        thresholds=context.thresholds,
        checks=[_check(record) for record in records],
        seed=context.seed,
    )


def matcher_sentence(calibration: MatchCalibration, records: Sequence[DemoRecord]) -> str:
    """Returns the error rates of the pack's matcher, by the record of its calibration.

    Args:
        calibration: Calibration of the pack.
        records: Checks; the sentence uses the FMR of their policy.
    """
    record = calibration.record
    said = (
        f"The error rates of its face matcher are {record.provenance}, on {record.dataset} "
        f"({record.identities} persons, {record.genuine_pairs:,} genuine and "
        f"{record.impostor_pairs:,} impostor pairs)"
    )
    required = [
        r.result.match.required_fmr for r in records if r.result is not None and r.result.match.required_fmr
    ]
    point = next((p for p in calibration.points if required and p.fmr_upper_bound <= required[0]), None)
    if point is not None and point.fnmr is not None:
        said += (
            f": with the false match rate (FMR) bounded at {100 * required[0]:.3g} %, as the policy demands, "
            f"{100 * point.fnmr:.1f} % of genuine photo pairs were rejected (FNMR; see the pairs below)"
        )
    scans = calibration.scans
    of_scans = f"none below {100 * scans.lowest_bound:.2g} %" if scans else "none was measured"
    lowest = f"{100 * calibration.lowest_bound:.2g} %"
    return f"{said}; no bound below {lowest} is supported between photos, and {of_scans} for scans."


def _about(records: Sequence[DemoRecord], context: PageContext) -> Iterator[tuple[str, str]]:
    policies = {f"{r.result.policy.name}, version {r.result.policy.version}" for r in records if r.result}
    yield "Facegate", context.version
    yield "Pack", _pack(context.chosen.pack)
    yield "Policy", "; ".join(sorted(policies)) or "none used"
    yield "Made", context.made.strftime("%Y-%m-%d %H:%M %Z")
    yield "Took", f"{context.seconds:.0f} s"
    yield "Seed", str(context.seed)


def _pack(pack: Pack) -> str:
    return f"{pack.name} {pack.version}{', for evaluation only' if pack.evaluation_only else ''}"


def _check(record: DemoRecord) -> dict[str, object]:
    """Returns what the page says of a check, besides the record itself."""
    shown: dict[str, object] = {
        "record": record,
        "mode": mode_word(record.scenario),
        "expected": expectation_text(record.scenario.expected),
        "reasons": reason_sentences(record),
        "because": (),
        "strip": None if record.flash is None else strip_picture(record.flash),
        "facts": _facts(record),
    }
    result = record.result
    if result is None:
        return shown
    liveness = result.liveness
    attack = enum_word(result_pb2.AttackType.Name, liveness.attack_type, "ATTACK_TYPE_")
    flashed = len(liveness.challenge_steps) > 0
    signals = sorted(liveness.signals, key=lambda signal: -signal.weight)
    # Those of the challenge, or without one those with a weight; the others are folded.
    first = [one for one in signals if (one.name.startswith("flash_") if flashed else one.weight > 0)]
    return shown | {
        "because": [*_device_faults(record, result), *liveness.explanations],
        "verdict": enum_word(result_pb2.LivenessVerdict.Name, liveness.verdict, "LIVENESS_VERDICT_"),
        "attack": "" if attack in {"REAL", "UNKNOWN", "UNSPECIFIED"} else attack,
        "matched": match_words(result),
        "guesses": f"{2**liveness.required_bits:,.0f}",
        "flashed": flashed,
        "signals": first,
        "other_signals": [one for one in signals if one not in first],
    }


def _device_faults(record: DemoRecord, result: result_pb2.CheckResult) -> list[str]:
    """Returns the failed tests of the device: the decisive ones, and those of the evidence it had to send."""
    evidence = ("android_key.", "play_integrity.") if record.scenario.device is not None else ()
    return [
        f"Device: {check.detail}."
        for check in result.device.checks
        if check.outcome == result_pb2.DeviceCheck.OUTCOME_FAIL
        and (check.name.startswith(evidence) or (check.decisive and not check.tolerated))
    ]


def _facts(record: DemoRecord) -> Iterator[tuple[str, str]]:
    times, result = record.timings, record.result
    yield "UploadTrustedImage", f"{times.upload:.2f} s"
    if result is None:
        yield "Check", "none was created"
        return
    assurance = enum_word(result_pb2.DeviceAssurance.Name, result.device.assurance, "DEVICE_ASSURANCE_")
    yield "Capture", f"{times.capture:.2f} s, {result.transcript.frames} frames"
    yield "Last frame to ScanResult", f"{times.decision:.2f} s"
    yield "FinishCheck", f"{times.finish:.2f} s"
    yield "Hints to the person", ", ".join(map(hint_name, record.hints)) or "none"
    yield "Attempts", str(len(result.attempts))
    yield "Device assurance", assurance
    yield "Transcript", "intact" if result.transcript.intact else "broken or not signed"
    yield "Signature (JWS, ES256)", "verified" if record.signature_verified else "NOT VERIFIED"
    yield "Check", result.check_id
    yield "Policy", f"{result.policy.name}, version {result.policy.version}"
    yield "SHA-256 of the policy", result.policy.sha256.hex()
    yield "SHA-256 of the evidence frame", result.evidence_frame.sha256.hex() or "none"
