"""Measures how often a change of person is detected, and how often one person counts as two."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import beta

from attempt import persons_of
from matcher import SCAN_SUBJECT, TemplateSample, measure_constancy, threshold_cosine
from matcher.constancy import SWAP_MAX_FMR
from research.scan_match.clips import Recording, SentFrame
from research.scan_match.identify import IdentifiedScan, identify_scan
from research.scan_match.splices import Change, most_turned, splice
from vision.face import Points
from vision.packs import MatchCalibration, Pack

__all__ = [
    "JudgedScan",
    "ScanScores",
    "constancy_tables",
    "identify_all",
    "join_selected",
    "joined_table",
    "judge_genuine",
    "judge_spliced",
    "scores_of",
    "upper_bound",
]

_LAX_FMR = 0.1
_REPLACED = (1, 2, 4, 6)
_TURNED = 25.0
"""The yaw by five points from which a person turns the head far, degrees."""


@dataclass(frozen=True, slots=True)
class ScanScores:
    """The statistics of one scan's constancy.

    Attributes:
        groups: Score of the two least similar groups of all samples, as in the server.
        groups_selected: The same score of the selected frames only.
        pairs_selected: Score of the two least similar selected frames.
        witnesses: Further samples, in addition to the selected frames.
        examined_share: See ``IdentifiedScan``.
        constant: See ``IdentifiedScan``.
    """

    groups: float
    groups_selected: float
    pairs_selected: float
    witnesses: int
    examined_share: float
    constant: bool | None


@dataclass(frozen=True, slots=True)
class JudgedScan:
    """One scan of the study.

    Attributes:
        name: Name of the clip; for two persons, the names of both clips.
        change: The change of person; ``None`` for a scan of one person.
        scores: The statistics of its constancy.
        other_selected: Whether a selected frame shows the other person.
        other_identified: Whether any identified frame shows the other person.
    """

    name: str
    change: Change | None
    scores: ScanScores
    other_selected: bool
    other_identified: bool


def scores_of(identified: IdentifiedScan, calibration: MatchCalibration) -> ScanScores | None:
    """Return the statistics to compare; ``None`` for fewer than two selected frames."""
    everything = measure_constancy(identified.everything, calibration=calibration)
    selected = measure_constancy(identified.selected, calibration=calibration)
    if everything is None or selected is None:
        return None
    return ScanScores(
        groups=everything.cosine,
        groups_selected=selected.cosine,
        pairs_selected=_least_pair(identified.selected, calibration),
        witnesses=len(identified.witnesses),
        examined_share=identified.examined_share,
        constant=identified.constant,
    )


def identify_all(
    recordings: Sequence[Recording], pack: Pack, console: Console
) -> tuple[tuple[str, IdentifiedScan], ...]:
    """Identify every scan of every clip, unchanged, with the clip's name."""
    scans = [(recording.name, scan) for recording in recordings for scan in recording.scans]
    return tuple(
        (name, identify_scan(scan, pack))
        for name, scan in track(scans, description="one person", console=console)
    )


def judge_genuine(
    scans: Sequence[tuple[str, IdentifiedScan]], calibration: MatchCalibration
) -> tuple[JudgedScan, ...]:
    """Judge scans of one person each, by name."""
    scored = [(name, scores_of(scan, calibration)) for name, scan in scans]
    return tuple(
        JudgedScan(name, None, scores, other_selected=False, other_identified=False)
        for name, scores in scored
        if scores is not None
    )


def join_selected(
    scans: Sequence[tuple[str, IdentifiedScan]], calibration: MatchCalibration, *, others: int
) -> NDArray[np.float64]:
    """Return the cosines of the two least similar groups if the last selected frames show another person.

    Args:
        scans: Scans by name; the first one of each name is used.
        calibration: The calibration of the embedder.
        others: Number of replaced frames.

    Returns:
        One cosine for every ordered pair of names with scans of more selected frames than ``others``.
    """
    first: dict[str, IdentifiedScan] = {}
    for name, scan in scans:
        first.setdefault(name, scan)
    cosines = []
    for one, other in itertools.permutations(first.values(), 2):
        if min(len(one.selected), len(other.selected)) > others:
            found = measure_constancy(
                one.selected[:-others] + other.selected[-others:], calibration=calibration
            )
            cosines += [] if found is None else [found.cosine]
    return np.array(cosines)


def judge_spliced(
    recordings: Sequence[Recording], pack: Pack, console: Console, *, each: int, seed: int
) -> tuple[JudgedScan, ...]:
    """Judge scans of two persons.

    Args:
        recordings: One recording per person.
        pack: Finds and embeds the faces.
        console: Shows the progress.
        each: Number of ordered pairs of persons that are drawn for every change; for ``IN_A_TURN`` only
            persons who turn their head far.
        seed: Seed of the draws of pairs, and of the places where a change begins.
    """
    rng = np.random.default_rng(seed)
    points = _PointFinder(pack)
    turning = [one for one in recordings if abs(most_turned(one.scans[0], points)[1]) >= _TURNED]
    drawn = {
        change: list(itertools.permutations(turning if change is Change.IN_A_TURN else recordings, 2))
        for change in Change
    }
    wanted = [
        (pairs[index], change, float(rng.uniform()))
        for change, pairs in drawn.items()
        for index in rng.permutation(len(pairs))[:each].tolist()
    ]
    judged = []
    for (one, other), change, place in track(wanted, description="two persons", console=console):
        spliced = splice(one.scans[0], other.scans[0], change=change, place=place, points=points)
        identified = identify_scan(spliced.frames, pack)
        scores = scores_of(identified, pack.match_calibration)
        if scores is not None:
            judged.append(
                JudgedScan(
                    name=f"{one.name}, {other.name}",
                    change=change,
                    scores=scores,
                    other_selected=bool(spliced.of_other & set(identified.selected_places)),
                    other_identified=bool(spliced.of_other & set(identified.places)),
                )
            )
    return tuple(judged)


