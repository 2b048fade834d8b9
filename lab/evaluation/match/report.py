"""The report on matching: all figures of one evaluation, as JSON, words and tables.

It cannot be traced to a photo: it has counts, rates and scores in bins, no file names, no identities and no
templates. Only the file of suspected pairs names identities.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.bench import Machine
from lab.evaluation.document import ReportDocument, Sheet
from lab.evaluation.match.calibration import toml_text
from lab.evaluation.match.duplicates import SuspectedPair
from lab.evaluation.match.error_bounds import FnmrCurve
from lab.evaluation.match.evaluation import MAIN_SET, SEPARATE_SET, Bootstrap, Difference, SetResult
from lab.evaluation.match.groups import GroupPromise, GroupResult
from lab.evaluation.match.impostor_scores import THRESHOLDS
from lab.evaluation.match.operating_points import (
    FmrAt,
    NotSupported,
    OperatingPoint,
    Promise,
    RateInterval,
    promise_of,
)
from lab.evaluation.match.photos import FacePhoto
from lab.evaluation.match.portrait_rates import PortraitResult
from lab.evaluation.match.templates import TemplateRun
from matcher import SubjectRule

_SCHEMA: Final = 1
_CURVE_POINTS: Final = 200
_BINS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Photos:
    """The material of a measurement.

    Attributes:
        kind: ``identities`` (all pairs) or ``pairs`` (those of a list).
        left_out: Omitted photos or pairs by reason.
        guessed: True if the identities were derived from the pairs.
    """

    kind: str
    photos: int
    identities: int
    left_out: Mapping[str, int]
    guessed: bool
    subject: SubjectRule


@dataclass(frozen=True, slots=True, kw_only=True)
class PackReport:
    """The results of one pack.

    Attributes:
        name: Name of the pack, without folders.
        evaluation_only: Whether its terms or quality allow evaluation only.
        embedder_sha256: Its SHA-256, lower-case hex.
        run: Its templates and failures to acquire.
        sets: The main set, then the set measured separately, if there is one.
        groups: Results by column and value.
        calibrated: Rates of the calibration's thresholds on the main set, for each false match rate that the
            calibration supports.
        suspected: Pairs of identities of the main set that may be one person; only their number is reported.
        without_suspected: The main set without comparisons of these pairs; None without such a pair.
        portraits: Results of the photos, degraded as portraits.
    """

    name: str
    version: str
    evaluation_only: bool
    embedder: str
    embedder_sha256: str
    provenance: str
    run: TemplateRun
    sets: tuple[SetResult, ...]
    groups: tuple[GroupResult, ...]
    calibrated: tuple[tuple[float, FmrAt], ...]
    suspected: tuple[SuspectedPair, ...] = ()
    without_suspected: SetResult | None = None
    portraits: tuple[PortraitResult, ...] = ()

    @property
    def broken(self) -> tuple[tuple[GroupResult, GroupPromise], ...]:
        """The promises of the calibration that are broken in a group, beyond chance."""
        return tuple((group, promise) for group in self.groups for promise in group.broken)

    def promise(self, target: float, rates: FmrAt) -> Promise:
        """Return how far FMR on the main set keeps the promise of a threshold of the calibration."""
        return promise_of(target, rates, lowest_bound=float(self.main.fmr.upper_bounds[-1]))

    @property
    def main(self) -> SetResult:
        """The main set."""
        return self.sets[0]

    @property
    def milliseconds(self) -> float:
        """Median CPU time to detect and embed one face, on one core."""
        return float(np.median(self.run.milliseconds))

    @property
    def failure_rate(self) -> float:
        """Failures to acquire over photos, 0..1."""
        return self.run.failures / self.run.photos


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two packs on the same comparisons.

    Attributes:
        first: Name of the pack from whose rates the other's are subtracted.
        second: Name of the other pack.
        differences: Differences by false match rate; empty if the data support none.
    """

    first: str
    second: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchReport:
    """All figures of one evaluation.

    Attributes:
        command: The command that repeats the evaluation, without folders.
        made: Time of the evaluation, with a time zone.
        packs: Results of at least one pack.
        comparisons: Comparison of each further pack with the first.
    """

    command: str
    made: datetime
    version: str
    machine: Machine
    photos: Photos
    bootstrap: Bootstrap
    packs: tuple[PackReport, ...]
    comparisons: tuple[Comparison, ...]

    def set_names(self) -> tuple[str, ...]:
        """Return the names of the sets, each once, in order."""
        return tuple(dict.fromkeys(result.name for pack in self.packs for result in pack.sets))

    def of_set(self, name: str) -> tuple[tuple[str, SetResult], ...]:
        """Return the name and the result of each pack with this set."""
        return tuple((p.name, result) for p in self.packs for result in p.sets if result.name == name)

    def to_json(self) -> str:
        """The report as a JSON document."""
        return json.dumps(
            {
                "schema": _SCHEMA,
                "command": self.command,
                "made": self.made.isoformat(),
                "version": self.version,
                "machine": self.machine.to_json(),
                "photos": {
                    "kind": self.photos.kind,
                    "photos": self.photos.photos,
                    "identities": self.photos.identities,
                    "left_out": dict(self.photos.left_out),
                    "guessed": self.photos.guessed,
                    "subject": asdict(self.photos.subject),
                },
                "bootstrap": asdict(self.bootstrap),
                "packs": [_pack_json(pack) for pack in self.packs],
                "differences": [
                    {
                        "first": each.first,
                        "second": each.second,
                        "fnmr": [asdict(difference) for difference in each.differences],
                    }
                    for each in self.comparisons
                ],
            },
            indent=2,
            allow_nan=False,
        )


