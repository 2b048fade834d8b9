"""Measures how often a change of person is detected, and how often one person counts as two.

Templates of a scan's frames are made as the server does: an attempt (``attempt.capture``) follows, selects
and identifies, without the network connection, the thread pool and the PAD networks. Scans in which the
person changes are spliced from frames of two clips. The frames of the other person are aligned with the first
one's by the five points of their faces, so that the face does not move, which is the hardest case for the
tracking.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from attempt import Frame, capture_clip, identity_constancy, persons_of
from lab.evaluation.binomial import proportion
from lab.studies.scan_match.clips import Recording, SentFrame
from liveness import examined_share
from matcher import SCAN_SUBJECT, SubjectRule, TemplateSample, measure_constancy, threshold_cosine
from matcher.constancy import SWAP_MAX_FMR
from vision.face import BgrImage, Embedding, Points
from vision.geometry import similarity_transform
from vision.packs import MatchCalibration, Pack
from vision.pose import estimate_pose


@dataclass(frozen=True, slots=True)
class IdentifiedScan:
    """The templates of a scan that are within the range of the calibration.

    Attributes:
        selected: Templates of the selected frames, in order of time; these are fused.
        witnesses: Templates of one frame of each stretch that no selected frame represents, in order of time.
        selected_places: Indices in the scan of ``selected``.
        places: Indices in the scan of ``everything``.
        everything: Both, in order of time.
        examined_share: Share of the frames with a face that these represent, 0..1.
        constant: Whether a server would decide, without a portrait, that they show one person; ``None`` if it
            would not decide.
    """

    selected: tuple[TemplateSample, ...]
    witnesses: tuple[TemplateSample, ...]
    selected_places: tuple[int, ...]
    places: tuple[int, ...]
    everything: tuple[TemplateSample, ...]
    examined_share: float
    constant: bool | None


def identify_scan(frames: Sequence[SentFrame], pack: Pack) -> IdentifiedScan:
    """Follow, select and embed one scan's frames.

    Args:
        frames: Frames in order of time.
        pack: The pack with detector, landmarker and embedder.
    """
    # No more than templates.
    capture = capture_clip(
        (_arrived(frame, index) for index, frame in enumerate(frames)),
        pack=replace(pack, pad_networks=()),
        subject=SCAN_SUBJECT,
    )
    capture.examine_rest()
    selected = {one.frame_index: one.sample for one in capture.examined if one.sample.comparable}
    witnesses = {one.frame_index: one.sample for one in capture.witnesses if one.sample.comparable}
    samples = dict(sorted((selected | witnesses).items()))
    constant, _ = identity_constancy(
        capture.observations, samples, calibration=pack.match_calibration, witnesses=len(witnesses)
    )
    return IdentifiedScan(
        selected=tuple(selected.values()),
        witnesses=tuple(witnesses[index] for index in sorted(witnesses)),
        selected_places=tuple(selected),
        places=tuple(samples),
        everything=tuple(samples.values()),
        examined_share=examined_share(capture.observations, examined=samples),
        constant=constant,
    )


def portrait_template(recording: Recording, pack: Pack) -> Embedding | None:
    """Return the template of the first frame before the scans that shows one person; ``None`` without one."""
    for frame in recording.portraits:
        pixels = frame.pixels()
        faces = persons_of(pixels, pack, rule=SubjectRule())
        if len(faces) == 1:
            return pack.embedder.embed(pixels, faces[0])
    return None


def _arrived(frame: SentFrame, index: int) -> Frame:
    height, width = frame.pixels().shape[:2]
    return Frame(
        image=frame.jpeg,
        index=index,
        capture_time_us=round(1e6 * frame.time),
        rotation_degrees=0,
        mirrored=False,
        width=width,
        height=height,
    )


FindPoints: TypeAlias = Callable[[SentFrame], Points | None]
"""The five points of a frame's face; ``None`` where there is none."""

_QUALITY = 88
_MORPH_SECONDS = 1.0


class Change(StrEnum):
    """The kinds of changes of the person."""

    LAST_HALF = "the second half shows another"
    LAST_SECOND = "the last second shows another"
    HALF_A_SECOND = "another for half a second"
    A_SECOND = "another for a second"
    FLICKER = "another in every third frame"
    MORPH = "one turns into another within a second"
    IN_A_TURN = "another from the most turned frame on"


