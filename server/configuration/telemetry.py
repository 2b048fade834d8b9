"""The settings of traces, and of metrics beyond those of the admin listener."""

from pathlib import Path
from typing import Self

from pydantic import Field, HttpUrl, field_validator, model_validator

from server.base.table import Table, is_loopback

__all__ = ["OtlpSettings", "TelemetrySettings"]


class OtlpSettings(Table):
    """The collector that gets traces and metrics by OTLP over gRPC. Needs the extra ``otlp``.

    Environment variables ``OTEL_...`` have no effect, so that nothing is sent that no setting names.
    """

    endpoint: HttpUrl | None = None
    """The collector, such as ``https://collector.bank.example:4317``; HTTPS unless it is on this machine.
    Without it, nothing is sent."""
    ca: Path | None = None
    """A PEM file with the certificate authority of the collector; by default that of gRPC."""
    headers_file: Path | None = None
    """A file with headers for each request, such as ``authorization: Bearer ...``, one a line. Only its owner
    may have access. It is read at the start."""
    sampling_ratio: float = Field(default=1.0, ge=0.0, le=1.0)
    """The share of traces that is sent. A backend's own decision, in its ``traceparent``, takes precedence; a
    device's does not."""
    metrics_seconds: int = Field(default=60, ge=0, le=3600)
    """Seconds between two transfers of the metrics; 0 sends traces only."""

    @field_validator("endpoint")
    @classmethod
    def _encrypted(cls, value: HttpUrl | None) -> HttpUrl | None:
        if value is not None and value.scheme != "https" and not is_loopback(value.host or ""):
            raise ValueError("write https://: identifiers of checks would cross the network in clear text")
        return value

    @model_validator(mode="after")
    def _used(self) -> Self:
        if self.endpoint is None and (self.ca is not None or self.headers_file is not None):
            raise ValueError("ca and headers_file are of a collector: set endpoint")
        if self.ca is not None and self.endpoint is not None and self.endpoint.scheme != "https":
            raise ValueError("ca is for https://, and the endpoint is http://")
        return self


class TelemetrySettings(Table):
    """Traces and metrics. Prometheus' metrics are always on the admin listener."""

    otlp: OtlpSettings = OtlpSettings()
    """The collector that gets traces and metrics by OTLP."""
    tenant_names: bool = False
    """Whether metrics name tenants: ``facegate_tenant_places_in_use`` then shows the places of each."""
