"""Writes the generated files of the chart, ``values.schema.json`` and ``README.md``.

Run ``make reference`` after a change of ``helm/facegate/values.yaml`` or of the settings.
"""

import json
import re
from itertools import groupby
from typing import Any, Final

from server.configuration.settings import Settings
from tests.helm.chart_values import CHART, ChartValue, chart_values

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
_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
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
    "web.hostnames": _TEXTS,
    "gateway.hostnames": _TEXTS,
    "certificate.deviceNames": _TEXTS,
    "certificate.serviceNames": _TEXTS,
    "retention.schedule": _SCHEDULE,
    "backup.schedule": _SCHEDULE,
    "doctor.schedule": _SCHEDULE,
}
_CHOICES: Final = re.compile(r"One of: ((?:`[^`]+`(?:, )?)+)")


def schema() -> str:
    """Returns the schema of the values, as JSON."""
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
    """Returns the README of the chart."""
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
    """Writes both files."""
    (CHART / "values.schema.json").write_text(schema())
    (CHART / "README.md").write_text(readme())


if __name__ == "__main__":
    main()
