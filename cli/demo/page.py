"""The page that shows what happened: one HTML file that needs nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from cli.demo.pack_choice import ChosenPack
from cli.demo.pack_notes import pack_notes
from cli.demo.page_parts import check_card, row
from cli.demo.record import DemoRecord
from cli.demo.summary import passed_attacks, unexpected
from cli.demo.words import mode_word
from cli.pages import Html, facts, folded, head, joined, page, pill, stylesheet, table, template
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
_HEADS: Final = {
    "Shown to the camera": False,
    "Expected": False,
    "Outcome": False,
    "Liveness": True,
    "Similarity": True,
    "Seconds": True,
}
"""Columns of the overview, and whether they hold numbers."""
_LEAD: Final = Html(
    '<p class="lead">{} checks, each through the three gRPC calls against a real server: upload a portrait, '
    "scan, finish the check.</p>"
)
_FOOTER: Final = Html(
    "The evidence frame, the result and its signature of each check, and the strip of each flash "
    "(<code>strip.png</code>), lie in the folders beside this page, with the server&rsquo;s public keys in "
    "<code>jwks.json</code> and its log in <code>server.log</code>. To see the same again: <code>{}</code>."
)
_MODE_ROW: Final = Html('<tr class="mode"><th scope="rowgroup" colspan="{}">{} <span>{}</span></th></tr>')
_PART: Final = Html('<section class="part"><h2>{}</h2><p>{}</p></section>')


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


def render_page(records: Sequence[DemoRecord], context: PageContext) -> str:
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
    main = template("cli.demo", "page").format(
        pack=pack.name,
        seen=notes.seen,
        unseen=notes.unseen,
        why=context.chosen.why,
        use=notes.use,
        terms=_terms(pack),
        overview=_overview(records),
        cards=_cards(records, context.thresholds),
    )
    return page(
        brand="demo",
        title=headline,
        heading="Is it the right person, a real person, right now?",
        below=joined(
            (
                _LEAD.format(len(records)),
                Html("<p>{} {}</p>").format(
                    pill(headline, tone="bad" if wrong else "good"), _passed(records)
                ),
                _facts(records, context),
            )
        ),
        main=main,
        footer=_FOOTER.format(f"facegate demo --seed {context.seed}"),
        style=stylesheet("cli.demo", "page"),
    )


def _passed(records: Sequence[DemoRecord]) -> Html:
    """How many attacks passed; nothing where none did."""
    count = len(passed_attacks(records))
    text = f"{count} attack{'s' if count > 1 else ''} passed"
    return pill(text, tone="warn") if count else Html("")


def _overview(records: Sequence[DemoRecord]) -> Html:
    rows: list[Html] = []
    for mode, group in groupby(records, key=lambda record: mode_word(record.scenario)):
        rows += [_MODE_ROW.format(len(_HEADS), mode, _MODES[mode][0]), *map(row, group)]
    heads = [head(text, number=number) for text, number in _HEADS.items()]
    return table(heads, rows, label="All checks", kind="overview")


def _cards(records: Sequence[DemoRecord], thresholds: tuple[float, float]) -> Html:
    cards: list[Html] = []
    for mode, group in groupby(enumerate(records, start=1), key=lambda one: mode_word(one[1].scenario)):
        cards.append(_PART.format(mode, _MODES[mode][1]))
        cards += [check_card(record, number=number, thresholds=thresholds) for number, record in group]
    return joined(cards)


def matcher_sentence(calibration: MatchCalibration, records: Sequence[DemoRecord]) -> str:
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


def _facts(records: Sequence[DemoRecord], context: PageContext) -> Html:
    policies = {f"{r.result.policy.name}, version {r.result.policy.version}" for r in records if r.result}
    return facts(
        {
            "Facegate": context.version,
            "Pack": _pack(context.chosen.pack),
            "Policy": "; ".join(sorted(policies)) or "none used",
            "Made": context.made.strftime("%Y-%m-%d %H:%M %Z"),
            "Took": f"{context.seconds:.0f} s",
            "Seed": str(context.seed),
        }.items()
    )


def _pack(pack: Pack) -> str:
    return f"{pack.name} {pack.version}{', for evaluation only' if pack.evaluation_only else ''}"


def _terms(pack: Pack) -> Html:
    measured = Html('<p class="small">{}</p>').format(pack.match_calibration.record.note)
    terms = facts(
        (one.part, f"Weights: {one.weights} Training data: {one.training_data}") for one in pack.terms
    )
    return folded("How the matcher was measured, and the terms of the models", measured + terms)
