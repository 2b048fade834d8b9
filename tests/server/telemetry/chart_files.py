"""The dashboard and the alert rules of the chart, and the PromQL in them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import promql_parser
import yaml

from tests.docs.pages import REPOSITORY

_FILES = REPOSITORY / "helm" / "facegate" / "files"
_TARGET_LABELS = {"instance", "job"}
"""Labels that Prometheus adds to what it scrapes."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert rule."""

    name: str
    expression: str
    severity: str
    summary: str
    description: str
    runbook: str


def dashboard() -> dict[str, Any]:
    """Grafana's dashboard."""
    found: dict[str, Any] = json.loads((_FILES / "dashboard.json").read_text())
    return found


def alerts() -> list[Alert]:
    """Every alert rule."""
    groups = yaml.safe_load((_FILES / "alerts.yaml").read_text())["groups"]
    return [
        Alert(
            name=rule["alert"],
            expression=rule["expr"],
            severity=rule["labels"]["severity"],
            summary=rule["annotations"]["summary"],
            description=rule["annotations"]["description"],
            runbook=rule["annotations"]["runbook_url"],
        )
        for group in groups
        for rule in group["rules"]
    ]


def panel_expressions() -> list[tuple[str, str]]:
    """The title of each panel, and its PromQL with Grafana's variables replaced."""
    return [
        (panel["title"], target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*"))
        for panel in dashboard()["panels"]
        for target in panel.get("targets", ())
    ]


def used_metrics(expression: str) -> dict[str, set[str]]:
    """The metrics of an expression as Prometheus stores them, each with the labels that its selectors name.

    Raises:
        ValueError: It is no PromQL.
    """
    used: dict[str, set[str]] = {}
    for selector in _selectors(promql_parser.parse(expression)):
        assert selector.name is not None
        labels = {matcher.name for matcher in selector.matchers.matchers}
        used.setdefault(selector.name, set()).update(labels - _TARGET_LABELS)
    return used


def grouped_labels(expression: str) -> set[str]:
    """The labels by which an expression groups or joins."""
    named = re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression)
    return {label.strip() for group in named for label in group.split(",") if label.strip()} - _TARGET_LABELS


def _selectors(node: Any) -> Iterator[Any]:
    match node:
        case promql_parser.VectorSelector():
            yield node
        case promql_parser.MatrixSelector():
            yield node.vector_selector
        case promql_parser.BinaryExpr():
            yield from _selectors(node.lhs)
            yield from _selectors(node.rhs)
        case promql_parser.AggregateExpr() | promql_parser.ParenExpr() | promql_parser.UnaryExpr():
            yield from _selectors(node.expr)
        case promql_parser.Call():
            for argument in node.args:
                yield from _selectors(argument)
        case promql_parser.NumberLiteral():
            return
        case _:
            raise AssertionError(f"not expected in a rule: {type(node).__name__}")
