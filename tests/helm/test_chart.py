"""The chart: the objects that it renders for each set of values, and the values that it refuses."""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from docs.make_chart import CHART, chart_values, readme, schema
from server.configuration.loading import load_settings
from server.policies.schema import DeadlineRules
from tests.helm.rendering import (
    POD_KINDS,
    VALUES,
    containers,
    needs_helm,
    of_kind,
    pod_of,
    rendered,
    run,
    server,
)

_VALUES = sorted(VALUES.glob("*.yaml"))
_SCHEMAS = {
    path.stem: json.loads(path.read_text()) for path in (VALUES.parent / "crd_schemas").glob("*.json")
}
_KUBERNETES = "1.34"

every_set = pytest.mark.parametrize("values", [path.name for path in _VALUES])


def test_the_generated_files_of_the_chart_are_current() -> None:
    assert (CHART / "values.schema.json").read_text() == schema()
    assert (CHART / "README.md").read_text() == readme()


def test_every_value_is_described() -> None:
    described = {value.path for value in chart_values()}

    def leaves(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        for name, value in values.items():
            here = (*path, name)
            if here in described:
                continue
            if isinstance(value, dict) and value:
                yield from leaves(value, here)
            else:
                yield here

    assert list(leaves(yaml.safe_load((CHART / "values.yaml").read_text()))) == []


@needs_helm
@every_set
def test_helm_lint_finds_nothing(values: str) -> None:
    done = run("lint", "--strict", "--quiet", str(CHART), "--values", str(VALUES / values))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_helm
@every_set
def test_every_object_matches_its_schema(values: str) -> None:
    for document in rendered(values):
        if document["kind"] in _SCHEMAS:
            jsonschema.validate(document, _SCHEMAS[document["kind"]])
        else:
            kubernetes_validate.validate(document, _KUBERNETES, strict=True)


@needs_helm
def test_the_sets_of_values_render_every_custom_resource() -> None:
    kinds = {document["kind"] for path in _VALUES for document in rendered(path.name)}
    assert kinds >= set(_SCHEMAS)


@needs_helm
@every_set
def test_the_server_accepts_its_settings_file(
    values: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config,) = (
        document
        for document in of_kind(values, "ConfigMap")
        if document["metadata"]["name"] == "scan-facegate"
    )
    file = tmp_path / "facegate.toml"
    file.write_text(config["data"]["facegate.toml"])
    for name in os.environ:
        if name.startswith("FACEGATE_"):
            monkeypatch.delenv(name)
    settings = load_settings(file).settings
    wanted = yaml.safe_load((VALUES / values).read_text()).get("settings", {})
    set_ = tomllib.loads(file.read_text())
    assert settings.listeners.device.port == 8443
    assert settings.listeners.admin.trusted_network
    assert _holds(set_, wanted)
    if "runtime" in wanted:
        assert settings.runtime.workers == 16


def _holds(whole: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return all(name in whole and _holds(whole[name], value) for name, value in part.items())
    return bool(whole == part)


@needs_helm
@every_set
def test_pods_are_restricted(values: str) -> None:
    for document in of_kind(values, *POD_KINDS):
        pod = pod_of(document)["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert (values == "openshift.yaml") == ("runAsUser" not in pod["securityContext"])
        assert pod["securityContext"].get("runAsUser", 1) > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        for container in containers(pod_of(document)):
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


@needs_helm
@every_set
def test_no_object_holds_a_secret_value(values: str) -> None:
    assert not list(of_kind(values, "Secret"))
    for document in of_kind(values, *POD_KINDS):
        for container in containers(pod_of(document)):
            plain = {one["name"] for one in container.get("env", []) if "value" in one}
            assert plain <= {"FACEGATE_CONFIG", "SSL_CERT_FILE", "HTTPS_PROXY"}


@needs_helm
@every_set
def test_every_mount_has_a_volume_and_every_volume_of_ours_an_object(values: str) -> None:
    names = {(document["kind"], document["metadata"]["name"]) for document in rendered(values)}
    for document in of_kind(values, *POD_KINDS):
        pod = pod_of(document)
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        for container in containers(pod):
            for mount in container["volumeMounts"]:
                assert mount["name"] in volumes
        for volume in volumes.values():
            if volume.get("configMap", {}).get("name", "").startswith("scan-"):
                assert ("ConfigMap", volume["configMap"]["name"]) in names
            claim = volume.get("persistentVolumeClaim", {}).get("claimName", "")
            if claim.startswith("scan-"):
                assert ("PersistentVolumeClaim", claim) in names


@needs_helm
@every_set
def test_services_and_policies_select_the_server(values: str) -> None:
    labels = pod_of(server(values))["metadata"]["labels"]
    ports = {port["name"] for port in containers(pod_of(server(values)))[-1]["ports"]}
    for service in of_kind(values, "Service"):
        assert service["spec"]["selector"].items() <= labels.items()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for document in of_kind(values, *POD_KINDS):
        policies = [
            policy
            for policy in of_kind(values, "NetworkPolicy")
            if _selects(policy["spec"]["podSelector"], pod_of(document)["metadata"]["labels"])
        ]
        assert len(policies) == sum(1 for _ in of_kind(values, "NetworkPolicy")) // 2
        # No client connects to a job.
        assert all(("ingress" in policy["spec"]) == (document["kind"] == "Deployment") for policy in policies)
    # No Service sends traffic to a job.
    for document in of_kind(values, "Job", "CronJob"):
        for service in of_kind(values, "Service"):
            assert not service["spec"]["selector"].items() <= pod_of(document)["metadata"]["labels"].items()


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        rule["operator"] == "In" and labels.get(rule["key"]) in rule["values"]
        for rule in selector.get("matchExpressions", [])
    )


@needs_helm
@every_set
def test_traffic_is_denied_unless_it_is_listed(values: str) -> None:
    for policy in of_kind(values, "NetworkPolicy"):
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        rules = policy["spec"].get("ingress", [])
        open_to_all = [{port["port"] for port in rule["ports"]} for rule in rules if "from" not in rule]
        assert all(ports <= {"device", "web"} for ports in open_to_all)
        assert len(open_to_all) == bool(rules)
        assert all("to" in rule or rule["ports"][0]["port"] == 53 for rule in policy["spec"]["egress"])


@needs_helm
@every_set
def test_a_pod_may_end_its_longest_scan(values: str) -> None:
    pod = pod_of(server(values))["spec"]
    (container,) = pod["containers"]
    wait = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    longest = DeadlineRules.model_fields["scan_seconds"].default
    assert pod["terminationGracePeriodSeconds"] > wait + longest


@needs_helm
def test_a_changed_setting_replaces_the_pods() -> None:
    args = ["template", "scan", str(CHART), "--values", str(VALUES / "single.yaml")]
    args += ["--show-only", "templates/deployment.yaml"]
    plain, changed = (
        yaml.safe_load(run(*args, *more).stdout)["spec"]["template"]["metadata"]["annotations"]
        for more in ([], ["--set", "settings.log.level=debug"])
    )
    assert plain["checksum/config"] != changed["checksum/config"]


@needs_helm
def test_a_server_counts_on_the_cores_that_it_requests_unless_settings_say_otherwise() -> None:
    def workers(*more: str) -> list[dict[str, Any]]:
        args = ["template", "scan", str(CHART), "--values", str(VALUES / "single.yaml")]
        args += ["--show-only", "templates/deployment.yaml"]
        (container,) = pod_of(yaml.safe_load(run(*args, *more).stdout))["spec"]["containers"]
        return [one for one in container["env"] if one["name"] == "FACEGATE_RUNTIME__WORKERS"]

    (one,) = workers()
    assert one["valueFrom"]["resourceFieldRef"] == {"resource": "requests.cpu", "divisor": "1"}
    assert not workers("--set", "settings.runtime.workers=3")
    assert not workers("--set", "gpu.enabled=true")
    assert not workers("--set", "resources.requests.cpu=null")


@needs_helm
def test_the_autoscaler_counts_a_metric_of_the_server() -> None:
    (scaler,) = of_kind("autoscaling.yaml", "HorizontalPodAutoscaler")
    assert "replicas" not in server("autoscaling.yaml")["spec"]
    (pods,) = (metric["pods"] for metric in scaler["spec"]["metrics"] if metric["type"] == "Pods")
    page = CHART.parents[1] / "docs" / "reference" / "metrics.md"
    assert f"`{pods['metric']['name']}`" in page.read_text()


@needs_helm
def test_each_pod_has_one_gpu() -> None:
    deployment = server("gpu.yaml")
    (container,) = pod_of(deployment)["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}


@needs_helm
def test_each_backup_has_a_file_of_its_own() -> None:
    (backup,) = (
        document
        for document in of_kind("production.yaml", "CronJob")
        if document["metadata"]["name"].endswith("-backup")
    )
    database, objects = containers(pod_of(backup))
    assert database["args"] == ["backup", "database", "/backup/$(POD_NAME).backup"]
    assert {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}} in database["env"]
    assert objects["args"] == ["backup", "objects", "/backup/objects", "--prune"]


@needs_helm
def test_names_and_texts_of_settings_survive() -> None:
    done = run(
        "template", "r" * 53, str(CHART), "--values", str(VALUES / "production.yaml"),
        "--set", "settings.results.issuer=urn:v \\= 1.0", "--set", "settings.limits.max_scans=12",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    documents = [document for document in yaml.safe_load_all(done.stdout) if document]
    assert all(
        len(document["metadata"]["name"]) <= 52 for document in documents if document["kind"] == "CronJob"
    )
    assert all(len(document["metadata"]["name"]) <= 63 for document in documents)
    (config,) = (
        one for one in documents if "facegate.toml" in one.get("data", {}) and "hook" not in str(one)
    )
    settings = tomllib.loads(config["data"]["facegate.toml"])
    assert settings["results"]["issuer"] == "urn:v = 1.0"
    assert settings["limits"]["max_scans"] == 12
