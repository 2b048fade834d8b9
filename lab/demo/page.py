"""The page of the demo, and the files beside it: of each check its images, its result and its signature."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from cli.errors import CommandError
from cli.verdict import message_json
from facegate_client import KeySet
from formats.private_files import READABLE, write_atomically
from lab.demo.flash import strip_picture
from lab.demo.pack import ChosenPack
from lab.demo.printing import passed_attacks, unexpected
from lab.demo.scenarios import (
    DemoRecord,
    Status,
    expectation_text,
    hint_name,
    mode_word,
    outcome_text,
    reason_sentences,
)
from lab.demo.stage import SEED
from lab.explanation import because, device_tests, judgement, proof
from lab.pages import render
from server.base.version import server_version
from server.pages import Explanation, Figure, Group, data_uri, explanation_page
from vision.packs import MatchCalibration

_PAGE: Final = "index.html"
_KEYS: Final = "jwks.json"
PARTS: Final = {
    "EXPRESS": (
        "the person only looks at the camera",
        "The person only looks at the camera. The server measures depth, motion, and traces of print and "
        "screen.",
    ),
    "DOUBT": (
        "without colours, and in doubt with them",
        "The scan begins without colours. If the pack's networks are not sure, the next attempt of the same "
        "scan is the flash.",
    ),
    "DYNAMIC": (
        "the screen flashes in colours that only the server knows",
        "The policy demands the flash and, if the pack can measure a blink, also a blink and the depth of "
        "the head. The screen flashes in colours that the server draws and reveals one at a time. SUCCESS "
        "needs their reflection on the face and everything that EXPRESS needs. The flash proves that the "
        "face is in front of this screen now. It does not prove that the face is alive: a rigid mask has the "
        "shape of a face, and the blink stops it; a worn print has living eyes, and a turn of the head stops "
        "it. Relighting in real time imitates a face and often passes; evidence of the device stops it. "
        "These scans have no such evidence; see the last check. The demo's attackers leave after one "
        "attempt: if it does not decide the check, the check fails as ABANDONED. Another attacker may try "
        "again, as often as the policy allows.",
    ),
    "ATTESTED": (
        "the policy demands evidence of the device",
        "EXPRESS, and DYNAMIC in the last check, with a policy that demands evidence: the phone's hardware "
        "attests a key that was made for this scan, its boot state and the app. The face alone does not "
        "suffice. The devices belong to a test platform with its own roots, which this server trusts; a "
        "server with production policies trusts no such root.",
    ),
}
"""A short and a long description of each mode."""
_FLASH: Final = (
    "The deciding attempt (simulated). It shows the face in the middle of each colour, the colour that the "
    "server commanded, whether the server found that the face answers it, and the change of light over time "
    "as the server's own code measures it on the frames that were sent. The dashed curves show the light "
    "that these colours cause on a face: as strong as the answer that was found, and at least as strong as "
    "the dimmest usable screen causes."
)
_NO_DOUBT: Final = "The first attempt, without colours, left no doubt: no flash followed."
_NUMBERS: Final = ("Liveness", "Similarity", "Seconds")
_COLUMNS: Final = ("Shown to the camera", "Outcome", "Expected", *_NUMBERS)


def render_page(
    records: Sequence[DemoRecord],
    chosen: ChosenPack,
    *,
    made: datetime,
    seconds: float,
) -> str:
    """Return the page as HTML.

    Args:
        chosen: The pack that judged, with the reason for the choice.
    """
    expected = [record for record in records if record.as_expected is not None]
    wrong, passed = unexpected(records), len(passed_attacks(records))
    title = f"{len(expected) - len(wrong)} of {len(expected)} outcomes as expected"
    pills = [(title, "bad" if wrong else "good", False)]
    if passed:
        pills.append((f"{passed} attack{'s' * (passed > 1)} passed", "warn", False))
    pack = chosen.pack
    policies = {f"{r.result.policy.name}, version {r.result.policy.version}" for r in records if r.result}
    return explanation_page(
        "demo.html",
        [explain_record(record, chosen.thresholds) for record in records],
        title=title,
        heading="Is it the right person, a real person, right now?",
        lead=f"{len(records)} checks through gRPC against a real server: upload a portrait, scan, finish the "
        "check. Those without an expected outcome only inform.",
        pills=pills,
        about=[
            ("Facegate", server_version()),
            ("Pack", f"{pack.name} {pack.version}{', for evaluation only' if pack.evaluation_only else ''}"),
            ("Policy", "; ".join(sorted(policies)) or "none used"),
            ("Made", made.strftime("%Y-%m-%d %H:%M %Z")),
            ("Took", f"{seconds:.0f} s"),
            ("Seed", str(SEED)),
        ],
        columns=_COLUMNS,
        numbers=_NUMBERS,
        pack=pack,
        policy=chosen.policy,
        why_chosen=chosen.why,
        matcher=matcher_sentence(pack.match_calibration, records),
        terms=[
            (one.part, f"Weights: {one.weights} Training data: {one.training_data}") for one in pack.terms
        ],
        seed=SEED,
    )


def matcher_sentence(calibration: MatchCalibration, records: Sequence[DemoRecord]) -> str:
    """Return the error rates of a matcher by its calibration, at the FMR of the checks' policy."""
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


