"""The report on presentation attack detection: all figures of one evaluation, as JSON, words and tables.

It cannot be traced to a person: it has counts, rates and curves, no file names and no identities.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np

from lab.evaluation.bench import Machine
from lab.evaluation.binomial import Proportion
from lab.evaluation.document import ReportDocument, Sheet
from lab.evaluation.match.evaluation import Bootstrap
from lab.evaluation.pad.conclusion import Conclusion, Difference
from lab.evaluation.pad.dataset import PadSample
from lab.evaluation.pad.evaluation import EVERY_SPECIES, POOLED, ScorerResult, VerdictCounts
from lab.evaluation.pad.points import DetCurve, FixedApcer, NotSupported, SourceRates
from lab.evaluation.pad.resampling import Interval
from lab.evaluation.pad.runs import ScoreRun
from matcher import SubjectRule

_SCHEMA: Final = 1
_CURVE_POINTS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The material of a measurement.

    Attributes:
        name: ``pictures`` or ``clips``.
        live: Bona fide files.
        groups: Persons, or sittings if persons are unknown.
        live_sources: Sources of the bona fide files.
        live_groups: Persons or sittings of the bona fide files.
        largest: The source that has most files, and its share of them, 0..1.
        left_out: Files that the collector marked as unusable.
    """

    name: str
    files: int
    live: int
    attacks: Mapping[str, int]
    sources: int
    groups: int
    live_sources: int
    live_groups: int
    largest: tuple[str, float]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SetReport:
    """The results of one pack on one set.

    Attributes:
        runs: Every answer; not part of the JSON document.
        results: Results of the runs, in their order.
        conclusion: The fusion against its parts.
    """

    material: Material
    runs: tuple[ScoreRun, ...]
    results: tuple[ScorerResult, ...]
    conclusion: Conclusion | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackReport:
    """The results of one pack.

    Attributes:
        name: Name of the pack, without folders.
        evaluation_only: Whether its terms or quality allow evaluation only.
        networks: Files of its PAD networks with their SHA-256.
        sets: The set of images and the set of clips, if there are any.
    """

    name: str
    version: str
    evaluation_only: bool
    networks: Mapping[str, str]
    sets: tuple[SetReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PadReport:
    """All figures of one evaluation.

    Attributes:
        command: The command that repeats the evaluation, without folders.
        made: Time of the evaluation, with a time zone.
        fusion_model: Version of the fusion's coefficients.
        subjects: The rule by which faces count as persons, by name of the set.
        packs: Results of at least one pack.
    """

    command: str
    made: datetime
    version: str
    machine: Machine
    bootstrap: Bootstrap
    fusion_model: str
    subjects: Mapping[str, SubjectRule]
    packs: tuple[PackReport, ...]

    def to_json(self) -> str:
        """The report as a JSON document."""
        return json.dumps(
            {
                "schema": _SCHEMA,
                "command": self.command,
                "made": self.made.isoformat(),
                "version": self.version,
                "machine": self.machine.to_json(),
                "bootstrap": asdict(self.bootstrap),
                "fusion_model": self.fusion_model,
                "subjects": {name: asdict(rule) for name, rule in self.subjects.items()},
                "packs": [_pack_json(pack) for pack in self.packs],
            },
            indent=2,
            allow_nan=False,
        )


def describe_material(name: str, samples: Sequence[PadSample], *, left_out: int) -> Material:
    """Describe the material of a set.

    Args:
        samples: Its files, at least one.
        left_out: Number of unusable files.
    """
    sources = [sample.source for sample in samples]
    largest = max(sorted(set(sources)), key=sources.count)
    species = sorted({sample.species for sample in samples if not sample.live})
    return Material(
        name=name,
        files=len(samples),
        live=sum(sample.live for sample in samples),
        attacks={name: sum(sample.species == name for sample in samples) for name in species},
        sources=len(set(sources)),
        groups=len({sample.group for sample in samples}),
        live_sources=len({sample.source for sample in samples if sample.live}),
        live_groups=len({sample.group for sample in samples if sample.live}),
        largest=(largest, sources.count(largest) / len(sources)),
        left_out=left_out,
    )


def _pack_json(pack: PackReport) -> dict[str, Any]:
    return {
        "name": pack.name,
        "version": pack.version,
        "evaluation_only": pack.evaluation_only,
        "networks": dict(pack.networks),
        "sets": [
            {
                "material": asdict(each.material),
                "scorers": [
                    _scorer_json(run, result) for run, result in zip(each.runs, each.results, strict=True)
                ],
                "conclusion": None if each.conclusion is None else asdict(each.conclusion),
            }
            for each in pack.sets
        ],
    }


def _scorer_json(run: ScoreRun, result: ScorerResult) -> dict[str, Any]:
    return {
        "scorer": asdict(result.scorer),
        "bona_fide": result.live,
        "attacks": result.attacks,
        "bpnrr": _optional_json(result.live_no_response),
        "bona_fide_verdicts": _optional_json(result.live_verdicts),
        "no_response": {fault.value: count for fault, count in run.fault_counts.items()},
        "auc": {
            "pooled": result.auc,
            "persons": _optional_json(result.auc_within),
            "sources_and_persons": _optional_json(result.auc_across),
            "mean_of_sources": result.auc_of_sources,
        },
        "eer": result.eer,
        "species": [asdict(each) for each in result.species],
        "not_evaluated": list(result.absent),
        "points": [_point_json(point) for point in result.points],
        "held_out": [asdict(each) for each in result.held_out],
        "sources": [asdict(each) for each in result.sources],
        "signals": {name: {"auc": auc, "assessed": count} for name, (auc, count) in result.parts.items()},
        "cpu_milliseconds_median": result.milliseconds,
        "curve": None if result.curve is None else _curve_json(result.curve),
    }


def _point_json(point: FixedApcer | NotSupported) -> dict[str, Any]:
    return {"supported": isinstance(point, FixedApcer), **asdict(point)}


def _optional_json(found: Any) -> dict[str, Any] | None:
    return None if found is None else asdict(found)


def _curve_json(curve: DetCurve) -> dict[str, list[float]]:
    """Return both rates, thinned; the first threshold, which accepts everything, is omitted."""
    chosen = np.unique(np.linspace(1, curve.thresholds.size - 1, _CURVE_POINTS).round().astype(int))
    columns = {"threshold": curve.thresholds, "apcer": curve.apcer, "bpcer": curve.bpcer}
    return {name: [round(float(value), 7) for value in values[chosen]] for name, values in columns.items()}


VENDOR: Final = (
    "For orientation, published figures of a vendor for its passive video liveness, on unpublished data: "
    "accuracy 98.2 %, AUC 0.9988, FAR 0.36 %, FRR 4.97 %, ACER 1.76 %. They are not comparable with "
    "these."
)
LIMITS: Final = (
    "Counts of files are not counts of persons: Clopper-Pearson bounds assume independent files and are too "
    "narrow. Use the intervals over persons and sources."
)


def percent(value: float) -> str:
    """Return a share in percent."""
    return f"{100 * value:.1f} %"


def share(found: Proportion | None) -> str:
    """Return a share in percent, without the percent sign, with its Clopper-Pearson interval."""
    if found is None:
        return "-"
    return f"{100 * found.rate:.1f} [{100 * found.lower:.1f}, {100 * found.upper:.1f}]"


def whole(found: Proportion | None) -> str:
    """Return a share in whole percent, without the percent sign."""
    return "-" if found is None else f"{100 * found.rate:.0f}"


def area(value: float | None) -> str:
    """Return an area under a curve."""
    return "-" if value is None else f"{value:.3f}"


def span(interval: Interval | None, *, digits: int = 1, scale: float = 100.0, signed: bool = False) -> str:
    """Return an interval, in percent by default."""
    if interval is None:
        return "-"
    sign = "+" if signed else ""
    return " to ".join(f"{scale * end:{sign}.{digits}f}" for end in (interval.lower, interval.upper))


def points(value: float) -> str:
    """Return a difference of rates in percentage points."""
    return f"{100 * value:+.1f}"


def not_supported(found: NotSupported) -> str:
    """Return the text in place of a rate that the counts do not support."""
    if not found.attacks:
        return f"{found.basis}: no attack got a response"
    return (
        f"{found.basis} at {found.target:.0%}: {found.attacks} attacks allow no APCER below "
        f"{min(1.0, 3 / found.attacks):.1%}, {found.needed} are needed"
    )


def verdicts(found: VerdictCounts | None) -> tuple[str, str, str, str]:
    """Return the counts of LIVE, SPOOF, INCONCLUSIVE, and no verdict."""
    if found is None:
        return ("-", "-", "-", "-")
    return (f"{found.live}", f"{found.spoof}", f"{found.inconclusive}", f"{found.no_response}")


_AT: Final = 0.10
"""The APCER for the figures of single species and sources."""


def sheets(report: PadReport) -> Iterator[Sheet]:
    """Yield the tables of a report, most important first."""
    for pack in report.packs:
        for each in pack.sets:
            if each.runs:
                at = f"{pack.name}, {each.material.name}"
                yield _files(each, at)
                yield _overview(each, at)
                yield _points(each, at)
                yield from _held_out(each, at)
                yield _species(each, at)
                yield from _decisions(each, at)
                yield _sources(each, at)
                yield from _sources_held_out(each, at)
                yield from _signals(each, at)
                yield from _comparison(each, at)


def _files(each: SetReport, at: str) -> Sheet:
    found, first = each.material, each.results[0]
    rows = [
        (
            species.species + (" (injected)" if species.injected else ""),
            f"{species.presentations}",
            f"{species.doubtful}",
            f"{species.groups}",
            f"{species.sources}",
        )
        for species in first.species
    ]
    rows += [(name, "0, not evaluated", "-", "-", "-") for name in first.absent]
    name, most = found.largest
    notes = [
        f"{found.files} files of {found.groups} persons or sittings and {found.sources} sources; {most:.0%} "
        f"come from {name or 'one source'}."
    ]
    if found.left_out:
        notes.append(f"Omitted as not usable: {found.left_out}.")
    if len(each.runs[0].samples) != found.files:
        notes.append(f"{len(each.runs[0].samples)} scans were cut from them; these are counted.")
    notes.append(
        "Injected: no instrument was in front of the camera, so these are outside ISO/IEC 30107-3 (see "
        "CEN/TS 18099), reported separately, and in no figure of presentation attacks. Guessed: the species "
        "was guessed."
    )
    return Sheet(
        title=f"Measured on: {at}",
        columns=("presentations", "number", "guessed", "persons,\nsittings", "sources"),
        rows=(("bona fide", f"{first.live}", "-", f"{found.live_groups}", f"{found.live_sources}"), *rows),
        notes=tuple(notes),
    )


def _overview(each: SetReport, at: str) -> Sheet:
    silent = [
        f"{run.scorer.name}: "
        + ", ".join(f"{count} {fault.value}" for fault, count in run.fault_counts.items())
        for run in each.runs
        if run.faults
    ]
    return Sheet(
        title=f"Scorers: {at}",
        columns=("scorer", "AUC", "persons", "sources", "mean of\nsources", "EER", "ms"),
        rows=tuple(
            (
                result.scorer.name,
                area(result.auc),
                span(result.auc_within, digits=2, scale=1.0),
                span(result.auc_across, digits=2, scale=1.0),
                area(result.auc_of_sources),
                "-" if result.eer is None else percent(result.eer),
                "-" if result.milliseconds is None else f"{result.milliseconds:.1f}",
            )
            for result in each.results
        ),
        notes=(
            "AUC: the chance that a bona fide presentation scores above an attack; with intervals over "
            "persons and sittings of these sources, and over sources too. Mean of sources: each source with "
            "both kinds counts once. EER is a side note and no operating point (ISO/IEC 30107-3). ms: median "
            "CPU time on one core to the score, from decoded pixels of an image or JPEG frames of a scan.",
            *((f"No response: {'; '.join(silent)}.",) if silent else ()),
        ),
    )


def _points(each: SetReport, at: str) -> Sheet:
    rows = []
    refused: dict[str, None] = {}
    for result in each.results:
        for point in sorted(result.points, key=lambda point: (point.basis != EVERY_SPECIES, point.basis)):
            if isinstance(point, NotSupported):
                refused[not_supported(point)] = None
            else:
                rows.append(
                    (
                        result.scorer.name,
                        point.basis,
                        f"{point.target:.0%}",
                        share(point.bpcer),
                        span(point.within, digits=0),
                        span(point.across, digits=0),
                    )
                )
    return Sheet(
        title=f"BPCER at a fixed APCER, threshold set on the same files: {at}",
        columns=("scorer", "attacks", "APCER", "BPCER, %", "persons", "sources"),
        rows=tuple(rows),
        notes=(
            f"{EVERY_SPECIES}: none may exceed the APCER, as ISO/IEC 30107-3 asks; {POOLED!r} is not "
            "the standard's method and serves for comparison. In brackets Clopper-Pearson; then the "
            "intervals over persons and sittings, and over sources too (-: too few of them). " + LIMITS,
            *((f"Not supported: {'; '.join(refused)}.",) if refused else ()),
        ),
        words=frozenset({1}),
    )


def _held_out(each: SetReport, at: str) -> Iterator[Sheet]:
    rows = [
        (
            result.scorer.name,
            f"{found.target:.0%}",
            share(found.bpcer),
            ", ".join(f"{name} {share(apcer)}" for name, apcer in found.apcer.items()),
        )
        for result in each.results
        for found in result.held_out
    ]
    if rows:
        parts = max(found.parts for result in each.results for found in result.held_out)
        yield Sheet(
            title=f"The same, each threshold set on other files: {at}",
            columns=("scorer", "aim", "BPCER, %", "APCER reached, %"),
            rows=tuple(rows),
            notes=(
                f"{parts} parts: each source, and a source with more than half of the files in parts by "
                "persons and sittings. The threshold for each part keeps every species' APCER on all other "
                "parts at the aim.",
            ),
            words=frozenset({3}),
        )


def _species(each: SetReport, at: str) -> Sheet:
    rows = []
    for result in each.results:
        name = result.scorer.name
        rows.append((name, "bona fide", "-", "-", share(result.live_no_response)))
        rows += [
            (name, found.species, area(found.auc), _apcer(result, found.species), share(found.no_response))
            for found in result.species
        ]
    return Sheet(
        title=f"Species: {at}",
        columns=("scorer", "presentations", "AUC", "APCER, %", "no response, %"),
        rows=tuple(rows),
        notes=(
            "APCER at the threshold that keeps every species at 10 % or below, set on the same files. No "
            "response: BPNRR of bona fide presentations, APNRR of attacks; no errors. In brackets "
            "Clopper-Pearson.",
        ),
        words=frozenset({1}),
    )


def _apcer(result: ScorerResult, species: str) -> str:
    for point in result.points:
        if isinstance(point, FixedApcer) and point.basis == EVERY_SPECIES and point.target == _AT:
            return share(point.apcer.get(species))
    return "-"


def _decisions(each: SetReport, at: str) -> Iterator[Sheet]:
    rows = []
    for result in each.results:
        if result.live_verdicts is not None:
            rows.append((result.scorer.name, "bona fide", *verdicts(result.live_verdicts)))
            rows += [
                (result.scorer.name, found.species, *verdicts(found.verdicts))
                for found in result.species
                if not found.variety
            ]
    if rows:
        yield Sheet(
            title=f"Decided at the shipped thresholds: {at}",
            columns=("scorer", "presentations", "LIVE", "SPOOF", "INCONCLUSIVE", "none"),
            rows=tuple(rows),
            notes=(
                "Errors are SPOOF for bona fide presentations (BPCER) and LIVE for attacks (APCER). "
                "INCONCLUSIVE demands another attempt; like no verdict it is a non-response.",
            ),
            words=frozenset({1}),
        )


def _sources(each: SetReport, at: str) -> Sheet:
    return Sheet(
        title=f"AUC by source: {at}",
        columns=("source", "live", "attacks", *_heads(each)),
        rows=tuple(
            (
                _short(source.source),
                f"{source.live}",
                f"{source.attacks}",
                *(area(result.sources[number].auc) for result in each.results),
            )
            for number, source in enumerate(each.results[0].sources)
        ),
        notes=(
            "Responses of the first scorer are counted. With few files in a source, its area is imprecise.",
        ),
    )


def _sources_held_out(each: SetReport, at: str) -> Iterator[Sheet]:
    by_scorer = [
        next((found.sources for found in result.held_out if found.target == _AT), ())
        for result in each.results
    ]
    if any(by_scorer):
        names = [source.source for source in each.results[0].sources]
        yield Sheet(
            title=f"BPCER / APCER by source, %, at thresholds from other files: {at}",
            columns=("source", *_heads(each)),
            rows=tuple((_short(name), *(_rates(found, name) for found in by_scorer)) for name in names),
            notes=("The thresholds aim at an APCER of 10 %; APCER is the highest of the source's species.",),
        )


def _rates(found: tuple[SourceRates, ...], name: str) -> str:
    rates = next((each for each in found if each.source == name), None)
    if rates is None:
        return "-"
    worst = max(rates.apcer.values(), key=lambda apcer: apcer.rate, default=None)
    return f"{whole(rates.bpcer)} / {whole(worst)}"


def _signals(each: SetReport, at: str) -> Iterator[Sheet]:
    rows = [
        (result.scorer.name, name, f"{auc:.3f}", f"{count}")
        for result in each.results
        for name, (auc, count) in sorted(result.parts.items(), key=lambda part: -part[1][0])
    ]
    if rows:
        yield Sheet(
            title=f"Signals alone: {at}",
            columns=("scorer", "signal", "AUC", "assessed"),
            rows=tuple(rows),
            notes=("A signal with an AUC of 0.5 has no information; below 0.5, it misleads on these files.",),
            words=frozenset({1}),
        )


def _comparison(each: SetReport, at: str) -> Iterator[Sheet]:
    found = each.conclusion
    if found is not None and found.differences:
        counts = "; ".join(
            f"{part.second} {part.live} bona fide, {part.attacks} attacks" for part in found.differences
        )
        yield Sheet(
            title=f"{found.fusion} less each other scorer: {at}",
            columns=("scorer", "of", "difference", "persons", "sources"),
            rows=tuple(row for part in found.differences for row in _difference(part)),
            notes=(
                f"Paired, on the files to which both responded: {counts}. BPCER in points, where the APCER "
                "of all attacks in one is 10 %. An interval without 0 is significant. The "
                "best part was chosen on the same files, which favours it; a network outside the pack is "
                "omitted.",
                f"Therefore: {found.ruling.value}.",
            ),
        )


def _difference(found: Difference) -> Iterator[tuple[str, ...]]:
    yield (
        found.second,
        "AUC",
        f"{found.auc:+.3f}",
        span(found.auc_within, digits=3, scale=1.0, signed=True),
        span(found.auc_across, digits=3, scale=1.0, signed=True),
    )
    yield (
        found.second,
        "BPCER",
        points(found.bpcer),
        span(found.bpcer_within, signed=True),
        span(found.bpcer_across, signed=True),
    )


def _heads(each: SetReport) -> tuple[str, ...]:
    """Return the names of the scorers, with line breaks."""
    return tuple(result.scorer.name.replace(" ", "\n").replace("_", "_\n") for result in each.results)


def _short(source: str) -> str:
    """Return the owner of a source repository, which is short and sufficient."""
    return source.partition("/")[0] or "(none)"


def describe(report: PadReport) -> ReportDocument:
    """Return the report as words and tables."""
    bootstrap = report.bootstrap
    packs = tuple(pack.name for pack in report.packs)
    return ReportDocument(
        title="Presentation attacks",
        packs=packs,
        lead=f"How often {' and '.join(packs)} classified an attack as a person (APCER), and "
        "a person as an attack (BPCER), by ISO/IEC 30107-3.",
        facts={
            "Fusion's coefficients": f"version {report.fusion_model}",
            **{pack.name: _networks(pack) for pack in report.packs},
        },
        sheets=tuple(sheets(report)),
        notes=(
            f"Intervals: two-sided, {bootstrap.confidence:g}, {bootstrap.resamples} samples. Coefficients of "
            f"the fusion: version {report.fusion_model}.",
            VENDOR,
        ),
        method=(
            "pad_method.html",
            {
                "resamples": f"{bootstrap.resamples:,}",
                "confidence": f"{bootstrap.confidence:g}",
                "vendor": VENDOR,
            },
        ),
        command=report.command,
        made=report.made,
        version=report.version,
        machine=report.machine,
    )


def _networks(pack: PackReport) -> str:
    only = ", for evaluation only" if pack.evaluation_only else ""
    return f"{', '.join(pack.networks) or 'no PAD network'}; version {pack.version}{only}"
