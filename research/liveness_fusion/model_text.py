"""Writes the text of the fusion model's data file."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from liveness import FusionModel
from liveness.fusion_model import Motion, NetworkCalibrations, SignalGroup, Traces

__all__ = ["model_text"]


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
    lines += ["", "[decision]", *_numbers(asdict(model.decision)), "", "[reliability]"]
    for name, bins in model.reliability.items():
        for one in bins:
            lines += [
                "",
                f"[[reliability.{json.dumps(name)}]]",
                f"predicted = {one.predicted:.3f}",
                f"live = {one.live}",
                f"count = {one.count}",
                f"lower = {one.lower:.3f}",
                f"upper = {one.upper:.3f}",
            ]
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
        if one.cues is not None:
            lines += _group(f"{name}.{json.dumps(names)}.cues", one.cues)
    return lines


def _numbers(values: Mapping[str, float]) -> list[str]:
    return [f"{name} = {value:.3f}" for name, value in values.items()]
