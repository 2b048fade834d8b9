"""Values of the chart, and fields of Kubernetes in them, of a wrong type or with a wrong name."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml

from docs.make_chart import CHART
from tests.helm.rendering import VALUES, needs_helm, run

pytestmark = needs_helm

_EVERY_KIND: Final = Path(__file__).parent / "values_of_every_kind.yaml"
_Path = tuple[str | int, ...]
_WRONG: Final[dict[str, Any]] = {
    "text": "no",
    "number": 7,
    "truth": True,
    "list": ["no"],
    "table": {"no": "no"},
    "null": None,
}
_TWO_TYPES: Final = {
    "maxUnavailable": {"number", "text"},
    "port": {"number", "text"},
    "cpu": {"number", "text"},
    "memory": {"number", "text"},
    "ephemeral-storage": {"number", "text"},
    "storage": {"number", "text"},
    "sizeLimit": {"number", "text"},
    "divisor": {"number", "text"},
}
# By it the schema knows what `data` is.
_KIND: Final = ("extraObjects", 0, "kind")
# Their content is what others define: the server's settings, which have a schema of their own, and TOML.
_OWN: Final = {"settings", "policies"}


def _merged(under: Any, over: Any) -> Any:
    if isinstance(under, dict) and isinstance(over, dict):
        return under | {key: _merged(under.get(key), value) for key, value in over.items()}
    return over


def _filled() -> dict[str, Any]:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    filled: dict[str, Any] = _merged(defaults, yaml.safe_load(_EVERY_KIND.read_text()))
    return filled


def _nodes(value: Any, path: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    """Every value inside, outer ones first."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _nodes(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _nodes(inner, (*path, number))


def _type(value: Any) -> str:
    types = {bool: "truth", int: "number", str: "text", list: "list", dict: "table"}
    return types[type(value)]


def _set(values: Any, path: _Path, value: Any) -> None:
    for key in path[:-1]:
        values = values[key]
    values[path[-1]] = value


def _takes(path: _Path, value: Any, wrong: str) -> bool:
    """Whether a value of this type is right here."""
    if path[0] == "extraObjects" and len(path) == 2:
        return wrong in {"text", "table"}
    if wrong == "null":
        # No item of a list or of a table of texts may be null; other fields are as if they were left out.
        return not isinstance(path[-1], int)
    return wrong == _type(value) or wrong in _TWO_TYPES.get(str(path[-1]), ())


def _refusals(values: dict[str, Any], folder: Path) -> str:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    done = run("template", "scan", str(CHART), "--values", str(VALUES / "single.yaml"), "--values", str(file))
    assert (done.returncode == 0) is (done.stderr == "")
    return done.stderr


def _at(path: _Path) -> str:
    return "at '/" + "/".join(str(key).replace("~", "~0").replace("/", "~1") for key in path) + "'"


def _depth_of(values: dict[str, Any]) -> int:
    return max(len(path) for path, _ in _nodes(values))


@pytest.mark.parametrize("wrong", _WRONG)
def test_every_value_of_a_wrong_type_is_refused_by_name(wrong: str, tmp_path: Path) -> None:
    """Helm names all faults at once: all values of one depth go into one call."""
    missed = []
    for depth in range(1, _depth_of(_filled()) + 1):
        values = _filled()
        changed = []
        for path, value in list(_nodes(values)):
            if (
                len(path) == depth
                and path[0] not in _OWN
                and path != _KIND
                and not _takes(path, value, wrong)
            ):
                _set(values, path, _WRONG[wrong])
                changed.append(path)
        if changed:
            refusals = _refusals(values, tmp_path)
            missed += [path for path in changed if _at(path) not in refusals]
    assert missed == []


