"""A server with a scan page of its own, for tests."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from server.configuration.settings import Settings
from tests.server.live import settings_for
from tests.server.policy_files import write_policy

RETURN = "https://bank.example/onboarding"
"""Below this address the page may return."""


def hosted_settings(
    folder: Path, port: int, *, tls: dict[str, Path] | None = None, **hosted: object
) -> Settings:
    """Settings of a server with its own page on a port of localhost."""
    scheme = "http" if tls is None else "https"
    page = {"origin": f"{scheme}://localhost:{port}", "return_urls": (RETURN,), "name": "Example Bank"}
    listeners = {
        "device": {"port": 0},
        "service": {"port": 0, "local_sandbox": True},
        "admin": {"port": 0},
        "web": {"port": port, "tls": tls, "hosted": page | hosted},
    }
    settings = settings_for(folder, listeners=listeners)
    write_policy(folder / "policies", "patient", scan_seconds=900)
    return settings


def secret_of(url: str) -> str:
    """The secret in the fragment of a link."""
    return parse_qs(urlsplit(url).fragment)["link"][0]
