"""The settings of the customer's own store of trusted images."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from pydantic import field_validator, model_validator

from server.base.table import Table, is_loopback

TENANT: Final = "{tenant}"
"""The placeholder for the tenant of the caller."""

_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/")
_TENANT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""The names that the file of API keys allows; the common name of a client certificate may be any text."""
_EXPECTED: Final = "expected a folder, file:///folder or s3://bucket/prefix"


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A folder.

    Attributes:
        folder: The part of the path before the first ``{tenant}``. It belongs to the operator and may contain
            links.
        below: The segments from the first ``{tenant}`` on; empty if there is none.
    """

    folder: Path
    below: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BucketSource:
    """A prefix in an S3 bucket.

    Attributes:
        below: The segments of the prefix, which may include ``{tenant}``.
    """

    bucket: str
    below: tuple[str, ...] = ()


def parse_source(text: str) -> FolderSource | BucketSource:
    """Parse a source.

    Args:
        text: The path of a folder, ``file:///folder``, or ``s3://bucket/prefix``.

    Raises:
        ValueError: The text is none of these. The message states the expected form and never repeats the
            text, because a URL may contain a password.
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        return _folder(text)
    parts = urlsplit(text)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(
            f"{_EXPECTED}, without credentials, query or fragment; credentials belong in "
            "trusted_images.s3.credentials_file or the environment"
        )
    match parts.scheme:
        case "file":
            if parts.netloc not in {"", "localhost"}:
                raise ValueError(f"{_EXPECTED}; a file:// URL has three slashes")
            return _folder(unquote(parts.path))
        case "s3":
            return _bucket(parts.netloc, parts.path)
        case other:
            raise ValueError(f"{_EXPECTED}; {other}:// is not one of these")


def tenant_segment(tenant: str) -> str | None:
    """Return the name of the tenant if it can be one segment of a path; otherwise ``None``."""
    return tenant if _TENANT_NAME.fullmatch(tenant) else None


def _folder(text: str) -> FolderSource:
    if not text.strip() or "\0" in text:
        raise ValueError(_EXPECTED)
    path = Path(text)
    parts = path.parts
    _validate_placeholders(parts)
    if TENANT not in parts:
        return FolderSource(path)
    first = parts.index(TENANT)
    below = parts[first:]
    if ".." in below:
        raise ValueError(f"`..` after {TENANT} would lead out of the tenant's folder; leave it out")
    return FolderSource(Path(*parts[:first]), below)


def _bucket(bucket: str, path: str) -> BucketSource:
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(f"{_EXPECTED}; this is not a valid name of an S3 bucket")
    prefix = path.strip("/")
    below = tuple(prefix.split("/")) if prefix else ()
    if any(segment in {"", ".", ".."} or "%" in segment or "\\" in segment for segment in below):
        raise ValueError("the prefix has an empty segment, `.`, `..`, `%` or a backslash; leave it out")
    _validate_placeholders(below)
    return BucketSource(bucket, below)


def _validate_placeholders(segments: tuple[str, ...]) -> None:
    for segment in segments:
        if TENANT in segment and segment != TENANT:
            raise ValueError(f"{TENANT} stands for a whole segment, such as /srv/portraits/{TENANT}/current")
        if segment.casefold() == TENANT and segment != TENANT:
            raise ValueError(f"write {TENANT} in lower case")


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
    """A folder, ``file:///folder`` or ``s3://bucket/prefix``, which no reference can leave. ``{tenant}`` as a
    whole segment stands for the tenant of the caller. If no source is set, references are refused."""
    shared_by_tenants: bool = False
    """Must be true if several tenants call and ``source`` has no ``{tenant}``: each tenant may then use every
    image."""
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