def _pod(values: dict[str, Any]) -> dict[str, Any]:
    container = {
        "name": "scan",
        "image": "scan",
        "env": values["extraEnv"],
        "volumeMounts": values["extraVolumeMounts"],
        "resources": values["resources"],
        "securityContext": values["securityContext"],
    }
    spec = {
        "containers": [container],
        "volumes": values["extraVolumes"],
        "securityContext": values["podSecurityContext"],
        **{
            name: values[name]
            for name in (
                "affinity", "imagePullSecrets", "nodeSelector", "tolerations", "topologySpreadConstraints"
            )
        },
    }  # fmt: skip
    metadata = {"name": "scan", "labels": values["podLabels"], "annotations": values["podAnnotations"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _policy(values: dict[str, Any]) -> dict[str, Any]:
    peers = [values["networkPolicy"][name] for name in ("deviceFrom", "serviceFrom", "adminFrom")]
    spec = {
        "podSelector": {},
        "ingress": [{"from": each} for each in peers],
        "egress": values["networkPolicy"]["egress"],
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "scan"},
        "spec": spec,
    }


def test_the_values_of_every_kind_are_taken_by_kubernetes_and_by_the_chart(tmp_path: Path) -> None:
    values = _filled()
    kubernetes_validate.validate(_pod(values), "1.37", strict=True)
    kubernetes_validate.validate(_policy(values), "1.37", strict=True)
    refused = _refusals(yaml.safe_load(_EVERY_KIND.read_text()), tmp_path)
    assert "don't meet the specifications of the schema" not in refused
    assert "keys.tenants" in refused


def test_names_and_quantities_that_kubernetes_refuses_are_refused_by_name(tmp_path: Path) -> None:
    long = "n" * 64
    wrong = {
        "commonLabels": {"-team": "a"},
        "podLabels": {"team": "a b"},
        "monitoring": {"labels": {"Bank.Example/team": "a"}, "interval": "30 s"},
        "nodeSelector": {"pool": long},
        "podAnnotations": {"a b": "c"},
        "services": {"device": {"annotations": {"a/b/c": "d"}}, "service": {"annotations": {"": "d"}}},
        "ingress": {"annotations": {"/a": "b"}, "className": "Nginx", "host": f"{long}.example"},
        "serviceAccount": {"annotations": {long: "a"}, "name": "Scan"},
        "image": {"repository": "https://registry.example/facegate", "tag": "a b"},
        "imagePullSecrets": [{"name": "Registry"}],
        "extraEnv": [
            {"name": "A=B"},
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "a_b", "key": "a/b"}}},
            {"name": "B", "valueFrom": {"secretKeyRef": {"key": "A"}}},
        ],
        "extraVolumes": [
            {"name": "a_b"},
            {"name": "b", "secret": {"secretName": "B", "defaultMode": 512}},
            {"name": "c", "emptyDir": {"medium": "memory", "sizeLimit": "1 Gi"}},
            {"name": "d", "configMap": {"name": "d", "items": [{"key": "a b", "path": "../d"}]}},
            {"name": "e", "persistentVolumeClaim": {"claimName": "e_e"}},
        ],
        "extraVolumeMounts": [{"name": "A", "mountPath": "a:b", "subPath": "/a", "mountPropagation": "both"}],
        "database": {"existingSecret": "my_secret", "key": "a/b"},
        "keys": {"tenants": {"a/b": {}, "..": {}, "t": {"existingSecret": "T", "files": ["a/b"]}}},
        "models": {"image": "registry.example/Models", "size": "1GiB", "existingClaim": "m_m"},
        "gateway": {
            "parentRefs": [{"name": "Edge", "namespace": "a.b", "port": 0}],
            "hostnames": ["a..example"],
            "backendHostname": "*.example",
        },
        "certificate": {"issuerRef": {"name": "I"}, "deviceNames": ["scan.example."]},
        "externalSecrets": {"storeRef": {"kind": "Vault"}, "refreshInterval": "1 hour", "secrets": {"S": {}}},
        "autoscaling": {"maxReplicas": 2**31},
        "podDisruptionBudget": {"maxUnavailable": "101%"},
        "topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "a b", "whenUnsatisfiable": "Never"}],
        "tolerations": [{"key": "a b", "operator": "In", "value": "a b", "effect": "Never"}],
        "affinity": {
            "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 101, "preference": {}}],
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "a b", "operator": "Like"}]}]
                },
            },
            "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"namespaces": ["A"]}]},
        },
        "priorityClassName": "High",
        "podSecurityContext": {"runAsUser": -1, "seccompProfile": {"type": "Default"}},
        "securityContext": {"procMount": "Masked"},
        "resources": {"requests": {"memory": "2GB", "gpu": 1}, "limits": {"cpu": -1}},
        "gpu": {"resource": "nvidia.com/", "runtimeClassName": "N"},
        "networkPolicy": {
            "deviceFrom": [{"ipBlock": {"cidr": "10.0.0.256/8"}}, {"ipBlock": {"cidr": "10.0.0.1"}}],
            "egress": [{"ports": [{"port": "5432"}, {"port": 0, "endPort": 70000, "protocol": "tcp"}]}],
        },
        "retention": {"schedule": "60 2 * * *"},
        "backup": {"schedule": "0 2 * * 7"},
        "doctor": {"schedule": "0 2 * *"},
        "extraObjects": [{}],
    }
    refusals = _refusals(wrong, tmp_path)
    for path, value in _nodes(wrong):
        # The short names are right.
        if isinstance(value, (str, int)) and not (path[-1] in {"name", "key"} and value in set("ABbcde")):
            key_refused = f"{_at(path[:-1])}: additional properties '{path[-1]}' not allowed"
            assert _at(path) in refusals or key_refused in refusals, path
    # In no order.
    (names,) = re.findall(rf"{_at(('keys', 'tenants'))}: additional properties (.+) not allowed", refusals)
    assert set(names.split(", ")) == {"'..'", "'a/b'"}
    incomplete: dict[_Path, str] = {
        ("extraEnv", 2, "valueFrom", "secretKeyRef"): "name",
        ("affinity", "podAffinity", "requiredDuringSchedulingIgnoredDuringExecution", 0): "topologyKey",
    }
    for path, field in incomplete.items():
        assert f"{_at(path)}: missing property '{field}'" in refusals
    assert f"{_at(('extraObjects', 0))}: missing properties 'apiVersion', 'kind'" in refusals