def _pack_json(pack: PackReport) -> dict[str, Any]:
    return {
        "name": pack.name,
        "version": pack.version,
        "evaluation_only": pack.evaluation_only,
        "embedder": {"file": pack.embedder, "sha256": pack.embedder_sha256},
        "calibration": {
            "provenance": pack.provenance,
            "thresholds": [
                {"target": target, **asdict(rates), "promise": pack.promise(target, rates).value}
                for target, rates in pack.calibrated
            ],
            "broken_in_groups": [
                {
                    "column": group.column,
                    "value": group.value,
                    "pooled": group.pooled,
                    "target": promise.target,
                    "fmr": promise.rates.fmr,
                    "lower_bound": promise.rates.lower_bound,
                }
                for group, promise in pack.broken
            ],
        },
        "failures_to_acquire": {
            "photos": pack.run.photos,
            "failures": pack.run.failures,
            "rate": pack.failure_rate,
            "reasons": {fault.value: count for fault, count in pack.run.fault_counts.items()},
        },
        "cpu_milliseconds_per_face": {
            "median": pack.milliseconds,
            "mean": float(np.mean(pack.run.milliseconds)),
            "faces": len(pack.run.milliseconds),
        },
        "sets": [_set_json(result) for result in pack.sets],
        "groups": [asdict(group) for group in pack.groups],
        "suspected_duplicates": {
            "pairs": len(pack.suspected),
            "without": None
            if pack.without_suspected is None
            else _points_json(pack.without_suspected.points),
        },
        "portraits": [asdict(result) for result in pack.portraits],
    }


def _set_json(result: SetResult) -> dict[str, Any]:
    edges, genuine, impostors = histogram_counts(result)
    return {
        "name": result.name,
        "persons": result.comparisons.identities,
        "person_pairs": result.fmr.person_pairs,
        "impostor_comparisons": result.fmr.comparisons,
        "genuine_comparisons": 0 if result.fnmr is None else result.fnmr.comparisons,
        "genuine_persons": 0 if result.fnmr is None else result.fnmr.persons,
        "lowest_fmr_bound": float(result.fmr.upper_bounds[-1]),
        "points": _points_json(result.points),
        "curve": _curve_json(result),
        "histogram": {
            "edges": [round(float(edge), 4) for edge in edges],
            "genuine": genuine.tolist(),
            "impostor": impostors.tolist(),
        },
    }


def _points_json(points: Sequence[OperatingPoint | NotSupported]) -> list[dict[str, Any]]:
    return [{"supported": isinstance(point, OperatingPoint), **asdict(point)} for point in points]


