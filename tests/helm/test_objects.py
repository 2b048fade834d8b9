"""What single values change in the objects of the chart."""

import os
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from docs.make_chart import CHART
from server.configuration.settings import Settings
from server.keyring.key_encryption import KeyFileCipher
from server.keyring.key_files import KeyFiles
from tests.helm.rendering import VALUES, containers, needs_helm, of_kind, pod_of, rendered, run, server

pytestmark = needs_helm
_JOBS = ("migrate", "retention", "backup", "doctor")


def _one(kind: str, name: str, values: str, *changes: str) -> dict[str, Any]:
    (found,) = (
        one
        for one in rendered(values, *changes)
        if one["kind"] == kind and one["metadata"]["name"] == f"scan-facegate{name}"
    )
    return found


def _job(name: str, values: str = "openshift.yaml", *changes: str) -> dict[str, Any]:
    return _one("Job" if name == "migrate" else "CronJob", f"-{name}", values, *changes)


def _mounts(container: Mapping[str, Any]) -> set[str]:
    return {mount["name"] for mount in container["volumeMounts"]}


@pytest.mark.parametrize("name", ["server", *_JOBS])
def test_every_pod_has_the_placement_volumes_and_variables_of_the_values(name: str) -> None:
    pod = pod_of(server("openshift.yaml") if name == "server" else _job(name))
    spec = pod["spec"]
    assert spec["nodeSelector"] == {"node-role.kubernetes.io/worker": ""}
    assert spec["tolerations"] == [{"key": "biometrics", "operator": "Exists"}]
    assert spec["priorityClassName"] == "high"
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["serviceAccountName"] == "facegate"
    assert {"name": "ca", "configMap": {"name": "internal-ca"}} in spec["volumes"]
    for container in containers(pod):
        assert "ca" in _mounts(container)
        assert {"SSL_CERT_FILE", "HTTPS_PROXY"} <= {one["name"] for one in container["env"]}


def test_the_models_come_from_the_mirror() -> None:
    models, _ = containers(pod_of(server("openshift.yaml")))
    at = models["args"].index("--mirror")
    assert models["args"][at + 1] == "https://models.internal.example/facegate"


def test_the_migration_has_a_service_account_that_exists_before_the_release() -> None:
    name = pod_of(_job("migrate", "production.yaml"))["spec"]["serviceAccountName"]
    (account,) = (
        one for one in of_kind("production.yaml", "ServiceAccount") if one["metadata"]["name"] == name
    )
    annotations = account["metadata"]["annotations"]
    assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert "eks.amazonaws.com/role-arn" in annotations


@pytest.mark.parametrize(
    ("name", "values", "beside"),
    [
        ("retention", "openshift.yaml", True),
        ("backup", "openshift.yaml", True),
        ("doctor", "openshift.yaml", True),
        ("migrate", "openshift.yaml", False),
        ("backup", "production.yaml", False),
        ("doctor", "production.yaml", False),
        ("doctor", "gpu.yaml", True),
    ],
)
def test_a_job_runs_beside_the_server_if_they_share_a_volume(name: str, values: str, beside: bool) -> None:
    affinity = pod_of(_job(name, values, "doctor.enabled=true"))["spec"].get("affinity", {})
    terms = affinity.get("podAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution", [])
    assert len(terms) == beside
    labels = pod_of(server(values))["metadata"]["labels"]
    for term in terms:
        assert term["labelSelector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("name", ["retention", "backup"])
def test_a_job_mounts_only_what_it_reads(name: str) -> None:
    job = _job(name)
    for container in containers(pod_of(job)):
        assert _mounts(container) - {"backup"} == {"config", "data", "tmp", "ca"}
    assert job["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 21600


@pytest.mark.parametrize(("prune", "last"), [("true", "--prune"), ("false", "/backup/objects")])
def test_erased_images_leave_the_backup(prune: str, last: str) -> None:
    _, objects = containers(pod_of(_job("backup", "production.yaml", f"backup.prune={prune}")))
    assert objects["args"][-1] == last


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (1, 1), (2, 2), (4, 0)])
def test_warnings_of_the_doctor_need_not_fail_its_job(status: int, expected: int, tmp_path: Path) -> None:
    strict, lenient = (
        containers(pod_of(_job("doctor", "openshift.yaml", f"doctor.failOnWarnings={value}")))[0]
        for value in ("true", "false")
    )
    assert "command" not in strict
    assert strict["args"] == ["doctor", "--skip", "machine", "--skip", "ports", "--skip", "models"]
    program = tmp_path / "facegate"
    program.write_text(f'#!/bin/sh\n[ "$*" = "{" ".join(strict["args"])}" ] && exit {status}; exit 99\n')
    program.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    done = subprocess.run([*lenient["command"], *lenient["args"]], env={"PATH": path}, check=False)
    assert done.returncode == expected


