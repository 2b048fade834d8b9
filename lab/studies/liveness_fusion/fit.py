"""Fits ``liveness/fusion_model.toml``: ``python -m lab.studies.liveness_fusion.fit ROWS --out FOLDER``.

Reads the rows of ``measure`` beside it. All parts are logistic regressions in the log odds of
the signals' scores (``parts``), with equal total weight for live and attack. Weights are at least 0 and
drawn to a prior, because there are few data. The validation and the counts in the record leave out each
source in turn. The part that distinguishes the species of attacks is kept from the
shipped model, because there are too few attacks to fit it.

Writes ``fusion_model.toml`` into the folder. To ship the model, copy it over ``liveness/fusion_model.toml``.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType

from lab.studies.liveness_fusion.left_out import (
    POLICIES,
    RowDecisions,
    count_pushes,
    decide_left_out,
    decide_unseen,
    placed_without,
    sure_counts,
    with_sure,
)
from lab.studies.liveness_fusion.parts import OWN, Limits, fit_parts, sets_of
from lab.studies.liveness_fusion.rows import Row, RowKind, RowsUnusable, read_rows
from liveness import FusionModel, Verdict, load_fusion_model
from liveness.errors import FusionModelError
from liveness.fusion_model import Motion, NetworkCalibrations, SignalGroup, Traces


def model_text(model: FusionModel) -> str:
    """Return ``model`` as text for ``liveness.fusion_model.parse_fusion_model``."""
    lines = [
        "# Written by the commands in the record; see liveness/fusion_model.py for what each number means.",
        f"version = {json.dumps(model.version)}",
        *_motion(model.motion),
        *_traces(model.traces),
        *_networks("scan_networks", model.scan_networks),
        *_networks("still_networks", model.still_networks),
    ]
    lines += ["", "[decision]", *_numbers(asdict(model.decision))]
    lines += ["", "[record]", *(f"{name} = {json.dumps(text)}" for name, text in model.record.items())]
    return "\n".join(lines) + "\n"


def _group(name: str, group: SignalGroup) -> list[str]:
    return [
        "",
        f"[{name}]",
        f"bias = {group.bias:.3f}",
        f"most_for = {group.most_for:.3f}",
        f"most_against = {group.most_against:.3f}",
        "",
        f"[{name}.weights]",
        *_numbers(group.weights),
        "",
        f"[{name}.neutral]",
        *_numbers(group.neutral),
    ]


def _traces(traces: Traces) -> list[str]:
    lines = ["", "[traces]", f"most_against = {traces.most_against:.3f}", "", "[traces.signals]"]
    for name, one in traces.signals.items():
        lines += [
            "",
            f"[traces.signals.{name}]",
            *_numbers({"begins": one.begins, "full": one.full, "strength": one.strength}),
        ]
    return lines


def _motion(motion: Motion) -> list[str]:
    return [
        "",
        "[motion]",
        f"most_against = {motion.most_against:.3f}",
        "",
        "[motion.weights]",
        *_numbers(motion.weights),
    ]


def _networks(name: str, networks: NetworkCalibrations) -> list[str]:
    lines: list[str] = []
    named = {" + ".join(sorted(names)) or "none": one for names, one in networks.known.items()}
    for names, one in {**named, "default": networks.unknown}.items():
        lines += [
            "",
            f"[{name}.{json.dumps(names)}]",
            f"bias = {one.bias:.3f}",
            f"weight = {one.weight:.3f}",
            f"motion_for = {one.motion_for:.3f}",
        ]
        if one.sure is not None:
            lines.append(f"sure = {one.sure:.1f}")
        if one.sure_early is not None:
            lines.append(f"sure_early = {one.sure_early:.1f}")
        if one.cues is not None:
            lines += _group(f"{name}.{json.dumps(names)}.cues", one.cues)
    return lines


def _numbers(values: Mapping[str, float]) -> list[str]:
    return [f"{name} = {value:.3f}" for name, value in values.items()]


_VERSION = "9"
_DEEPFAKE = "deepfake"
_SCAN = (RowKind.CLIP,)
_STILL = (RowKind.PICTURE, RowKind.FRAME)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not fit."""
    parser = argparse.ArgumentParser(prog="python -m lab.studies.liveness_fusion.fit")
    parser.add_argument("rows", type=Path, nargs="+", help="files of lab.studies.liveness_fusion.measure")
    parser.add_argument(
        "--unseen", type=Path, help="rows of measure --only unseen, for the line from which a scan is sure"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the model")
    options = parser.parse_args(arguments)
    try:
        rows = [row for path in options.rows for row in read_rows(path)]
        unseen = [] if options.unseen is None else read_rows(options.unseen)
        model = fit_model(rows, load_fusion_model(), Limits(), unseen=unseen)
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "fusion_model.toml").write_text(model_text(model), encoding="utf-8")
    except (RowsUnusable, FusionModelError, OSError) as error:
        sys.stderr.write(f"could not fit: {error}\n")
        return 2
    for name, text in model.record.items():
        sys.stdout.write(f"{name}: {text}\n")
    return 0


