"""The values that the chart refuses."""

import pytest

from tests.helm.chart_values import CHART
from tests.helm.rendering import VALUES, needs_helm, run

_GATEWAY = "gateway.enabled=true,gateway.parentRefs[0].name=g,gateway.hostnames={scan.example}"
_WEB = "web.enabled=true,settings.device_integrity.web.origins={https://a.example}"
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
        ("commonLabels.cost=12", "commonLabels"),
        ("podLabels.team=a b", "podLabels"),
        ("podAnnotations.scrape=true", "podAnnotations"),
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
@pytest.mark.parametrize("step", [[], ["--is-upgrade"]])
def test_an_upgrade_is_refused_as_an_installation_is(step: list[str]) -> None:
    secret = "externalSecrets.storeRef.name=s,externalSecrets.secrets.facegate-database.url.key=k"
    done = run(
        "template", "scan", str(CHART), *step,
        "--values", str(VALUES / "production.yaml"), "--set", secret,
    )  # fmt: skip
    assert done.returncode != 0
    assert "externalSecrets.secrets:" in done.stderr