def test_access_tokens_replace_api_keys() -> None:
    settings = "settings.listeners.service.oidc"
    issuer = "https://login.bank.example"
    objects = rendered(
        "single.yaml",
        "apiKeys.existingSecret=",
        f"{settings}.issuer={issuer},{settings}.audience=facegate",
        f"{settings}.grants[0].value=checks,{settings}.grants[0].tenant=bank",
        f"{settings}.grants[0].roles={{orchestrator}}",
    )
    (config,) = (one for one in objects if "facegate.toml" in one.get("data", {}))
    service = Settings.model_validate(tomllib.loads(config["data"]["facegate.toml"])).listeners.service
    assert service.api_keys_file is None
    assert service.oidc is not None
    assert service.oidc.issuer == issuer


def test_the_keys_of_a_tenant_lie_in_its_folder(tmp_path: Path) -> None:
    (keys,) = (one for one in pod_of(server("openshift.yaml"))["spec"]["volumes"] if one["name"] == "keys")
    own, tenants = keys["projected"]["sources"]
    assert own == {"secret": {"name": "facegate-keys"}}
    # As the kubelet writes a volume: every entry at the top is a link into a folder of its own.
    for item in tenants["secret"]["items"]:
        file = tmp_path / "..data" / item["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(32))
        file.chmod(0o440)
    (tmp_path / "tenants").symlink_to("..data/tenants")
    files = KeyFiles(tmp_path, tenants={"branch-12": KeyFileCipher(())})
    assert [key.number for key in files.read("evidence", "key", tenant="branch-12")] == [2, 1]


@pytest.mark.parametrize(("seconds", "lifecycle"), [(0, None), (7, {"preStop": {"sleep": {"seconds": 7}}})])
def test_a_pod_waits_before_it_stops(seconds: int, lifecycle: Any) -> None:
    pod = pod_of(server("single.yaml", f"shutdown.preStopSeconds={seconds}"))
    (container,) = containers(pod)
    assert container.get("lifecycle") == lifecycle
    assert pod["spec"]["terminationGracePeriodSeconds"] == seconds + 200
    assert container["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


@pytest.mark.parametrize(("down", "expected"), [("2", 2), ("25%", "25%")])
def test_a_budget_is_a_number_or_a_percentage(down: str, expected: int | str) -> None:
    budget = _one("PodDisruptionBudget", "", "production.yaml", f"podDisruptionBudget.maxUnavailable={down}")
    assert budget["spec"]["maxUnavailable"] == expected


def test_the_service_certificate_has_every_name_inside_the_cluster() -> None:
    names = _one("Certificate", "-service", "production.yaml")["spec"]["dnsNames"]
    for service in ("service", "headless"):
        assert f"scan-facegate-{service}.bank.svc" in names
        assert f"scan-facegate-{service}.bank.svc.cluster.local" in names


def test_pages_are_routed_to_the_web_listener() -> None:
    route = _one("HTTPRoute", "-web", "autoscaling.yaml")["spec"]
    assert route["hostnames"] == ["pages.bank.example"]
    assert route["rules"][0]["backendRefs"] == [{"name": "scan-facegate-device", "port": 8446}]
    policy = _one("BackendTLSPolicy", "-device", "autoscaling.yaml")["spec"]
    assert policy["targetRefs"][0]["name"] == "scan-facegate-device"
    assert policy["validation"]["hostname"] == "scan.bank.example"
    rules = _one("Ingress", "-device", "ingress.yaml")["spec"]["rules"]
    ports = {rule["host"]: rule["http"]["paths"][0]["backend"]["service"]["port"]["number"] for rule in rules}
    assert ports == {"scan.bank.example": 8443, "pages.bank.example": 8446}


def test_the_console_has_a_port_of_the_service_of_callers() -> None:
    changes = (
        "console.enabled=true,settings.listeners.console.origin=https://facegate.bank.example",
        "apiKeys.existingSecret=keys",
    )
    ports = {
        one["name"]: one["port"]
        for one in _one("Service", "-service", "single.yaml", *changes)["spec"]["ports"]
    }
    assert ports == {"grpc-service": 8444, "console": 8447}
    settings = tomllib.loads(_one("ConfigMap", "", "single.yaml", *changes)["data"]["facegate.toml"])
    console = Settings.model_validate(settings).listeners.console
    assert console is not None
    assert (console.host, console.port) == ("0.0.0.0", 8447)  # noqa: S104 - in a Pod
    assert "console" in {
        port["port"]
        for rule in _one("NetworkPolicy", "", "single.yaml", *changes)["spec"]["ingress"]
        for port in rule["ports"]
    }


def test_the_servers_own_page_is_served_behind_proxies_that_the_settings_name() -> None:
    changes = (
        "web.enabled=true,settings.listeners.web.proxy_protocol=true",
        "settings.listeners.web.hosted.origin=https://verify.bank.example",
        "settings.listeners.web.hosted.name=Example Bank",
        "settings.listeners.trusted_proxies={10.0.0.0/24,2001:db8::/64}",
    )
    config = _one("ConfigMap", "", "single.yaml", *changes)["data"]["facegate.toml"]
    settings = Settings.model_validate(tomllib.loads(config))
    web = settings.listeners.web
    assert web is not None
    assert (web.host, web.port, web.proxy_protocol) == ("0.0.0.0", 8446, True)  # noqa: S104 - in a Pod
    assert web.tls is not None
    assert settings.devices.web.origins == ("https://verify.bank.example",)
    assert [str(network) for network in settings.listeners.trusted_proxies] == [
        "10.0.0.0/24",
        "2001:db8::/64",
    ]
    ports = {
        one["name"]: one["port"]
        for one in _one("Service", "-device", "single.yaml", *changes)["spec"]["ports"]
    }
    assert ports == {"grpc-device": 8443, "web": 8446}


@pytest.mark.parametrize("content", ["name = 'slow'\nversion = 1", "  name = 'slow'\n  version = 1\n"])
def test_a_policy_is_rendered_as_it_is_written(content: str) -> None:
    config = _one("ConfigMap", "-policies", "single.yaml", f"policies.slow={content}")
    assert config["data"] == {"slow.toml": content}


def test_a_numeric_name_of_a_release_stays_text() -> None:
    values = str(VALUES / "production.yaml")
    done = run("template", "123", str(CHART), "--values", values, "--set", "fullnameOverride=scan")
    assert done.returncode == 0, done.stderr
    for one in yaml.safe_load_all(done.stdout):
        if one is not None:
            assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == "123"


def test_long_names_that_begin_alike_stay_apart() -> None:
    names = {server("single.yaml", f"fullnameOverride={'n' * 50}{end}")["metadata"]["name"] for end in "ab"}
    assert len(names) == 2
    assert all(len(name) <= 41 for name in names)


def test_helm_test_asks_the_admin_service_through_the_policy() -> None:
    (pod,) = of_kind("single.yaml", "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert "http://scan-facegate-admin:8445/readyz" in pod["spec"]["containers"][0]["command"][-1]
    policy = _one("NetworkPolicy", "", "autoscaling.yaml")
    (admin,) = (rule for rule in policy["spec"]["ingress"] if rule["ports"][0]["port"] == "admin")
    allowed = [peer["podSelector"]["matchLabels"] for peer in admin["from"] if "podSelector" in peer]
    assert any(labels.items() <= pod["metadata"]["labels"].items() for labels in allowed)


def test_extra_objects_may_contain_templates() -> None:
    (made,) = (
        one
        for one in rendered(
            "single.yaml",
            "extraObjects[0].apiVersion=v1,extraObjects[0].kind=LimitRange,"
            "extraObjects[0].metadata.name=limits-{{ .Release.Name }}",
        )
        if one["kind"] == "LimitRange"
    )
    assert made["metadata"]["name"] == "limits-scan"


def test_text_that_looks_like_a_number_stays_text() -> None:
    texts = {
        "fullnameOverride": "true",
        "nameOverride": "null",
        "database.existingSecret": "1",
        "database.key": "2",
        "objects.existingSecret": "3",
        "persistence.existingClaim": "4",
        "keys.existingSecret": "5",
        "tls.device.existingSecret": "6",
        "tls.service.existingSecret": "7",
        "tls.service.clientCaSecret": "8",
        "apiKeys.existingSecret": "9",
        "models.existingClaim": "10",
        "models.pack": "11",
        "priorityClassName": "12",
        "serviceAccount.name": "13",
        "backup.existingClaim": "14",
        "gpu.runtimeClassName": "15",
        "ingress.className": "16",
        "image.tag": "1e3",
        "extraEnv[0].value": "1000000",
    }
    changes = [part for name, text in texts.items() for part in ("--set-string", f"{name}={text}")]
    done = run(
        "template", "scan", str(CHART), "--values", str(VALUES / "single.yaml"), *changes,
        "--set", "extraEnv[0].name=A,keys.persistence=false,backup.enabled=true,retention.enabled=true",
        "--set", "gpu.enabled=true,ingress.enabled=true,ingress.host=a.example,models.source=claim",
        "--set", "networkPolicy.enabled=false",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    documents = [one for one in yaml.safe_load_all(done.stdout) if one]
    assert {"Deployment", "CronJob", "Job", "Ingress", "ServiceAccount"} <= {one["kind"] for one in documents}
    for document in documents:
        kubernetes_validate.validate(document, "1.34", strict=True)


def test_alerts_link_to_the_guide_that_the_values_name() -> None:
    own = "https://docs.bank.example/facegate/alerts.md"
    rule = _one("PrometheusRule", "", "autoscaling.yaml", f"monitoring.runbook={own}")
    links = [
        each["annotations"]["runbook_url"] for group in rule["spec"]["groups"] for each in group["rules"]
    ]
    assert links
    assert all(link.startswith(f"{own}#facegate") for link in links)