def _curve_json(result: SetResult) -> dict[str, list[float]]:
    """Return the curves over the range of the scores, thinned."""
    fmr, fnmr = result.fmr, result.fnmr
    genuine, impostors = result.comparisons.counts()
    reached = np.flatnonzero(genuine + impostors)
    first, last = max(int(reached[0]) - 1, 0), min(int(reached[-1]) + 1, fmr.rates.size - 1)
    chosen = np.unique(np.linspace(first, last, _CURVE_POINTS).round().astype(int))
    columns = {"threshold": fmr.thresholds, "fmr": fmr.rates, "fmr_upper_bound": fmr.upper_bounds}
    if fnmr is not None:
        columns |= {"fnmr": fnmr.rates, "fnmr_lower": fnmr.lower, "fnmr_upper": fnmr.upper}
    return {name: [round(float(value), 7) for value in values[chosen]] for name, values in columns.items()}


def histogram_counts(
    result: SetResult,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the edges of the bins, (61,), and the genuine and impostor comparisons in them, (60,) each."""
    genuine, impostors = result.comparisons.counts()
    reached = np.flatnonzero(genuine + impostors)
    # A cosine that reaches n thresholds lies between threshold n - 1 and the next.
    low, high = THRESHOLDS[reached[0] - 1], THRESHOLDS[min(reached[-1], THRESHOLDS.size - 1)]
    edges = np.linspace(low, high, _BINS + 1)
    middle = THRESHOLDS[:-1] + np.diff(THRESHOLDS) / 2
    one, other = (np.histogram(middle, edges, weights=kind[1:-1])[0] for kind in (genuine, impostors))
    return edges, one.astype(np.int64), other.astype(np.int64)


SET_TITLES: Final = {MAIN_SET: "", SEPARATE_SET: ", photos measured separately"}
PROVENANCES: Final = {
    "measured": "measured by the makers of Facegate",
    "assumed": "assumed from other embedders",
    "measured_by_operator": "measured by the operator",
    "published": "published figures",
}


def rate(value: float) -> str:
    """Return a false match rate: ``1.2e-3``, or ``0``."""
    return "0" if value == 0.0 else f"{value:.1e}".replace("e-0", "e-")


def percent(value: float) -> str:
    """Return a share in percent, with one decimal, or two below 1 %."""
    return f"{100 * value:.2f} %" if 0.0 < value < 0.01 else f"{100 * value:.1f} %"


def interval(found: RateInterval | None) -> str:
    """Return a false non-match rate with its interval, in percent."""
    if found is None:
        return "no pairs"
    share = percent(found.rate).removesuffix(" %")
    return f"{share} [{100 * found.lower:.1f}, {100 * found.upper:.1f}]"


def change(difference: Difference) -> str:
    """Return a difference of false non-match rates with its interval, in percentage points."""
    return f"{100 * difference.change:+.1f} [{100 * difference.lower:+.1f}, {100 * difference.upper:+.1f}]"


def group_name(group: GroupResult) -> str:
    """Return a group's value, or that the groups are pooled."""
    return "all, pooled" if group.pooled else group.value or "(empty)"


def broken_text(pack: PackReport, column: str | None = None) -> str:
    """Return where the promises of a pack's calibration are broken in groups.

    Args:
        column: The column of the groups; ``None`` for all columns.
    """
    places: dict[str, list[str]] = {}
    for group, found in pack.broken:
        if column in {None, group.column}:
            where = f"{group.column} {group_name(group)}"
            places.setdefault(where, []).append(f"{found.target:g}: {rate(found.rates.fmr)}")
    if not places:
        return "No promise is broken beyond chance."
    named = (f"{where} (max_fmr {', '.join(rates)})" for where, rates in places.items())
    return f"Broken: {'; '.join(named)}."


def not_supported(target: float, needed: int) -> str:
    """Return the text in place of a rate that the data do not support."""
    return (
        f"{target:g}: not supported by these data (needs about {needed} persons, all compared with all: "
        f"{needed * (needed - 1) // 2:,} pairs of persons)"
    )


def limits(pack: str, result: SetResult) -> str:
    """Return the numbers of comparisons behind a pack's rates in one set, and the unsupported FMR."""
    fmr, fnmr = result.fmr, result.fnmr
    text = (
        f"{pack}: {_genuine(fnmr)}, {fmr.comparisons:,} impostor comparisons of {fmr.person_pairs:,} pairs "
        f"of {fmr.persons} persons."
    )
    missing = next((point for point in result.points if isinstance(point, NotSupported)), None)
    return text if missing is None else f"{text} FMR {not_supported(missing.target, missing.persons_needed)}."


def _genuine(fnmr: FnmrCurve | None) -> str:
    if fnmr is None:
        return "no genuine comparison"
    return f"{fnmr.comparisons:,} genuine comparisons of {fnmr.persons} persons"


def sheets(report: MatchReport) -> Iterator[Sheet]:
    """Yield the tables of a report, most important first."""
    yield _acquisition(report)
    for name in report.set_names():
        yield from _points(report, name)
    if any(pack.calibrated for pack in report.packs):
        yield _calibrated(report)
    yield from (_differences(report),) if report.comparisons else ()
    if any(pack.portraits for pack in report.packs):
        yield _portraits(report)
    for column in dict.fromkeys(group.column for pack in report.packs for group in pack.groups):
        yield from _groups(report, column)
        yield from _promises(report, column)
    if any(pack.without_suspected for pack in report.packs):
        yield _suspected(report)


def _acquisition(report: MatchReport) -> Sheet:
    first = report.packs[0].milliseconds
    rows = []
    for pack in report.packs:
        reasons = sorted(pack.run.fault_counts.items(), key=lambda item: -item[1])
        rows.append(
            (
                pack.name,
                f"{pack.run.failures} of {pack.run.photos} ({percent(pack.failure_rate)})",
                ", ".join(f"{count} {fault}" for fault, count in reasons) or "-",
                f"{pack.milliseconds:.1f}",
                f"{pack.milliseconds / first:.2f}" if first else "-",
            )
        )
    return Sheet(
        title="Photos to templates",
        columns=("pack", "failures to acquire", "reasons", "ms a face", "ratio"),
        rows=tuple(rows),
        notes=(
            "ms a face: median CPU time on one core to detect and embed, all packs in turn on each photo; "
            "ratio: to the first pack.",
        ),
        words=frozenset({2}),
    )


def _points(report: MatchReport, name: str) -> Iterator[Sheet]:
    results = report.of_set(name)
    supported = any(result.supported for _, result in results)
    for title, at in (("FNMR at a measured FMR", _measured), ("FNMR at a bound on FMR", _bounded)):
        if at is _measured and not supported:
            continue
        yield Sheet(
            title=f"{title}{SET_TITLES[name]}",
            columns=("pack", "FMR", "cosine", "FMR (bound)", "FNMR, %"),
            rows=tuple(
                (
                    pack,
                    f"{point.target:g}",
                    f"{at(point).threshold:.3f}",
                    _fmr(at(point)),
                    interval(at(point).fnmr),
                )
                for pack, result in results
                for point in result.supported
            ),
            notes=() if at is _measured else tuple(limits(pack, result) for pack, result in results),
        )


def _measured(point: OperatingPoint) -> FmrAt:
    return point.measured


def _bounded(point: OperatingPoint) -> FmrAt:
    return point.bounded


def _calibrated(report: MatchReport) -> Sheet:
    rows = [
        (
            pack.name,
            f"{target:g}",
            _fmr(rates),
            interval(rates.fnmr),
            pack.promise(target, rates).value,
        )
        for pack in report.packs
        for target, rates in pack.calibrated
    ]
    return Sheet(
        title="The pack's own calibration on these photos",
        columns=("pack", "max_fmr", "FMR (bound)", "FNMR, %", "promise"),
        rows=tuple(rows),
        notes=tuple(f"{pack.name}: {PROVENANCES[pack.provenance]}." for pack in report.packs),
        words=frozenset({4}),
    )


def _differences(report: MatchReport) -> Sheet:
    rows = [
        (
            each.first,
            f"{found.target:g}",
            change(found),
            f"{found.genuine:,}",
            f"{found.impostors:,}",
            f"{found.only_first}, {found.only_second}",
        )
        for each in report.comparisons
        for found in each.differences
    ]
    return Sheet(
        title=f"Differences to {report.packs[0].name} on the same comparisons",
        columns=("pack", "FMR", "FNMR, points", "genuine", "impostor", "one only"),
        rows=tuple(rows),
        notes=(
            f"FNMR of the pack less that of {report.packs[0].name}, each at its own threshold, in percentage "
            "points; an interval without 0 is significant. One only: photos of which only the pack, and "
            f"only {report.packs[0].name}, made a template.",
        ),
    )


def _groups(report: MatchReport, column: str) -> Iterator[Sheet]:
    for pack in report.packs:
        yield Sheet(
            title=f"Groups by {column}, {pack.name}",
            columns=("group", "photos\n(failed)", "persons", "FMR", "FMR in it", "FNMR, %"),
            rows=tuple(
                row for group in pack.groups if group.column == column for row in _group_rows(group, pack)
            ),
            notes=(
                "At the thresholds of all photos together, for the named FMR; in brackets the bounds of this "
                "group. The rates of a group with few persons are imprecise: see its bounds. Pooled: the "
                "comparisons within each of the groups.",
            ),
        )


def _group_rows(group: GroupResult, pack: PackReport) -> Iterator[tuple[str, ...]]:
    head = (group_name(group), f"{group.photos} ({group.failures})", str(group.persons))
    if not group.rates:
        yield (*head, "-", "fewer than two persons", "-")
    for point, found in zip(pack.main.supported, group.rates, strict=False):
        if group.lowest_bound > point.target and found.lower_bound <= point.target:
            yield (*head, f"{point.target:g}", Promise.NOT_SUPPORTED.value, interval(found.fnmr))
        else:
            yield (*head, f"{point.target:g}", _fmr(found), interval(found.fnmr))


def _promises(report: MatchReport, column: str) -> Iterator[Sheet]:
    for pack in report.packs:
        rows = [
            (
                group_name(group),
                f"{promise.target:g}",
                _fmr(promise.rates),
                f"{rate(promise.rates.lower_bound)}",
                promise.promise.value,
            )
            for group in pack.groups
            if group.column == column
            for promise in group.promises
        ]
        if rows:
            yield Sheet(
                title=f"The pack's own calibration in groups by {column}, {pack.name}",
                columns=("group", "max_fmr", "FMR (bound)", "at least", "promise"),
                rows=tuple(rows),
                notes=(
                    "Broken: the lower bound on FMR in the group is above the promised rate. Not supported "
                    "by data: the group's persons could not show the rate with any scores. "
                    + broken_text(pack, column),
                ),
                words=frozenset({4}),
            )


def _portraits(report: MatchReport) -> Sheet:
    rows = [
        (
            pack.name,
            result.degradation.value,
            f"{result.failures} of {result.portraits}",
            f"{found.target:g}{' (calibration)' if found.calibrated else ''}",
            rate(found.fmr),
            interval(found.fnmr),
            interval(found.plain),
        )
        for pack in report.packs
        for result in pack.portraits
        for found in result.rates
    ]
    return Sheet(
        title="Portraits of documents against photos",
        columns=("pack", "portrait", "failures", "threshold for FMR", "FMR", "FNMR, %", "FNMR of photos, %"),
        rows=tuple(rows),
        notes=(
            "Photos, cut and degraded as portraits, against the other photos of their persons, at the "
            "thresholds of the photos as they are. The degradations are models of documents, not documents.",
            *(
                f"{pack.name}, {result.degradation}: {result.genuine:,} genuine comparisons of "
                f"{result.persons} persons, {result.impostors:,} impostor comparisons."
                for pack in report.packs
                for result in pack.portraits
            ),
        ),
        words=frozenset({1}),
    )


def _suspected(report: MatchReport) -> Sheet:
    rows = [
        (
            pack.name,
            str(len(pack.suspected)),
            f"{point.target:g}",
            *(
                f"{found.measured.threshold:.3f}: {interval(found.measured.fnmr)}" if found else "-"
                for found in (point, _same_target(pack.without_suspected, point.target))
            ),
        )
        for pack in report.packs
        for point in pack.main.supported
    ]
    return Sheet(
        title="Identities that may be one person",
        columns=("pack", "pairs", "FMR", "cosine: FNMR, % with them", "without them"),
        rows=tuple(rows),
        notes=(
            "Pairs of identities whose score is implausible for two persons; suspected_duplicates.toml "
            "beside the report names them. Look at the photos before you correct a label.",
        ),
    )


def _same_target(result: SetResult | None, target: float) -> OperatingPoint | None:
    points = () if result is None else result.supported
    return next((point for point in points if point.target == target), None)


def _fmr(found: FmrAt) -> str:
    return f"{rate(found.fmr)} (≤ {rate(found.upper_bound)})"


def describe(report: MatchReport) -> ReportDocument:
    """Return the report as words and tables."""
    photos, bootstrap = report.photos, report.bootstrap
    packs = tuple(pack.name for pack in report.packs)
    left_out = ", ".join(f"{count} {why}" for why, count in photos.left_out.items())
    notes = [
        f"{photos.photos} photos of {photos.identities} persons{'; omitted: ' * bool(left_out)}{left_out}.",
        f"Bounds on FMR are one-sided, intervals of FNMR two-sided, {bootstrap.confidence:g}, from "
        f"{bootstrap.resamples} draws of persons or Clopper-Pearson over effective comparisons, whichever "
        "is wider.",
    ]
    broken = [
        f"{pack.name}: the calibration's promise is broken in a group. {broken_text(pack)}"
        for pack in report.packs
        if pack.broken
    ]
    notes += broken
    if photos.guessed:
        notes.insert(1, "Identities were inferred from the pairs; give a manifest.csv to state them.")
    return ReportDocument(
        title="Same person?",
        packs=packs,
        lead=f"How often {' and '.join(packs)} matched two persons as one (FMR), and failed to match "
        + " ".join(["one person (FNMR), by ISO/IEC 19795-1.", *broken]),
        facts={
            "Photos": f"{photos.photos:,}",
            "Persons": f"{photos.identities:,}" + (" (inferred from the pairs)" if photos.guessed else ""),
            "Compared": "all with all" if photos.kind == "identities" else "the pairs of a list",
            "Omitted": left_out or "nothing",
            **{pack.name: _embedder(pack) for pack in report.packs},
        },
        sheets=tuple(sheets(report)),
        notes=tuple(notes),
        method=(
            "match_method.html",
            {"resamples": f"{bootstrap.resamples:,}", "confidence": f"{bootstrap.confidence:g}"},
        ),
        command=report.command,
        made=report.made,
        version=report.version,
        machine=report.machine,
    )


def _embedder(pack: PackReport) -> str:
    only = ", for evaluation only" if pack.evaluation_only else ""
    return f"{pack.embedder}, version {pack.version}{only}"


SUSPECTED = "suspected_duplicates.toml"

_HEAD = """\
# Identities that may be one person, by the scores of each pack. This file names persons: keep it private.
# Look at both photos. Then keep a pair as it is (it is not compared), move it to [[same_person]] if it is one
# person, or delete it, and give the file to --corrections.
"""


def suspected_files(report: MatchReport, photos: Sequence[FacePhoto]) -> dict[str, bytes]:
    """Return the file by its name; empty if no pair is suspected.

    Args:
        photos: The photos, by the positions in the report.
    """
    entries: dict[tuple[str, str], str] = {}
    for pack in report.packs:
        for pair in pack.suspected:
            one, other = (photos[position].path.name for position in pair.photos)
            reason = f"{one} and {other}: cosine {pair.cosine:.3f} with {pack.name}"
            entries.setdefault(pair.identities, reason)
    if not entries:
        return {}
    text = _HEAD + "".join(
        f"\n[[unsure]]\nidentities = [{toml_text(first)}, {toml_text(second)}]\n"
        f"reason = {toml_text(reason)}\n"
        for (first, second), reason in entries.items()
    )
    return {SUSPECTED: text.encode()}
