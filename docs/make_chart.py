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

from docs.kubernetes_types import (
    ANNOTATIONS,
    FILE,
    HOST,
    LABELS,
    NAME,
    OPTIONAL_NAME,
    PORT,
    QUALIFIED,
    SHORT_NAME,
    choice,
    definitions,
    items,
    number,
    reference,
    table,
    text,
)
from server.configuration.settings import Settings

CHART: Final = Path(__file__).resolve().parents[1] / "helm" / "facegate"
_README: Final = """\
# The Helm chart of Facegate

Installs [Facegate](../../README.md) on Kubernetes 1.30 or newer;
[docs/kubernetes.md](../../docs/kubernetes.md) has the steps. The chart holds no secret: it refers to Secrets.
It refuses values that cannot work, such as several replicas with SQLite, misspelt settings of the server, and
types, names and quantities that Kubernetes would refuse.

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
_NUMBER_OF: Final = {
    "minute": "[0-5]?[0-9]",
    "hour": "1?[0-9]|2[0-3]|0[0-9]",
    "day": "0?[1-9]|[12][0-9]|3[01]",
    "month": "0?[1-9]|1[0-2]|[A-Za-z]{3}",
    "weekday": "[0-6]|[A-Za-z]{3}",
}


def _schedule() -> dict[str, Any]:
    """The form of a CronJob's schedule, as its controller reads it (robfig/cron)."""
    fields = []
    for number_ in _NUMBER_OF.values():
        part = rf"(\*|\?|({number_})(-({number_}))?)(/[0-9]+)?"
        fields.append(f"{part}(,{part})*")
    return text(f"@(yearly|annually|monthly|weekly|daily|midnight|hourly)|{' '.join(fields)}")


def _table(required: str = "", **fields: Any) -> dict[str, Any]:
    """The form of a table with the forms of its fields."""
    return {"type": "object", "properties": fields, "required": required.split()}


