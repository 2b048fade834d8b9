import pytest

from server.configuration.loading import mask_url, shown_settings
from server.configuration.settings import Settings


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///data/facegate.db", "sqlite:///data/facegate.db"),
        ("sqlite:////srv/facegate.db", "sqlite:////srv/facegate.db"),
        ("postgresql+asyncpg://me:hunter2@db/x", "postgresql+asyncpg://me:***@db/x"),
        ("postgresql+asyncpg://me:hun@ter2@db:5432/x", "postgresql+asyncpg://me:***@db:5432/x"),
        ("postgresql+asyncpg://me@db/x", "postgresql+asyncpg://me@db/x"),
        (
            "postgresql+asyncpg://db/x?password=hunter2&ssl=on",
            "postgresql+asyncpg://db/x?password=***&ssl=on",
        ),
        ("s3://bucket/p?secret_access_key=hunter2", "s3://bucket/p?secret_access_key=***"),
        ("az://c/p?sas_token=hunter2&sig=hunter2", "az://c/p?sas_token=***&sig=***"),
        ("/srv/objects", "/srv/objects"),
        ("file:///srv/objects", "file:///srv/objects"),
        ("http://[broken:hunter2@x", "***"),
    ],
)
def test_secrets_in_urls_are_masked(url: str, shown: str) -> None:
    assert mask_url(url) == shown


def test_every_setting_is_shown_by_its_key() -> None:
    shown = shown_settings(
        Settings.model_validate({"storage": {"database_url": "postgresql+asyncpg://u:hunter2@h/d"}})
    )
    assert shown["listeners.device.port"] == 8443
    assert shown["listeners.device.tls"] is None
    assert shown["log.format"] == "json"
    assert "hunter2" not in str(shown)