def fit_model(
    rows: Sequence[Row], base: FusionModel, limits: Limits, *, unseen: Sequence[Row] = ()
) -> FusionModel:
    """Fit the model and its record.

    Args:
        base: The model that gives what is not fitted.
        limits: Numbers of the model that are set, not fitted.
        unseen: Further rows, only for the line from which a set of networks is sure.
    """
    fitted = fit_parts(rows, base, limits)
    networks = _shown(rows)
    several = [names for names in sets_of({name for row in rows for name in row.networks}) if len(names) > 1]
    asked = list(dict.fromkeys([*networks, *several]))
    decided = list(decide_left_out(rows, base, limits, networks=asked))
    tested = [*decided, *decide_unseen(unseen, fitted, asked)]
    return replace(
        with_sure(fitted, tested),
        version=_VERSION,
        record=MappingProxyType(
            _record(rows, fitted, limits, decided) | _sure_record(tested, unseen, several)
        ),
    )


def _shown(rows: Sequence[Row]) -> list[frozenset[str]]:
    """The sets of networks that the record states: none, each alone, and the public ones together."""
    sets = sets_of({name for row in rows for name in row.networks})
    public = max((names for names in sets if OWN not in names), key=len, default=frozenset[str]())
    return [
        frozenset(),
        *(names for names in sets if len(names) == 1),
        *([public] if len(public) > 1 else []),
    ]


def _named(networks: frozenset[str]) -> str:
    return " + ".join(sorted(networks)) or "without_network"


def _record(
    rows: Sequence[Row], model: FusionModel, limits: Limits, decided: Sequence[RowDecisions]
) -> dict[str, str]:
    networks = _shown(rows)
    counts = Counter((row.kind, _label(row)) for row in rows)
    sources = {kind: len({row.source for row in rows if row.kind is kind}) for kind in RowKind}
    record = {
        "commands": (
            "python -m lab.studies.liveness_fusion.measure --assets ASSETS --pack open:MODELS "
            "--pack embedded --out ROWS; the same with --only unseen --out UNSEEN; "
            "python -m lab.studies.liveness_fusion.fit ROWS --unseen UNSEEN --out FOLDER"
        ),
        "data": "; ".join(
            f"{kind.value}: "
            + ", ".join(f"{count} {label}" for (of, label), count in sorted(counts.items()) if of is kind)
            + f" of {sources[kind]} sources"
            for kind in RowKind
            if sources[kind]
        ),
        "limits": (
            "Few persons, one source of nearly all prints, eight recorded screens, four deepfake files, no "
            "masks; photos in motion are rendered and show no medium. Sources are left out in turn, but the "
            "signals' own lines were read from the same clips. Not an error rate."
        ),
        "decision": "Its lines are set by hand.",
    }
    unseen = placed_without(rows, model, limits)
    for name in model.traces.signals:
        record[f"trace_{name}_as_shipped"] = _pushed(rows, name, lambda _: model)
        record[f"trace_{name}_placed_without_the_source"] = _pushed(rows, name, unseen)
    for name, (live, spoof) in POLICIES.items():
        for title, kinds, asked in (
            ("scans", _SCAN, networks),
            ("photos_in_motion", (RowKind.PRESENTED,), [frozenset[str]()]),
            ("stills", _STILL, networks),
        ):
            found = [f"{_named(names)}: {_verdicts(decided, kinds, names, name)}" for names in asked]
            record[f"left_out_{name}_{title}"] = f"thresholds {live:g} and {spoof:g}: {'; '.join(found)}"
    return record


def _sure_record(
    tested: Sequence[RowDecisions], unseen: Sequence[Row], several: Sequence[frozenset[str]]
) -> dict[str, str]:
    scans = [row for row in unseen if row.kind is RowKind.CLIP]
    counts = Counter(_label(row) for row in scans)
    found = {names: sure_counts(tested, names) for names in several}
    record = {
        "sure_unseen": ", ".join(f"{count} {label}" for label, count in sorted(counts.items()))
        + f" of {len({row.source for row in scans})} sources, to which nothing was fitted"
    }
    for title in ("scans", "early", "pictures"):
        record[f"sure_{title}"] = "sources left out or unseen: " + "; ".join(
            f"{_named(names)}: {counted[title]}" for names, counted in found.items()
        )
    return record


def _pushed(rows: Sequence[Row], trace: str, model_for: Callable[[str], FusionModel]) -> str:
    """Describe the effect of a trace alone under policy ``standard``; bounds are one-sided, 95 %."""
    found = []
    for title, kinds in (("stills", _STILL), ("scans", _SCAN)):
        for label in ("live", "attack"):
            chosen = [row for row in rows if row.kind in kinds and _label(row) == label]
            pushes = count_pushes(chosen, trace, model_for=model_for)
            if pushes is not None:
                seen, left, fallen = (
                    f"{share.hits} (at most {share.upper:.1%})"
                    for share in (pushes.seen, pushes.from_live, pushes.into_spoof)
                )
                found.append(
                    f"{title}, {label}: seen on {seen} of {pushes.seen.trials}, no longer LIVE by it alone "
                    f"{left}, SPOOF by it alone {fallen}"
                )
    return "; ".join(found)


def _verdicts(
    decided: Sequence[RowDecisions], kinds: Sequence[RowKind], networks: frozenset[str], policy: str
) -> str:
    found: dict[str, Counter[Verdict]] = {}
    for one in decided:
        if one.row.kind in kinds and one.networks == networks:
            found.setdefault(_label(one.row), Counter())[one.results[policy].verdict] += 1
    return ", ".join(
        f"{label} {counts[Verdict.LIVE]} LIVE {counts[Verdict.SPOOF]} SPOOF of {counts.total()}"
        for label, counts in sorted(found.items(), reverse=True)
    )


def _label(row: Row) -> str:
    if row.live:
        return "live"
    return "deepfake" if row.species == _DEEPFAKE else "attack"


if __name__ == "__main__":
    sys.exit(main())
