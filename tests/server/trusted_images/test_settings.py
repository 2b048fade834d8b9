from pathlib import Path

import pytest
from pydantic import ValidationError

from server.configuration.loading import shown_settings
from server.configuration.settings import Settings
from server.trusted_images.settings import (
    BucketSource,
    FolderSource,
    S3Settings,
    TrustedImageSettings,
    parse_source,
    tenant_segment,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/srv/portraits", FolderSource(Path("/srv/portraits"))),
        ("portraits", FolderSource(Path("portraits"))),
        ("../portraits", FolderSource(Path("../portraits"))),
        ("file:///srv/a%20folder", FolderSource(Path("/srv/a folder"))),
        ("file://localhost/srv/x", FolderSource(Path("/srv/x"))),
        ("file:/srv/x", FolderSource(Path("/srv/x"))),
        ("/srv/{tenant}", FolderSource(Path("/srv"), ("{tenant}",))),
        ("file:///srv/{tenant}/now", FolderSource(Path("/srv"), ("{tenant}", "now"))),
        ("/srv/x:/y", FolderSource(Path("/srv/x:/y"))),
        ("s3://bucket", BucketSource("bucket")),
        ("s3://bucket/", BucketSource("bucket")),
        ("s3://bucket/a/b/", BucketSource("bucket", ("a", "b"))),
        ("s3://bucket/{tenant}/{tenant}", BucketSource("bucket", ("{tenant}", "{tenant}"))),
    ],
)
def test_a_source_is_a_folder_or_a_prefix(text: str, expected: FolderSource | BucketSource) -> None:
    assert parse_source(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a folder"),
        ("  ", "expected a folder"),
        ("/srv/\0x", "expected a folder"),
        ("https://images.example/x", "https:// is not one of these"),
        ("gs://bucket/x", "gs:// is not one of these"),
        ("memory:///", "memory:// is not one of these"),
        ("file://host/share", "three slashes"),
        ("s3:///x", "name of an S3 bucket"),
        ("s3://{tenant}/x", "name of an S3 bucket"),
        ("s3://me:hunter2@bucket/x", "without credentials"),
        ("s3://bucket/x?secret=hunter2", "without credentials"),
        ("s3://bucket/x#hunter2", "without credentials"),
        ("s3://bucket/a/../b", "empty segment"),
        ("s3://bucket/a//b", "empty segment"),
        ("s3://bucket/%2e%2e", "empty segment"),
        ("s3://bucket/of-{tenant}", "whole segment"),
        ("/srv/{tenant}.d", "whole segment"),
        ("/srv/{Tenant}", "lower case"),
        ("/srv/{tenant}/../x", "out of the tenant's folder"),
    ],
)
def test_another_source_is_refused_and_not_repeated(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"^(?!.*hunter2)") as caught:
        parse_source(text)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["default", "Bank-1", "backend.bank.example", "a..b", "0", "x" * 64])
def test_a_tenants_name_can_be_a_folder(name: str) -> None:
    assert tenant_segment(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "..", ".", ".x", "a/b", "../b", "a b", "a\n", "ü", "%2e", "-x", "a\\b", "a\0", "x" * 65, "{tenant}"],
)
def test_a_name_that_leads_elsewhere_cannot(name: str) -> None:
    assert tenant_segment(name) is None


def test_without_a_source_there_is_no_store() -> None:
    assert TrustedImageSettings().source is None


@pytest.mark.parametrize("source", ["/srv/portraits/{tenant}", "file:///srv/x", "s3://bucket/prefix"])
def test_sources_are_kept_as_they_are_written(source: str) -> None:
    assert TrustedImageSettings(source=source).source == source


@pytest.mark.parametrize("source", ["", "https://images.example", "s3://me:hunter2@bucket/x"])
def test_other_sources_are_refused_without_repeating_them(source: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TrustedImageSettings(source=source)
    assert "expected a folder" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"endpoint": "https://minio.example:9000"},
        {"endpoint": "https://minio.example/s3"},
        {"endpoint": "http://127.0.0.1:9000"},
        {"endpoint": "http://localhost:9000"},
        {"endpoint": "http://[::1]:9000"},
        {"endpoint": "http://minio:9000", "allow_http": True},
    ],
)
def test_endpoints_of_s3(values: dict[str, object]) -> None:
    assert S3Settings.model_validate(values).model_dump(exclude_unset=True) == values


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("http://minio:9000", "has no TLS"),
        ("http://192.0.2.1", "has no TLS"),
        ("minio:9000", "not a URL"),
        ("ftp://minio", "not a URL"),
        ("https://", "not a URL"),
        ("https://me:hunter2@minio", "not a URL"),
        ("https://minio?key=hunter2", "not a URL"),
        ("https://minio:port", "not a URL"),
        ("https://[broken", "not a URL"),
    ],
)
def test_an_endpoint_is_a_url_with_tls(endpoint: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        S3Settings(endpoint=endpoint)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("seconds", [0, 0.4, 26, float("inf")])
def test_an_image_has_a_limited_time(seconds: float) -> None:
    with pytest.raises(ValidationError):
        TrustedImageSettings(timeout_seconds=seconds)


def test_the_settings_are_shown() -> None:
    shown = shown_settings(Settings.model_validate({"trusted_images": {"source": "s3://bucket/{tenant}"}}))
    assert shown["trusted_images.source"] == "s3://bucket/{tenant}"
    assert shown["trusted_images.s3.credentials_file"] is None