def constancy_tables(
    genuine: Sequence[JudgedScan], spliced: Sequence[JudgedScan], calibration: MatchCalibration
) -> Iterator[Table]:
    """Yield the tables: one person counted as two, and missed changes."""
    calibration = calibration.of_scans
    line = threshold_cosine(max(SWAP_MAX_FMR, calibration.lowest_bound), calibration=calibration)
    lax = threshold_cosine(_LAX_FMR, calibration=calibration)
    persons = len({judged.name for judged in genuine})
    table = Table(
        "statistic", "line", "false alarms", "least cosine", "5th percentile",
        title=f"One person: {len(genuine)} scans of {persons} persons",
    )  # fmt: skip
    for name, of, at in (
        ("least alike groups, with witnesses (shipped)", _groups, line),
        ("least alike groups of selected frames", _groups_selected, line),
        ("least alike pair of selected frames", _pairs, lax),
        ("least alike pair of selected frames", _pairs, line),
    ):
        values = np.array([of(judged.scores) for judged in genuine])
        table.add_row(
            name, f"{at:.3f}", f"{int((values < at).sum())}", f"{values.min():.3f}",
            f"{np.quantile(values, 0.05):.3f}",
        )  # fmt: skip
    shares = np.array([judged.scores.examined_share for judged in genuine])
    witnesses = np.array([judged.scores.witnesses for judged in genuine])
    against = sum(judged.scores.constant is False for judged in genuine)
    undecided = sum(judged.scores.constant is None for judged in genuine)
    table.caption = (
        f"two persons: {against}, undecided: {undecided}; witnesses: {witnesses.mean():.1f} a scan, none "
        f"in {int((witnesses == 0).sum())}; least share represented by examined frames {shares.min():.2f}"
    )
    yield table
    table = Table(
        "change", "scans", "other selected", "other seen", "of these pass", "95 % bound", "undecided",
        "other not seen",
        "pass: groups of selected", "pair, FMR 0.1", "pair, same line",
        title="Two persons: undetected scans, by statistic",
    )  # fmt: skip
    for change in (*Change, None):
        of_kind = [judged for judged in spliced if change in {None, judged.change}]
        seen = [judged for judged in of_kind if judged.other_identified]
        passed = sum(judged.scores.constant is True for judged in seen)
        table.add_row(
            "all" if change is None else change.value,
            str(len(of_kind)),
            str(sum(judged.other_selected for judged in of_kind)),
            str(len(seen)),
            str(passed),
            f"{upper_bound(passed, len(seen)):.1%}",
            str(sum(judged.scores.constant is None for judged in of_kind)),
            str(len(of_kind) - len(seen)),
            str(sum(judged.scores.groups_selected >= line for judged in of_kind)),
            str(sum(judged.scores.pairs_selected >= lax for judged in of_kind)),
            str(sum(judged.scores.pairs_selected >= line for judged in of_kind)),
        )
    yield table


def joined_table(scans: Sequence[tuple[str, IdentifiedScan]], calibration: MatchCalibration) -> Table:
    """Make the table of joined selections that remain undetected, for each threshold."""
    of_scans = calibration.of_scans
    lines = {
        bound: threshold_cosine(bound, calibration=of_scans)
        for bound in (_LAX_FMR, SWAP_MAX_FMR, 1e-2)
        if bound >= of_scans.lowest_bound
    }
    table = Table(
        "frames of the other", "pairs", *(f"pass at {bound:g} ({line:.3f})" for bound, line in lines.items()),
        "highest cosine", title="Selected frames of two persons combined: undetected scans",
    )  # fmt: skip
    everything: list[NDArray[np.float64]] = []
    for others in _REPLACED:
        everything.append(join_selected(scans, calibration, others=others))
        table.add_row(f"{others} of 8", *_passes(everything[-1], list(lines.values())))
    table.add_row("all", *_passes(np.concatenate(everything), list(lines.values())))
    return table


def _passes(cosines: NDArray[np.float64], lines: Sequence[float]) -> list[str]:
    counts = [int((cosines >= line).sum()) for line in lines]
    shares = [f"{count} ({count / max(1, cosines.size):.1%})" for count in counts]
    return [str(cosines.size), *shares, f"{cosines.max(initial=-1.0):.3f}"]


def upper_bound(events: int, trials: int, *, confidence: float = 0.95) -> float:
    """Return the one-sided Clopper-Pearson bound on a rate; 1 without a trial."""
    return 1.0 if events >= trials else float(beta.ppf(confidence, events + 1, trials - events))


class _PointFinder:
    """Finds each frame's face once."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._found: dict[int, tuple[SentFrame, Points | None]] = {}

    def __call__(self, frame: SentFrame) -> Points | None:
        key = id(frame)
        if key not in self._found:
            faces = persons_of(frame.pixels(), self._pack, rule=SCAN_SUBJECT)
            # The frame is kept with its result, so that no other frame can reuse its id.
            self._found[key] = (frame, faces[0].five_points if faces else None)
        return self._found[key][1]


def _least_pair(samples: Sequence[TemplateSample], calibration: MatchCalibration) -> float:
    vectors = calibration.vectors(np.stack([sample.template.vector for sample in samples]))
    return float((vectors @ vectors.T).min())


def _groups(scores: ScanScores) -> float:
    return scores.groups


def _groups_selected(scores: ScanScores) -> float:
    return scores.groups_selected


def _pairs(scores: ScanScores) -> float:
    return scores.pairs_selected
