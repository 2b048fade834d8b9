"""Renders the chart, and finds its objects."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from docs.make_chart import CHART

VALUES: Final = Path(__file__).parent / "values"
POD_KINDS: Final = ("Deployment", "Job", "CronJob")
_HELM: Final = shutil.which(
    "helm", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
)

needs_helm = pytest.mark.skipif(_HELM is None, reason="helm is not installed; `make check` installs it")


class _StrictLoader(yaml.SafeLoader):
    """Refuses two equal keys, as Kubernetes does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"equal keys: {keys}"
        return super().construct_mapping(node, deep)


def _documents(text: str) -> tuple[dict[str, Any], ...]:
    return tuple(one for one in yaml.load_all(text, _StrictLoader) if one)


def run(*args: str) -> "subprocess.CompletedProcess[str]":
    """Run helm."""
    assert _HELM is not None
    return subprocess.run([_HELM, *args], capture_output=True, text=True, check=False, timeout=60)


@functools.cache
def rendered(values: str, *changes: str) -> tuple[dict[str, Any], ...]:
    """Return the objects for a set of values, with changes such as ``replicaCount=2``."""
    changed = [part for change in changes for part in ("--set", change)]
    done = run(
        "template", "scan", str(CHART), "--namespace", "bank", "--values", str(VALUES / values), *changed
    )
    assert done.returncode == 0, done.stderr
    return _documents(done.stdout)


def of_kind(values: str, *kinds: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of these kinds."""
    return (document for document in rendered(values) if document["kind"] in kinds)


def pod_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Pod template of a workload."""
    spec: dict[str, Any] = document["spec"]
    if document["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    pod: dict[str, Any] = spec["template"]
    return pod


def containers(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all containers of a Pod, those that run first first."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def server(values: str, *changes: str) -> dict[str, Any]:
    """Return the Deployment."""
    (deployment,) = (one for one in rendered(values, *changes) if one["kind"] == "Deployment")
    return deployment