@dataclass(frozen=True, slots=True)
class Splice:
    """A scan in which the person changes.

    Attributes:
        frames: Frames in order of time.
        of_other: Indices of the frames that show the other person, or a mixture.
    """

    frames: tuple[SentFrame, ...]
    of_other: frozenset[int]


def splice(
    first: Sequence[SentFrame],
    other: Sequence[SentFrame],
    *,
    change: Change,
    place: float,
    points: FindPoints,
) -> Splice:
    """Insert frames of another person into a scan; the scan keeps its clock and its frame size.

    Args:
        other: A scan of the other person; it is repeated if it is too short.
        place: Start of a temporary change, 0 (at the start) to 1 (so that it ends with the scan).
    """
    shift = 0
    if change is Change.IN_A_TURN:
        (start, yaw), (there, other_yaw) = most_turned(first, points), most_turned(other, points)
        of_other, shift = set(range(start, len(first))), there - start
        if yaw * other_yaw < 0:
            other = [_mirrored(frame) for frame in other]
    else:
        of_other = _others_frames(first, change, place)
    frames = []
    for index, frame in enumerate(first):
        if index not in of_other:
            frames.append(frame)
            continue
        part = 1.0
        if change is Change.MORPH:
            part = min(1.0, (frame.time - first[min(of_other)].time) / _MORPH_SECONDS)
        frames.append(_mixed(frame, other[(index + shift) % len(other)], part, points))
    return Splice(frames=tuple(frames), of_other=frozenset(of_other))


def most_turned(frames: Sequence[SentFrame], points: FindPoints) -> tuple[int, float]:
    """Return the frame, not near the scan's ends, with the greatest yaw, and that yaw, degrees."""
    yaws = {len(frames) // 2: 0.0}
    for index in range(len(frames) // 5, len(frames) - len(frames) // 5):
        found = points(frames[index])
        if found is not None:
            height, width = frames[index].pixels().shape[:2]
            yaws[index] = estimate_pose(found, (width, height)).yaw
    index = max(yaws, key=lambda at: abs(yaws[at]))
    return index, yaws[index]


def _mirrored(frame: SentFrame) -> SentFrame:
    coded = cv2.imencode(".jpg", frame.pixels()[:, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return SentFrame(frame.time, bytes(coded))


def _others_frames(first: Sequence[SentFrame], change: Change, place: float) -> set[int]:
    count = len(first)
    if change is Change.FLICKER:
        return set(range(int(place * 2.999), count, 3))
    second = 1.0 / (first[-1].time - first[0].time)
    length = {
        Change.LAST_HALF: 0.5,
        Change.LAST_SECOND: second,
        Change.HALF_A_SECOND: 0.5 * second,
        Change.A_SECOND: second,
        Change.MORPH: 0.5 + 0.5 * _MORPH_SECONDS * second,
    }[change]
    long = min(count - 1, max(1, round(length * count)))
    at_the_end = change in {Change.LAST_HALF, Change.LAST_SECOND, Change.MORPH}
    start = count - long if at_the_end else round(place * (count - long))
    return set(range(start, start + long))


def _mixed(ours: SentFrame, theirs: SentFrame, part: float, points: FindPoints) -> SentFrame:
    """Blend the other frame over the first, face on face; ``part`` 1 shows only the other."""
    below, above = ours.pixels(), theirs.pixels()
    height, width = below.shape[:2]
    here, there = points(ours), points(theirs)
    if here is None or there is None:
        laid: BgrImage = np.asarray(cv2.resize(above, (width, height)), np.uint8)
    else:
        move = similarity_transform(there.astype(np.float64), here.astype(np.float64))[:2]
        laid = np.asarray(
            cv2.warpAffine(above, move, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8
        )
    mixed = np.asarray(cv2.addWeighted(below, 1.0 - part, laid, part, 0.0), np.uint8)
    coded = cv2.imencode(".jpg", mixed, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return SentFrame(ours.time, bytes(coded))


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
    known = proportion(events, trials, confidence=2 * confidence - 1)
    return 1.0 if known is None else known.upper


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