def explain_record(record: DemoRecord, thresholds: tuple[float, float]) -> Explanation:
    """Return what a page shows of a check; the thresholds are those of `lab.explanation.judgement`."""
    scenario, result, mode = record.scenario, record.result, mode_word(record.scenario)
    judged = result is not None and result.HasField("liveness")
    compared = result is not None and result.match.HasField("similarity")
    # Also tests of the evidence that the device had to send.
    demanded = ("android_key.", "play_integrity.") if scenario.device is not None else ()
    return Explanation(
        key=scenario.key,
        title=scenario.title,
        outcome=(str(record.status), _tone(record)),
        remark=_remark(record),
        words="the attack passed" if record.attack_passed else ", ".join(record.reasons),
        row=(
            expectation_text(scenario.expected),
            f"{result.liveness.confidence:.0f}" if result is not None and judged else "-",
            f"{result.match.similarity:.0f}" if result is not None and compared else "-",
            f"{record.timings.total:.1f}",
        ),
        part=(mode, *PARTS[mode]),
        texts=[("shown", scenario.shown)],
        pictures=Group(figures=[*_pictures(record)], kind="flash" if scenario.flashes else "check"),
        reasons=[
            *(("reason", text) for text in reason_sentences(record)),
            *(("because", text) for text in ([] if result is None else because(result, demanded=demanded))),
        ],
        judgements=() if result is None else [judgement(result, thresholds)],
        groups=[
            *_flash(record),
            *(() if result is None else [device_tests(result.device)]),
            Group(title="Times and identifiers", facts=[*_facts(record)], folded=True),
        ],
    )


def _tone(record: DemoRecord) -> str:
    if record.attack_passed:
        return "warn"
    return {Status.SUCCESS: "good", Status.FAILURE: "bad"}.get(record.status, "warn")


def _remark(record: DemoRecord) -> tuple[str, str]:
    if record.as_expected is None:
        return ("⚠ this attack passed", "warn") if record.attack_passed else ("it informs", "")
    return ("✓ as expected", "good") if record.as_expected else ("✗ not as expected", "bad")


def _pictures(record: DemoRecord) -> Iterator[Figure]:
    yield Figure(
        caption="Trusted portrait, refused" if record.refusal else "Trusted portrait",
        images=[(data_uri(record.portrait), "The trusted portrait")],
        kind="portrait",
    )
    if record.strip and not record.scenario.flashes:
        yield Figure(
            caption="The scan, as the camera took it (simulated)",
            images=[
                (data_uri(frame), f"Frame {number} of the scan")
                for number, frame in enumerate(record.strip, start=1)
            ],
            kind="strip",
        )
    if record.response is not None and record.response.HasField("evidence_frame"):
        yield Figure(
            caption="Evidence frame from FinishCheck",
            images=[(data_uri(record.response.evidence_frame.image), "The evidence frame")],
            kind="evidence",
        )


def _flash(record: DemoRecord) -> Iterator[Group]:
    if record.flash is not None:
        drawing = ("flash", {"strip": strip_picture(record.flash)})
        yield Group(figures=[Figure(caption=_FLASH, drawing=drawing)], kind="one")
    elif record.scenario.flashes:
        sure = record.scenario.doubt and record.status is Status.SUCCESS
        instead = _NO_DOUBT if sure else "No frame shows a colour of the screen."
        yield Group(figures=[Figure(caption="", instead=instead)])


def _facts(record: DemoRecord) -> Iterator[tuple[str, str]]:
    times, result = record.timings, record.result
    yield "UploadTrustedImage", f"{times.upload:.2f} s"
    if result is None:
        yield "Check", "none was created"
        return
    yield "Capture", f"{times.capture:.2f} s, {result.transcript.frames} frames"
    yield "Last frame to ScanResult", f"{times.decision:.2f} s"
    yield "FinishCheck", f"{times.finish:.2f} s"
    yield "Hints to the person", ", ".join(map(hint_name, record.hints)) or "none"
    yield from proof(result, verified=record.signature_verified)


def make_folder(folder: Path) -> None:
    """Create the output folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{folder} cannot be created: {error.strerror}") from error


def write_files(folder: Path, *, records: Sequence[DemoRecord], page: str, keys: KeySet) -> Path:
    """Write ``index.html``, ``jwks.json``, and each check's images, result and signature.

    Files of an earlier run are replaced, or removed if this run does not write them.
    """
    try:
        for record in records:
            _write_check(folder / record.scenario.key, record)
        public: Mapping[str, object] = keys.as_dict()
        write_atomically(
            folder / _KEYS, json.dumps(public, indent=2).encode() + b"\n", mode=READABLE, over=True
        )
        # A browser never reads a partial page.
        write_atomically(folder / _PAGE, page.encode(), mode=READABLE, over=True)
    except OSError as error:
        raise CommandError(f"{error.filename or folder} cannot be written: {error.strerror}") from error
    return folder / _PAGE


def _write_check(folder: Path, record: DemoRecord) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    contents: dict[str, bytes | None] = dict.fromkeys(
        ("evidence.jpg", "result.json", "result.jws", "strip.svg")
    )
    contents["portrait.jpg"] = record.portrait
    if (response := record.response) is not None:
        if response.HasField("evidence_frame"):
            contents["evidence.jpg"] = response.evidence_frame.image
        contents["result.json"] = message_json(response.result).encode() + b"\n"
        contents["result.jws"] = response.result_jws.encode("ascii") + b"\n"
        contents["strip.svg"] = _strip_file(record)
    for name, content in contents.items():
        if content is None:
            (folder / name).unlink(missing_ok=True)
        else:
            write_atomically(folder / name, content, mode=READABLE, over=True)


def _strip_file(record: DemoRecord) -> bytes | None:
    """Return the strip of the flash, with the outcome, as an SVG file; None without a flash."""
    if record.flash is None:
        return None
    outcome = outcome_text(record.status, record.reasons[:1])
    return render(
        "flash_file.svg",
        strip=strip_picture(record.flash),
        title=record.scenario.title,
        outcome=f"{outcome}: the attack passed" if record.attack_passed else outcome,
        tone="warn" if record.attack_passed else "good" if record.status is Status.SUCCESS else "bad",
    ).encode()
