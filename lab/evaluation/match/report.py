"""All figures of one evaluation, as JSON and for the tables and the page; DET curves and histograms as PNG.

The report cannot be traced to a photo: it has counts, rates and scores in bins, no file names, no identities
and no templates. The drawings need the extra ``evaluation``, for matplotlib.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.bench import Machine
from lab.evaluation.figures import COLOURS, STYLES, finish_rates, new_figure, png
from lab.evaluation.match.duplicates import SuspectedPair
from lab.evaluation.match.evaluation import Bootstrap, Difference, SetResult
from lab.evaluation.match.groups import GroupPromise, GroupResult
from lab.evaluation.match.impostor_scores import THRESHOLDS
from lab.evaluation.match.operating_points import FmrAt, NotSupported, OperatingPoint, Promise, promise_of
from lab.evaluation.match.portrait_rates import PortraitResult
from lab.evaluation.match.templates import TemplateRun
from matcher import SubjectRule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BINS: Final = 60
_GENUINE, _IMPOSTOR = "#0072b2", "#d55e00"
_QUIET: Final = "#666666"


def det_chart(series: Sequence[tuple[str, SetResult]], *, title: str) -> bytes:
    """Draw a DET plot (ISO/IEC 19795-1): FNMR over FMR, both on logarithmic axes.

    A curve ends on the left at the lowest bound on FMR that the data support. The thin line of its colour is
    the upper end of the interval of FNMR. A rate of 0 is drawn at the lower edge.

    Args:
        series: A name and the result of one pack each.

    Returns:
        A PNG file.
    """
    figure = new_figure(7.2, 5.0)
    axes = figure.add_subplot()
    with_fnmr = [(name, result) for name, result in series if result.fnmr is not None]
    floor = min(
        (0.5 / result.fnmr.comparisons for _, result in with_fnmr if result.fnmr is not None), default=1e-3
    )
    left = min((float(result.fmr.upper_bounds[-1]) for _, result in with_fnmr), default=1e-3)
    for number, (name, result) in enumerate(with_fnmr):
        _det_curve(axes, result, name=name, number=number, floor=floor)
    finish_rates(
        axes,
        title=title,
        labels=("FMR (false match rate)", "FNMR (false non-match rate)"),
        left=left,
        floor=floor,
        legend="upper right",
        empty="" if with_fnmr else "no genuine comparison",
    )
    return png(figure)


def histogram_chart(series: Sequence[tuple[str, SetResult]], *, title: str) -> bytes:
    """Draw the cosines of genuine and of impostor comparisons, one panel per pack.

    The area of each kind is 1. Dotted lines are thresholds, with the bound on FMR that each has.

    Args:
        series: A name and the result of one pack each; at least one.

    Returns:
        A PNG file.
    """
    figure = new_figure(7.2, 1.2 + 2.2 * len(series))
    panels = figure.subplots(len(series), 1, squeeze=False)[:, 0]
    for axes, (name, result) in zip(panels, series, strict=True):
        edges, genuine, impostors = histogram_counts(result)
        for counts, colour, kind in ((impostors, _IMPOSTOR, "impostor"), (genuine, _GENUINE, "genuine")):
            total = int(counts.sum())
            if total:
                share = counts / (total * np.diff(edges))
                axes.stairs(share, edges, fill=True, color=colour, alpha=0.45, label=f"{kind}, {total:,}")
        for point in result.supported:
            axes.axvline(point.bounded.threshold, color=_QUIET, linestyle=":", linewidth=1.0)
            axes.annotate(
                f"{point.target:g}",
                (point.bounded.threshold, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(2, -9),
                textcoords="offset points",
                fontsize=8,
                color=_QUIET,
            )
        axes.set(title=name, yticks=[])
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
        axes.spines[["top", "right", "left"]].set_visible(False)
    panels[-1].set_xlabel("cosine similarity")
    figure.suptitle(title)
    return png(figure)


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


def _det_curve(axes: "Axes", result: SetResult, *, name: str, number: int, floor: float) -> None:
    if result.fnmr is None:
        return
    fmr, fnmr = result.fmr, result.fnmr
    kept = fmr.rates >= fmr.upper_bounds[-1]
    colour, style = COLOURS[number % len(COLOURS)], STYLES[number % len(STYLES)]
    drawn: dict[str, Any] = {"color": colour, "linestyle": style, "linewidth": 1.8}
    axes.plot(fmr.rates[kept], np.maximum(fnmr.rates[kept], floor), label=name, **drawn)
    axes.plot(fmr.rates[kept], fnmr.upper[kept], **{**drawn, "linewidth": 0.7})


_SCHEMA: Final = 1
_CURVE_POINTS: Final = 200


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
                "packs": [_pack(pack) for pack in self.packs],
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


def _pack(pack: PackReport) -> dict[str, Any]:
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
        "sets": [_set(result) for result in pack.sets],
        "groups": [asdict(group) for group in pack.groups],
        "suspected_duplicates": {
            "pairs": len(pack.suspected),
            "without": None if pack.without_suspected is None else _points(pack.without_suspected.points),
        },
        "portraits": [asdict(result) for result in pack.portraits],
    }


def _set(result: SetResult) -> dict[str, Any]:
    edges, genuine, impostors = histogram_counts(result)
    return {
        "name": result.name,
        "persons": result.comparisons.identities,
        "person_pairs": result.fmr.person_pairs,
        "impostor_comparisons": result.fmr.comparisons,
        "genuine_comparisons": 0 if result.fnmr is None else result.fnmr.comparisons,
        "genuine_persons": 0 if result.fnmr is None else result.fnmr.persons,
        "lowest_fmr_bound": float(result.fmr.upper_bounds[-1]),
        "points": _points(result.points),
        "curve": _curve(result),
        "histogram": {
            "edges": [round(float(edge), 4) for edge in edges],
            "genuine": genuine.tolist(),
            "impostor": impostors.tolist(),
        },
    }


def _points(points: Sequence[OperatingPoint | NotSupported]) -> list[dict[str, Any]]:
    return [{"supported": isinstance(point, OperatingPoint), **asdict(point)} for point in points]


def _curve(result: SetResult) -> dict[str, list[float]]:
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
