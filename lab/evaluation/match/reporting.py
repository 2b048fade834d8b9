"""The content of a report on matching: its words, tables and charts, and the pairs that may be one person.

It shows no person; the file of suspected pairs names identities.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from lab.evaluation.match.calibration import toml_text
from lab.evaluation.match.error_bounds import FnmrCurve
from lab.evaluation.match.evaluation import MAIN_SET, SEPARATE_SET, Difference, SetResult
from lab.evaluation.match.groups import GroupResult
from lab.evaluation.match.operating_points import FmrAt, NotSupported, OperatingPoint, Promise, RateInterval
from lab.evaluation.match.photos import FacePhoto
from lab.evaluation.match.report import MatchReport, PackReport, det_chart, histogram_chart
from lab.evaluation.reporting import Chart, ReportDocument, Sheet

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


_DET: Final = (
    "DET curves: FNMR over FMR; the thin lines are the upper ends of the intervals of FNMR. A curve ends "
    "where the number of persons supports no lower FMR. A rate of 0 is drawn at the lower edge."
)
_SCORES: Final = (
    "Scores of genuine and of impostor comparisons, each of area 1; the dotted lines are the thresholds with "
    "their bounds on FMR."
)


def draw_charts(report: MatchReport) -> Iterator[Chart]:
    """Yield the charts of every set."""
    first, *_ = report.set_names()
    for name in report.set_names():
        series = report.of_set(name)
        suffix, said = ("", "") if name == first else (f"_{name}", f" Photos measured {name}.")
        det = det_chart(series, title="FNMR over FMR")
        yield Chart(name=f"det{suffix}", png=det, caption=_DET + said)
        scores = histogram_chart(series, title="Scores and thresholds")
        yield Chart(name=f"scores{suffix}", png=scores, caption=_SCORES + said)


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
