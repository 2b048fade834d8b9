"""The page that shows what happened: one HTML file that needs nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from itertools import groupby
from typing import Final

from cli.demo.markup import Html, fill, joined
from cli.demo.pack_choice import ChosenPack
from cli.demo.pack_notes import pack_notes
from cli.demo.page_parts import card, fact, row
from cli.demo.record import CheckRecord
from cli.demo.summary import passed_attacks, unexpected
from cli.demo.words import mode_word
from vision.packs import MatchCalibration, Pack

__all__ = ["PageContext", "render_page"]


_MODES: Final = {
    "EXPRESS": (
        "the person only looks at the camera",
        "The person only looks at the camera. The server watches depth, motion, and traces of print and "
        "screen.",
    ),
    "DYNAMIC": (
        "the screen flashes in colours that only the server knows",
        "A policy that demands the flash and, where the pack can see a blink, a blink and a head's depth: "
        "the screen flashes in colours that the server draws and reveals one at a time, and SUCCESS needs "
        "their reflection on the face as well as all that EXPRESS asks for. The flash proves that whoever "
        "answers sees this screen now. It does not prove what is lit: a stiff mask has a face's shape, and "
        "is stopped by the blink; a worn print has living eyes, and is stopped by a turn of the head; "
        "relighting in real time imitates a face and often passes for one, and is stopped by evidence of the "
        "device, which these scans do without: see the last check.",
    ),
    "ATTESTED": (
        "the policy demands evidence of the device",
        "EXPRESS, and DYNAMIC in the last one, under a policy that demands evidence: the phone's hardware "
        "attests a key that was made for this scan, its boot state and the app, and the face alone decides "
        "nothing. The devices are made under a test platform with roots of its own, which this server "
        "believes; a server with production policies believes no such root.",
    ),
}
"""What each mode is, short and long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """What the page says besides the checks.

    Attributes:
        chosen: The pack that judged; the page says what it is worth and why it was taken.
        thresholds: The policy's confidences, 0..100, up to which a scan is a spoof and from which it
            is live.
        version: Of the server.
        made: When, with a time zone.
        seed: Of the simulated scans.
        seconds: How long the demo took.
    """

    chosen: ChosenPack
    thresholds: tuple[float, float]
    version: str
    made: datetime
    seed: int
    seconds: float


def render_page(records: Sequence[CheckRecord], context: PageContext) -> str:
    """The page as HTML.

    Args:
        records: The checks, in order.
        context: Everything else.
    """
    expected = [record for record in records if record.as_expected is not None]
    wrong = unexpected(records)
    pack = context.chosen.pack
    notes = pack_notes(context.chosen, matcher=matcher_sentence(pack.match_calibration, records))
    headline = f"{len(expected) - len(wrong)} of {len(expected)} outcomes as expected"
    return fill(
        "page",
        headline=headline,
        headline_tone="bad" if wrong else "good",
        style=Html((files("cli.demo") / "templates" / "page.css").read_text(encoding="utf-8")),
        checks=str(len(records)),
        facts=_facts(records, context),
        pack=pack.name,
        seen=notes.seen,
        unseen=notes.unseen,
        why=context.chosen.why,
        use=notes.use,
        measured=pack.match_calibration.record.note,
        terms=_terms(pack),
        passed=_passed(records),
        rows=_rows(records),
        cards=_cards(records, context.thresholds),
        command=f"facegate demo --seed {context.seed}",
    )


def _passed(records: Sequence[CheckRecord]) -> Html:
    """How many attacks passed; nothing where none did."""
    count = len(passed_attacks(records))
    text = f"{count} attack{'s' if count > 1 else ''} passed"
    return fill("pill", tone="warn", text=text) if count else Html("")


def _rows(records: Sequence[CheckRecord]) -> Html:
    rows: list[Html] = []
    for mode, group in groupby(records, key=lambda record: mode_word(record.scenario)):
        rows += [fill("mode", mode=mode, text=_MODES[mode][0]), *map(row, group)]
    return joined(rows)


def _cards(records: Sequence[CheckRecord], thresholds: tuple[float, float]) -> Html:
    cards: list[Html] = []
    for mode, group in groupby(enumerate(records, start=1), key=lambda one: mode_word(one[1].scenario)):
        cards.append(fill("part", mode=mode, text=_MODES[mode][1]))
        cards += [card(record, number=number, thresholds=thresholds) for number, record in group]
    return joined(cards)


def matcher_sentence(calibration: MatchCalibration, records: Sequence[CheckRecord]) -> str:
    """What the pack's matcher is worth, by the record of its calibration.

    Args:
        calibration: Of the pack.
        records: Checks, whose policy's FMR is the one that is spoken of.
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
            f"{100 * point.fnmr:.1f} % of genuine photo pairs were rejected (FNMR; the pairs are named below)"
        )
    return f"{said}; no bound below {100 * calibration.lowest_bound:.2g} % is supported."


def _facts(records: Sequence[CheckRecord], context: PageContext) -> Html:
    policies = {f"{r.result.policy.name}, version {r.result.policy.version}" for r in records if r.result}
    return joined(
        [
            fact("Facegate", context.version),
            fact("Pack", _pack(context.chosen.pack)),
            fact("Policy", "; ".join(sorted(policies)) or "none used"),
            fact("Made", context.made.strftime("%Y-%m-%d %H:%M %Z")),
            fact("Took", f"{context.seconds:.0f} s"),
            fact("Seed", str(context.seed)),
        ]
    )


def _pack(pack: Pack) -> str:
    return f"{pack.name} {pack.version}{', for evaluation only' if pack.evaluation_only else ''}"


def _terms(pack: Pack) -> Html:
    return joined(
        fact(terms.part, f"Weights: {terms.weights} Training data: {terms.training_data}")
        for terms in pack.terms
    )