_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "object", "additionalProperties": _TEXT}
_SIZE: Final = text(r"[0-9]+(\.[0-9]+)?([kMGTP]|[KMGTP]i)?")
_HOSTS: Final = items({**HOST, "minLength": 1})
_DOMAIN_OF_IMAGE: Final = r"([A-Za-z0-9.-]+(:[0-9]+)?/)?"
_PATH_OF_IMAGE: Final = "[a-z0-9]+(([.]|__?|-+)[a-z0-9]+)*"
_IMAGE: Final = f"{_DOMAIN_OF_IMAGE}{_PATH_OF_IMAGE}(/{_PATH_OF_IMAGE})*"
# What a default does not show, by the path of a value or by its last name.
_FORMS: Final[dict[str, dict[str, Any]]] = {
    "annotations": ANNOTATIONS,
    "className": OPTIONAL_NAME,
    "clientCaSecret": OPTIONAL_NAME,
    "existingClaim": OPTIONAL_NAME,
    "existingSecret": OPTIONAL_NAME,
    "key": FILE,
    "runtimeClassName": OPTIONAL_NAME,
    "schedule": _schedule(),
    "size": _SIZE,
    "commonLabels": LABELS,
    "image.repository": text(f"({_IMAGE})?"),
    "image.tag": text(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"),
    "image.digest": text("(sha256:[0-9a-f]{64})?"),
    "imagePullSecrets": items(reference("LocalObjectReference")),
    "extraEnv": items(reference("EnvVar")),
    "extraVolumes": items(reference("Volume")),
    "extraVolumeMounts": items(reference("VolumeMount")),
    "keys.tenants": table(FILE, _table(existingSecret=NAME, files=items(FILE))),
    "persistence.storageClass": OPTIONAL_NAME,
    "web.hostnames": _HOSTS,
    "models.image": text(f"({_IMAGE}(:[A-Za-z0-9_.-]+)?(@sha256:[0-9a-f]{{64}})?)?"),
    "serviceAccount.name": OPTIONAL_NAME,
    "gateway.parentRefs": items(
        _table("name", name=NAME, namespace=SHORT_NAME, group=_TEXT, kind=_TEXT, sectionName=NAME, port=PORT)
    ),
    "gateway.hostnames": _HOSTS,
    "gateway.backendCaConfigMap": OPTIONAL_NAME,
    "gateway.backendHostname": OPTIONAL_NAME,
    "ingress.host": HOST,
    "certificate.issuerRef": _table(name=NAME, kind=_TEXT, group=_TEXT),
    "certificate.deviceNames": _HOSTS,
    "certificate.serviceNames": _HOSTS,
    "externalSecrets.secrets": table(
        NAME, table(FILE, _table("key", key=_TEXT, property=_TEXT, version=_TEXT))
    ),
    "externalSecrets.storeRef": _table(name=NAME, kind=choice("SecretStore", "ClusterSecretStore")),
    "externalSecrets.refreshInterval": text(r"0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+"),
    "podDisruptionBudget.maxUnavailable": {
        "type": ["integer", "string"],
        "minimum": 0,
        "pattern": "^(100|[0-9]{1,2})%$",
    },
    "topologySpreadConstraints": items(reference("TopologySpreadConstraint")),
    "nodeSelector": LABELS,
    "tolerations": items(reference("Toleration")),
    "affinity": reference("Affinity"),
    "priorityClassName": OPTIONAL_NAME,
    "podAnnotations": ANNOTATIONS,
    "podLabels": LABELS,
    "podSecurityContext": reference("PodSecurityContext"),
    "securityContext": reference("SecurityContext"),
    "resources": reference("ResourceRequirements"),
    "gpu.resource": QUALIFIED,
    "networkPolicy.deviceFrom": items(reference("NetworkPolicyPeer")),
    "networkPolicy.serviceFrom": items(reference("NetworkPolicyPeer")),
    "networkPolicy.adminFrom": items(reference("NetworkPolicyPeer")),
    "networkPolicy.egress": items(reference("NetworkPolicyEgressRule")),
    "monitoring.interval": text("([0-9]+(ms|[smhdwy]))+|0"),
    "monitoring.labels": LABELS,
    # Its texts may contain templates.
    "extraObjects": items(
        {
            **_table(
                "apiVersion kind",
                apiVersion=_TEXT,
                kind=_TEXT,
                metadata=_table(name=_TEXT, labels=_TEXTS, annotations=_TEXTS),
            ),
            "type": ["object", "string"],
            "if": {"properties": {"kind": choice("ConfigMap", "Secret")}},
            "then": {"properties": {"data": _TEXTS, "stringData": _TEXTS}},
        }
    ),
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
    """Return the schema of the values, as JSON; each value, and each object of Kubernetes, is one line."""
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
    lines: dict[str, str] = {}

    def line(form: dict[str, Any]) -> str:
        place = f"line {len(lines)}"
        lines[json.dumps(place)] = json.dumps(form, ensure_ascii=False)
        return place

    for value in chart_values():
        at = root
        for name in value.path[:-1]:
            at = at["properties"].setdefault(
                name, {"type": "object", "properties": {}, "additionalProperties": False}
            )
        described = {"description": value.description}
        at["properties"][value.path[-1]] = (
            {**settings, **described} if value.path == ("settings",) else line({**_typed(value), **described})
        )
    objects = set(re.findall(r"kubernetes\.(\w+)", json.dumps(_FORMS)))
    root["$defs"] |= {name: line(form) for name, form in definitions(objects).items()}
    return re.sub(
        r'"line \d+"', lambda place: lines[place[0]], json.dumps(root, indent=2, ensure_ascii=False) + "\n"
    )


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
    form = _FORMS.get(".".join(value.path), _FORMS.get(value.path[-1]))
    if form is not None:
        return form
    described: dict[str, Any] = {"type": _TYPES[type(value.default)]}
    choices = _CHOICES.search(value.description)
    if choices is not None:
        described["enum"] = re.findall(r"`([^`]+)`", choices[1])
    return number(0) if described["type"] == "integer" else described


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
