"""The tables of a report on matching, for the terminal and the page."""

from collections.abc import Iterator

from cli.match.words import (
    PROVENANCES,
    SET_TITLES,
    broken_text,
    change,
    group_name,
    interval,
    limits,
    percent,
    rate,
)
from cli.report.sheets import Sheet
from evaluation.match import FmrAt, GroupResult, MatchReport, OperatingPoint, PackReport, Promise, SetResult

__all__ = ["sheets"]


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
