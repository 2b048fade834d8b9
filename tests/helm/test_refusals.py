"""The values that the chart refuses."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from docs.make_chart import CHART
from tests.helm.rendering import VALUES, needs_helm, run

_GATEWAY = "gateway.enabled=true,gateway.parentRefs[0].name=g,gateway.hostnames={scan.example}"
_WEB = "web.enabled=true,settings.device_integrity.web.origins={https://a.example}"
_CONSOLE = "console.enabled=true,settings.listeners.console.origin=https://console.example"
_HOSTED = (
    "web.enabled=true,settings.listeners.web.hosted.name=Bank,"
    "settings.listeners.web.hosted.origin=https://verify.example"
)
_SHARED = (
    "database.existingSecret=d,objects.url=s3://b,persistence.enabled=false,keys.persistence=false,"
    "keys.existingSecret=k,networkPolicy.enabled=false"
)


@needs_helm
@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("image.repository=", "image.repository"),
        ("replicaCount=2", "database.existingSecret"),
        ("autoscaling.enabled=true", "database.existingSecret"),
        ("replicaCount=2,database.existingSecret=d", "objects.url"),
        ("persistence.enabled=false", "persistence.enabled"),
        ("replicaCount=2,database.existingSecret=d,objects.url=s3://b", "persistence.enabled"),
        ("keys.persistence=false", "keys"),
        ("keys.existingSecret=k", "keys"),
        ("tls.device.existingSecret=", "tls.device.existingSecret"),
        ("tls.service.existingSecret=", "tls.service.existingSecret"),
        ("certificate.enabled=true", "certificate.issuerRef"),
        ("certificate.enabled=true,certificate.issuerRef.name=i", "certificate.deviceNames"),
        ("apiKeys.existingSecret=", "apiKeys.existingSecret"),
        ("models.source=claim", "models.existingClaim"),
        ("models.source=image,models.image=registry.example/models:latest", "models.image"),
        ("models.source=pull", "networkPolicy.egress"),
        ("gateway.enabled=true", "gateway.parentRefs"),
        ("gateway.enabled=true,gateway.parentRefs[0].name=g", "gateway.hostnames"),
        (
            "gateway.enabled=true,gateway.parentRefs[0].name=g,gateway.kind=GRPCRoute",
            "gateway.backendHostname",
        ),
        (
            "gateway.enabled=true,gateway.parentRefs[0].name=g,gateway.kind=GRPCRoute,gateway.hostnames={*.a.example}",
            "gateway.backendHostname",
        ),
        ("extraVolumes[0].name=tls-device", "extraVolumes"),
        ("extraVolumes[0].name=backup,backup.enabled=true,backup.existingClaim=b", "extraVolumes"),
        ("extraVolumes[0].name=a,extraVolumes[1].name=a", "extraVolumes"),
        ("extraVolumeMounts[0].name=a,extraVolumeMounts[0].mountPath=/a", "extraVolumeMounts"),
        ("extraVolumeMounts[0].name=tmp,extraVolumeMounts[0].mountPath=/tmp", "extraVolumeMounts"),
        ("resources.requests.nvidia\\.com/gpu=1", "resources.requests.nvidia.com/gpu"),
        (f"{_WEB},{_GATEWAY}", "web.hostnames"),
        (f"{_WEB},{_GATEWAY},web.hostnames={{scan.example}}", "web.hostnames"),
        ("policies.slow\\.toml=name = 'slow'", "policies"),
        ("policies.-slow=name = 'slow'", "policies"),
        ("policies.slow=name = ", "policies"),
        ("policies.slow=version = 1", "policies"),
        ("policies.slow=name = 'Slow'\nversion = 1", "policies"),
        ("policies.slow.name=slow", "policies"),
        ("policies.a=name = 'a'\nversion = 1,policies.b=name = 'a'\nversion = 1", "policies"),
        ("podLabels.app\\.kubernetes\\.io/name=mine", "podLabels"),
        ("commonLabels.helm\\.sh/chart=mine", "commonLabels"),
        ("monitoring.labels.grafana_dashboard=x", "monitoring.labels"),
        ("nameOverride=Face_Gate", "nameOverride"),
        (f"nameOverride={'n' * 64}", "nameOverride"),
        ("fullnameOverride=1st", "fullnameOverride"),
        ("monitoring.serviceMonitor=true", "networkPolicy.adminFrom"),
        ("settings.pack=open", "models.source"),
        ("models.source=claim,models.existingClaim=m,settings.pack=open", "settings.pack"),
        ("models.source=claim,models.existingClaim=m,models.pack=embedded", "models.source"),
        ("extraEnv[0].name=FACEGATE_CONFIG", "extraEnv"),
        ("extraEnv[0].name=FACEGATE_STORAGE__DATABASE_URL", "extraEnv"),
        ("extraEnv[0].name=facegate_listeners__admin__port", "extraEnv"),
        ("extraEnv[0].name=FACEGATE_LISTENERS", "extraEnv"),
        ("extraEnv[0].name=FACEGATE_PACK", "extraEnv"),
        ("keys.tenants.t.existingSecret=k", "keys.tenants"),
        ("keys.persistence=false,keys.existingSecret=k,keys.tenants.t.existingSecret=k", "keys.tenants.t"),
        (f"{_SHARED},autoscaling.enabled=true,autoscaling.maxReplicas=1", "autoscaling.minReplicas"),
        (f"{_SHARED},autoscaling.enabled=true,autoscaling.minReplicas=0", "autoscaling.minReplicas"),
        ("ingress.enabled=true", "ingress.host"),
        ("backup.enabled=true", "backup.existingClaim"),
        (
            "database.existingSecret=d,externalSecrets.secrets.d.url.key=k,externalSecrets.storeRef.name=s",
            "externalSecrets.secrets",
        ),
        ("settings.drain_seconds=3000", "settings.drain_seconds"),
        ("settings.storage.database_url=postgresql+asyncpg://u:p@db/f", "settings.storage.database_url"),
        ("settings.storage.objects_url=/objects", "settings.storage.objects_url"),
        ("settings.listeners.device.port=9443", "settings.listeners.device.port"),
        ("settings.listeners.admin.port=9445", "settings.listeners.admin"),
        ("settings.keys.folder=/keys", "settings.keys.folder"),
        ("shutdown.drainSeconds=5", "shutdown.drainSeconds"),
        ("policies.slow=name = 'slow'\nversion = 1\ndeadlines.scan_seconds = 900", "shutdown.drainSeconds"),
        ("web.enabled=true", "web.enabled"),
        ("console.enabled=true", "console.enabled"),
        ("settings.listeners.console.origin=https://facegate.bank.example", "console.enabled"),
        ("settings.listeners.console.port=1", "settings.listeners.console.port"),
        ("settings.listeners.web.port=1", "settings.listeners.web.port"),
        ("settings.listeners.web.proxy_protocol=true", "web.enabled"),
        (
            f"{_WEB},settings.listeners.web.proxy_protocol=true",
            "settings.listeners.web.proxy_protocol",
        ),
        (
            f"{_CONSOLE},settings.listeners.console.proxy_protocol=true",
            "settings.listeners.console.proxy_protocol",
        ),
        ("settings.listeners.trusted_proxies={lb.example}", "settings.listeners.trusted_proxies"),
        (
            f"{_HOSTED},{_GATEWAY},web.hostnames={{pages.example}}",
            "settings.listeners.web.hosted.origin",
        ),
    ],
)
def test_values_that_cannot_work_are_refused(change: str, value: str) -> None:
    done = run("template", "scan", str(CHART), "--values", str(VALUES / "single.yaml"), "--set", change)
    assert done.returncode != 0
    assert f"{value}:" in done.stderr or f"{value}," in done.stderr


@needs_helm
@pytest.mark.parametrize(
    "change",
    [
        "settings.limits.max_scan=1",
        "replicas=2",
        "image.pullPolicy=Sometimes",
        "services.device.type=Ingress",
        "image.digest=sha256:12",
        "persistence.size=20 GB",
        "models.size=1GiB",
        "podDisruptionBudget.maxUnavailable=half",
        "backup.schedule=at night",
        "doctor.schedule=@often",
    ],
)
def test_unknown_values_are_refused_by_the_schema(change: str) -> None:
    done = run("template", "scan", str(CHART), "--values", str(VALUES / "single.yaml"), "--set", change)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr


@needs_helm
@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("commonLabels.cost=12", "commonLabels.cost"),
        ("podAnnotations.scrape=true", "podAnnotations.scrape"),
        ("extraEnv[0].name=A,extraEnv[0].value=1000000", "extraEnv[0].value"),
        ("extraEnv[0].name=A,extraEnv[0].value=true", "extraEnv[0].value"),
        ("extraEnv[0].name=1", "extraEnv[0].name"),
        ("extraEnv[0].value=a", "extraEnv[0]"),
        ("extraEnv[0]=A", "extraEnv[0]"),
        ("serviceAccount.annotations.a=1", "serviceAccount.annotations"),
        ("services.device.annotations.a=true", "services.device.annotations"),
        ("services.service.annotations.a=1", "services.service.annotations"),
        ("ingress.annotations.a=1", "ingress.annotations"),
        ("nodeSelector.gpu=true", "nodeSelector"),
        ("imagePullSecrets[0].name=1", "imagePullSecrets[0].name"),
        ("tolerations[0].key=a,tolerations[0].value=1", "tolerations[0].value"),
        (
            "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchLabels.a=1",
            "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchLabels.a",
        ),
        (
            "topologySpreadConstraints[0].labelSelector.matchExpressions[0].values[0]=1",
            "topologySpreadConstraints[0].labelSelector.matchExpressions[0].values[0]",
        ),
        ("extraVolumes[0].name=1", "extraVolumes[0].name"),
        (
            "extraVolumes[0].name=v,extraVolumes[0].csi.volumeAttributes.a=1",
            "extraVolumes[0].csi.volumeAttributes.a",
        ),
        ("extraVolumeMounts[0].name=v,extraVolumeMounts[0].mountPath=1", "extraVolumeMounts[0].mountPath"),
        ("networkPolicy.egress[0].to[0].podSelector.matchLabels.a=1", "networkPolicy.egress[0].to[0]"),
        ("networkPolicy.deviceFrom[0].ipBlock.cidr=10", "networkPolicy.deviceFrom[0].ipBlock.cidr"),
        ("gateway.parentRefs[0].name=1", "gateway.parentRefs[0].name"),
        ("certificate.issuerRef.name=1", "certificate.issuerRef.name"),
        ("externalSecrets.storeRef.name=1", "externalSecrets.storeRef.name"),
        (
            "externalSecrets.storeRef.name=s,externalSecrets.secrets.s.k.version=1",
            "externalSecrets.secrets.s.k.version",
        ),
        ("keys.tenants.t.existingSecret=t,keys.tenants.t.files[0]=1", "keys.tenants.t.files[0]"),
        (
            "extraObjects[0].apiVersion=v1,extraObjects[0].kind=ConfigMap,extraObjects[0].data.a=1",
            "extraObjects[0].data.a",
        ),
        (
            "extraObjects[0].apiVersion=v1,extraObjects[0].kind=Other,extraObjects[0].metadata.labels.a=1",
            "extraObjects[0].metadata.labels.a",
        ),
    ],
)
def test_numbers_where_kubernetes_wants_text_are_refused(change: str, value: str) -> None:
    shared = "keys.persistence=false,keys.existingSecret=k"
    done = run(
        "template", "scan", str(CHART), "--values", str(VALUES / "single.yaml"), "--set", f"{shared},{change}"
    )
    assert done.returncode != 0
    assert f"/{value.replace('.', '/').replace('[', '/').replace(']', '')}" in done.stderr


@needs_helm
@pytest.mark.parametrize(
    "section", ["resources", "image", "tls.device", "services", "keys.tenants", "affinity"]
)
def test_a_section_that_is_null_is_refused(section: str) -> None:
    done = run(
        "template", "scan", str(CHART), "--values", str(VALUES / "single.yaml"), "--set", f"{section}=null"
    )
    assert done.returncode != 0
    assert f"{section}: it is null; leave it out, or set a value" in done.stderr


def _paths(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in values.items():
        yield (*path, name)
        # Fields of these may be null; they are left out then.
        if isinstance(value, dict) and name not in {"podSecurityContext", "securityContext", "resources"}:
            yield from _paths(value, (*path, name))


@needs_helm
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("values", ["single.yaml", "production.yaml"])
def test_no_value_that_is_null_breaks_a_template(values: str) -> None:
    broken = []
    for path in _paths(yaml.safe_load((CHART / "values.yaml").read_text())):
        change = f"{'.'.join(path)}=null"
        done = run("template", "scan", str(CHART), "--values", str(VALUES / values), "--set", change)
        if done.returncode and "execution error" not in done.stderr:
            broken.append((path, done.stderr))
        for document in yaml.safe_load_all(done.stdout):
            if document and document["apiVersion"] in {
                "v1",
                "apps/v1",
                "batch/v1",
                "autoscaling/v2",
                "policy/v1",
            }:
                kubernetes_validate.validate(document, "1.34", strict=True)
    assert broken == []


@needs_helm
@pytest.mark.parametrize("step", [[], ["--is-upgrade"]])
def test_an_upgrade_is_refused_as_an_installation_is(step: list[str]) -> None:
    secret = "externalSecrets.storeRef.name=s,externalSecrets.secrets.facegate-database.url.key=k"
    done = run(
        "template", "scan", str(CHART), *step,
        "--values", str(VALUES / "production.yaml"), "--set", secret,
    )  # fmt: skip
    assert done.returncode != 0
    assert "externalSecrets.secrets:" in done.stderr


@needs_helm
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"imagePullSecrets": ["regcred"]}, "imagePullSecrets/0"),
        ({"tolerations": [{"key": "a", "tolerationSeconds": "300"}]}, "tolerationSeconds"),
        ({"securityContext": {"readOnlyRootFilesystem": "true"}}, "readOnlyRootFilesystem"),
        ({"podSecurityContext": {"runAsUser": "1000"}}, "runAsUser"),
        ({"extraVolumes": [{"name": "a", "secret": {"defaultMode": "0440"}}]}, "defaultMode"),
        ({"extraVolumeMounts": [{"name": "a", "mountPath": "/a", "readOnly": "true"}]}, "readOnly"),
        ({"extraVolumeMounts": [{"name": "a"}]}, "mountPath"),
        ({"networkPolicy": {"egress": [{"ports": [{"port": "5432"}]}]}}, "port"),
        ({"networkPolicy": {"egress": [{"ports": [{"port": 5432, "protocol": "tcp"}]}]}}, "protocol"),
        ({"networkPolicy": {"egress": [{"ports": [{"port": 70000}]}]}}, "port"),
        ({"gateway": {"hostnames": ["Scan.Bank.Example"]}}, "gateway/hostnames"),
        ({"web": {"hostnames": ["scan.bank.example/"]}}, "web/hostnames"),
        ({"ingress": {"host": "https://scan.bank.example"}}, "ingress/host"),
        ({"ingress": {"host": "scan.bank.example:443"}}, "ingress/host"),
        ({"certificate": {"deviceNames": ["a_b.example"]}}, "certificate/deviceNames"),
        ({"resources": {"limits": {"memory": "4 GB"}}}, "memory"),
        ({"resources": {"limits": {"memory": True}}}, "memory"),
        (
            {"resources": {"requests": {"memory": "8Gi"}, "limits": {"memory": "4Gi"}}},
            "resources.limits.memory",
        ),
        ({"resources": {"requests": {"cpu": 2}, "limits": {"cpu": "1500m"}}}, "resources.limits.cpu"),
        ({"extraEnv": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}, "extraEnv: A"),
    ],
)
def test_what_kubernetes_would_refuse_is_refused_by_name(
    change: dict[str, Any], named: str, tmp_path: Path
) -> None:
    assert named in _refused(change, tmp_path)


@needs_helm
@pytest.mark.parametrize(
    "change",
    [
        {
            "resources": {
                "requests": {"cpu": 1, "memory": "2Gi"},
                "limits": {"cpu": "1000m", "memory": "2048Mi"},
            }
        },
        {"resources": {"requests": {"memory": "1e9"}, "limits": {"memory": "1G"}}},
        {"podSecurityContext": {"runAsUser": None}, "securityContext": {"privileged": False}},
        {"networkPolicy": {"egress": [{"ports": [{"port": "postgres", "protocol": "TCP"}]}]}},
        {"gateway": {"hostnames": ["*.bank.example"]}, "ingress": {"host": ""}},
    ],
)
def test_what_kubernetes_takes_is_taken(change: dict[str, Any], tmp_path: Path) -> None:
    assert _refused(change, tmp_path) == ""


@needs_helm
@pytest.mark.parametrize(
    "name",
    [
        "round2/helm/egress_port_as_text_protocol_small.yaml",
        "round2/helm/env_twice.yaml",
        "round2/helm/gateway_host_upper_case.yaml",
        "round2/helm/image_pull_secrets_as_text.yaml",
        "round2/helm/ingress_host_with_port.yaml",
        "round2/helm/ingress_host_with_scheme.yaml",
        "round2/helm/limit_below_request.yaml",
        "round2/helm/mount_read_only_as_text.yaml",
        "round2/helm/security_context_as_text.yaml",
        "round2/helm/toleration_seconds_as_text.yaml",
        "k9_extra_env_number.yaml",
        "k10_null_section.yaml",
    ],
)
def test_values_behind_public_bug_reports_are_refused(name: str, assets: Path, tmp_path: Path) -> None:
    file = assets / "data" / "reported" / name
    if not file.is_file():
        pytest.skip(f"no reported values: {file} is absent")
    change = yaml.safe_load(file.read_text())
    assert next(iter(change)) in _refused(change, tmp_path)


def _refused(change: dict[str, Any], folder: Path) -> str:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(change))
    done = run(
        *("template", "scan", str(CHART), "--values", str(VALUES / "single.yaml"), "--values", str(file))
    )
    assert (done.returncode == 0) is (done.stderr == "")
    return done.stderr
