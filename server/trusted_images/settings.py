"""The settings of the customer's own store of trusted images."""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from server.settings_base import Table, is_loopback
from server.trusted_images.source import parse_source

__all__ = ["S3Settings", "TrustedImageSettings"]


class S3Settings(Table):
    """Where an S3 bucket is, and the credentials for it.

    What is not set comes from the environment (``AWS_ENDPOINT_URL``, ``AWS_REGION``, ``AWS_ACCESS_KEY_ID``
    and so on), which the object store of ``storage.objects_url`` uses as well.
    """

    endpoint: str | None = None
    """URL of an S3 that is not Amazon's, such as ``https://minio.example:9000``."""
    region: str | None = None
    """The bucket's region."""
    credentials_file: Path | None = None
    """TOML file with ``access_key_id``, ``secret_access_key`` and perhaps ``session_token``, readable by its
    owner only; read once, at the start."""
    allow_http: bool = False
    """Must be said for an endpoint with ``http://`` off loopback: portraits would travel unencrypted."""

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
                "nobody else can reach the network between"
            )
        return self


class TrustedImageSettings(Table):
    """The customer's own store of trusted images, from which UploadTrustedImage may take one by reference."""

    source: str | None = None
    """A folder, ``file:///folder`` or ``s3://bucket/prefix``; nothing beside and above it can be reached.
    ``{tenant}`` in the place of a whole segment stands for the caller's tenant. Without it references are
    refused."""
    shared_by_tenants: bool = False
    """Must be said where several tenants call and ``source`` does not tell them apart: each may then use
    every image."""
    timeout_seconds: float = Field(default=10.0, ge=0.5, le=25.0)
    """How long one image may take; then the answer is UNAVAILABLE."""
    s3: S3Settings = S3Settings()
    """Where the bucket is, for ``s3://``."""

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
