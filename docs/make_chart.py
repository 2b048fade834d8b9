"""Writes the generated files of the chart, ``values.schema.json`` and ``README.md``.

Run ``make reference`` after a change of ``helm/facegate/values.yaml`` or of the settings.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import yaml

from server.configuration.settings import Settings

CHART: Final = Path(__file__).resolve().parents[1] / "helm" / "facegate"
_README: Final = """\
# The Helm chart of Facegate

Installs [Facegate](../../README.md) on Kubernetes 1.30 or newer;
[docs/kubernetes.md](../../docs/kubernetes.md) has the steps. The chart holds no secret: it refers to Secrets.
It refuses values that cannot work, such as several replicas with SQLite, and misspelt settings of the server.

## Values

A value without a default is empty or off. `make reference` writes this page from `values.yaml`; do not edit
it by hand.

"""
_TYPES: Final = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
_SIZE: Final = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?([kMGTP]|[KMGTP]i)?$"}
_SCHEDULE: Final = {
    "type": "string",
    "pattern": r"^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|\S+( \S+){4})$",
}
_HOST: Final = {
    "type": "string",
    "pattern": r"^((\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)?$",
}
_HOSTS: Final = {"type": "array", "items": {**_HOST, "minLength": 1}}
_QUANTITY: Final = {
    "type": ["string", "number"],
    "minimum": 0,
    "pattern": r"^[0-9]+(\.[0-9]+)?([eE][0-9]+|m|[kMGTPE]|[KMGTPE]i)?$",
}
_QUANTITIES: Final = {"type": "object", "additionalProperties": _QUANTITY}


def _table(**fields: Any) -> dict[str, Any]:
    """A table of Kubernetes with the types of some fields. The templates refuse numbers in place of texts."""
    return {"type": "object", "properties": fields}


def _list(form: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": form}


# A value of the chart's own may be replaced by null.
_YES_NO: Final = {"type": ["boolean", "null"]}
_NUMBER: Final = {"type": ["integer", "null"], "minimum": 0}
_FILES: Final = _list(_table(mode=_NUMBER))
_PEERS: Final = _list({"type": "object"})
_PORT: Final = {"type": ["integer", "string"], "minimum": 1, "maximum": 65535, "pattern": "[a-z]"}
# Facts that a default does not show.
_FORMS: Final[dict[str, dict[str, Any]]] = {
    "image.digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "persistence.size": _SIZE,
    "models.size": _SIZE,
    "podDisruptionBudget.maxUnavailable": {
        "type": ["integer", "string"],
        "minimum": 0,
        "pattern": "^[0-9]{1,3}%$",
    },
    "web.hostnames": _HOSTS,
    "gateway.hostnames": _HOSTS,
    "gateway.backendHostname": _HOST,
    "ingress.host": _HOST,
    "certificate.deviceNames": _HOSTS,
    "certificate.serviceNames": _HOSTS,
    "imagePullSecrets": _list({**_table(), "required": ["name"]}),
    "tolerations": _list(
        _table(
            operator={"enum": ["Exists", "Equal"]},
            effect={"enum": ["", "NoSchedule", "PreferNoSchedule", "NoExecute"]},
            tolerationSeconds={"type": "integer"},
        )
    ),
    "topologySpreadConstraints": _list(_table(maxSkew={"type": "integer", "minimum": 1}, minDomains=_NUMBER)),
    "podSecurityContext": _table(
        runAsNonRoot=_YES_NO,
        runAsUser=_NUMBER,
        runAsGroup=_NUMBER,
        fsGroup=_NUMBER,
        supplementalGroups=_list({"type": "integer", "minimum": 0}),
    ),
    "securityContext": _table(
        allowPrivilegeEscalation=_YES_NO,
        privileged=_YES_NO,
        readOnlyRootFilesystem=_YES_NO,
        runAsNonRoot=_YES_NO,
        runAsUser=_NUMBER,
        runAsGroup=_NUMBER,
    ),
    "resources": _table(requests=_QUANTITIES, limits=_QUANTITIES),
    "extraVolumes": _list(
        {
            **_table(
                secret=_table(defaultMode=_NUMBER, optional=_YES_NO, items=_FILES),
                configMap=_table(defaultMode=_NUMBER, optional=_YES_NO, items=_FILES),
                persistentVolumeClaim=_table(readOnly=_YES_NO),
                csi=_table(readOnly=_YES_NO),
                emptyDir=_table(sizeLimit=_QUANTITY),
                projected=_table(defaultMode=_NUMBER),
            ),
            "required": ["name"],
        }
    ),
    "extraVolumeMounts": _list(
        {
            **_table(readOnly=_YES_NO),
            "required": ["name", "mountPath"],
        }
    ),
    "networkPolicy.deviceFrom": _PEERS,
    "networkPolicy.serviceFrom": _PEERS,
    "networkPolicy.adminFrom": _PEERS,
    "networkPolicy.egress": _list(
        _table(
            to=_PEERS,
            ports=_list(_table(port=_PORT, endPort=_NUMBER, protocol={"enum": ["TCP", "UDP", "SCTP"]})),
        )
    ),
    "retention.schedule": _SCHEDULE,
    "backup.schedule": _SCHEDULE,
    "doctor.schedule": _SCHEDULE,
}
_KEY: Final = re.compile(r"^(?P<indent> *)(?P<name>[A-Za-z]+):(?P<rest>.*)$")
_CHOICES: Final = re.compile(r"One of: ((?:`[^`]+`(?:, )?)+)")


@dataclass(frozen=True, slots=True)
class ChartValue:
    """One value of the chart.

    Attributes:
        path: Its path, such as ``("image", "tag")``.
        description: Its comment, as one line.
    """

    path: tuple[str, ...]
    default: Any
    description: str


def chart_values() -> tuple[ChartValue, ...]:
    """Return every value that ``values.yaml`` describes by a comment ``# --``, in the order of the file."""
    text = (CHART / "values.yaml").read_text()
    defaults = yaml.safe_load(text)
    return tuple(_described(text.splitlines(), defaults))


