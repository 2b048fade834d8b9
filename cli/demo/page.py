"""The page of the demo: one self-contained HTML file."""

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
from server.pages import Html, facts, folded, head, joined, page, pill, stylesheet, table, template
from vision.packs import MatchCalibration, Pack

__all__ = ["PageContext", "render_page"]


_MODES: Final = {
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
        "These scans have no such evidence; see the last check.",
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
_HEADS: Final = {
    "Shown to the camera": False,
    "Expected": False,
    "Outcome": False,
    "Liveness": True,
    "Similarity": True,
    "Seconds": True,
}
"""Columns of the overview, and whether they contain numbers."""
_LEAD: Final = Html(
    '<p class="lead">{} checks, each through the three gRPC calls against a real server: upload a portrait, '
    "scan, finish the check.</p>"
)
_FOOTER: Final = Html(
    "The evidence frame, the result and its signature of each check, and the strip of each flash "
    "(<code>strip.png</code>), are in the folders beside this page, with the server&rsquo;s public keys in "
    "<code>jwks.json</code> and its log in <code>server.log</code>. To repeat this run: <code>{}</code>."
)
_MODE_ROW: Final = Html('<tr class="mode"><th scope="rowgroup" colspan="{}">{} <span>{}</span></th></tr>')
_PART: Final = Html('<section class="part"><h2>{}</h2><p>{}</p></section>')


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
    """Returns the number of attacks that passed; nothing if none did."""
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
