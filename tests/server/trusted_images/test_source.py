from pathlib import Path

import pytest

from server.trusted_images.source import BucketSource, FolderSource, parse_source, tenant_segment


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
