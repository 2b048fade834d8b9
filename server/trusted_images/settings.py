"""The settings of the customer's own store of trusted images."""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from server.settings_base import Table, is_loopback
from server.trusted_images.source import parse_source

__all__ = ["S3Settings", "TrustedImageSettings"]


class S3Settings(Table):
    """The location of an S3 bucket, and its credentials.

    Settings that are not set come from the environment (``AWS_ENDPOINT_URL``, ``AWS_REGION``,
    ``AWS_ACCESS_KEY_ID`` and so on), which the object store of ``storage.objects_url`` uses as well.
    """

    endpoint: str | None = None
    """URL of an S3 service other than Amazon's, such as ``https://minio.example:9000``."""
    region: str | None = None
    """The bucket's region."""
    credentials_file: Path | None = None
    """TOML file with ``access_key_id``, ``secret_access_key`` and optionally ``session_token``. Only its
    owner may have access. The server reads it once, at the start."""
    allow_http: bool = False
    """Must be true for an ``http://`` endpoint that is not on loopback: portraits are sent unencrypted."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.endpoint is None:
            return self
        host = _endpoint_host(self.endpoint)
        if host is None:
            raise ValueError(
                "endpoint is not a URL such as https://minio.example:9000; credentials belong in "
                "credentials_file"
            )
        if self.endpoint.startswith("http://") and not self.allow_http and not is_loopback(host):
            raise ValueError(
                "endpoint is on another machine and has no TLS: use https://, or set allow_http = true if "
                "no one else can access the network between"
            )
        return self


class TrustedImageSettings(Table):
    """The customer's own store of trusted images, from which UploadTrustedImage can read by reference."""

    source: str | None = None
    """A folder, ``file:///folder`` or ``s3://bucket/prefix``. No reference can leave it. ``{tenant}`` as a
    whole segment stands for the tenant of the caller. If no source is set, references are refused."""
    shared_by_tenants: bool = False
    """Must be true if several tenants call and ``source`` has no ``{tenant}``: each tenant may then use every
    image."""
    timeout_seconds: float = Field(default=10.0, ge=0.5, le=25.0)
    """Maximum time to read one image; after it, the call ends with UNAVAILABLE."""
    s3: S3Settings = S3Settings()
    """The location of the bucket, for ``s3://``."""

    @field_validator("source")
    @classmethod
    def _parsed(cls, value: str | None) -> str | None:
        if value is not None:
            parse_source(value)
        return value


def _endpoint_host(endpoint: str) -> str | None:
    try:
        url = urlsplit(endpoint)
        host, _ = url.hostname, url.port
    except ValueError:
        return None
    plain = endpoint.startswith(("http://", "https://")) and not (
        url.query or url.fragment or "@" in url.netloc
    )
    return host if plain else None