def _described(lines: list[str], defaults: dict[str, Any]) -> Iterator[ChartValue]:
    path: list[tuple[int, str]] = []
    comment: list[str] | None = None
    below: int | None = None
    for line in lines:
        stripped = line.strip()
        if stripped.startswith("# -- "):
            comment = [stripped.removeprefix("# -- ")]
            continue
        if stripped.startswith("# ") and comment is not None:
            comment.append(stripped.removeprefix("# "))
            continue
        key = _KEY.match(line)
        if key is None:
            continue
        indent = len(key["indent"])
        if below is not None and indent > below:
            # Part of a value that was described as a whole.
            continue
        below = None
        path = [*((depth, name) for depth, name in path if depth < indent), (indent, key["name"])]
        if comment is None:
            continue
        names = tuple(name for _, name in path)
        default: Any = defaults
        for name in names:
            default = default[name]
        yield ChartValue(names, default, " ".join(comment))
        comment, below = None, indent


def schema() -> str:
    """Return the schema of the values, as JSON."""
    root: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Values of the Facegate chart",
        "type": "object",
        "properties": {
            "global": {"type": "object", "description": "Values that Helm shares with subcharts."}
        },
        "additionalProperties": False,
    }
    settings = Settings.model_json_schema()
    root["$defs"] = settings.pop("$defs")
    for value in chart_values():
        at = root
        for name in value.path[:-1]:
            at = at["properties"].setdefault(
                name, {"type": "object", "properties": {}, "additionalProperties": False}
            )
        typed = settings if value.path == ("settings",) else _typed(value)
        at["properties"][value.path[-1]] = {**typed, "description": value.description}
    return json.dumps(root, indent=2, ensure_ascii=False) + "\n"


def readme() -> str:
    """Return the README of the chart."""
    lines = [_README]
    for name, values in groupby(chart_values(), key=lambda value: value.path[0]):
        group = list(values)
        if len(group[0].path) > 1:
            lines.append(f"- `{name}`\n")
        for value in group:
            inner = value.path[1:]
            lines.append(
                f"{'  ' if inner else ''}- `{'.'.join(inner) or name}`{_shown(value)}: {value.description}\n"
            )
    return "".join(lines)


def _typed(value: ChartValue) -> dict[str, Any]:
    form = _FORMS.get(".".join(value.path))
    if form is not None:
        return form
    described: dict[str, Any] = {"type": _TYPES[type(value.default)]}
    choices = _CHOICES.search(value.description)
    if choices is not None:
        described["enum"] = re.findall(r"`([^`]+)`", choices[1])
    if described["type"] == "integer":
        described["minimum"] = 0
    return described


def _shown(value: ChartValue) -> str:
    """The default; empty if it is empty or off, or a table, which ``values.yaml`` shows."""
    hidden = not value.default or isinstance(value.default, dict)
    return "" if hidden else f" = `{json.dumps(value.default, ensure_ascii=False)}`"


def main() -> None:
    """Write both files."""
    (CHART / "values.schema.json").write_text(schema())
    (CHART / "README.md").write_text(readme())


if __name__ == "__main__":
    main()
