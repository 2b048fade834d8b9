"""The apps that the operator calls his own."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["AllowedApp", "app_is_allowed", "package_is_allowed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedApp:
    """An app by its name and the keys that may have signed it.

    Attributes:
        package: Its package name.
        certificate_digests: SHA-256 of each signing certificate (DER), 32 bytes each.
    """

    package: str
    certificate_digests: frozenset[bytes]


def package_is_allowed(apps: Iterable[AllowedApp], package: str) -> bool:
    """Whether one of the apps has this name."""
    return any(app.package == package for app in apps)


def app_is_allowed(
    apps: Iterable[AllowedApp], packages: Iterable[str], certificate_digests: frozenset[bytes]
) -> bool:
    """Whether an app is one of these.

    Args:
        apps: The operator's apps.
        packages: Names of the app; several where packages share a user.
        certificate_digests: SHA-256 of all certificates that signed it; each has to be the app's.
    """
    names = set(packages)
    return bool(certificate_digests) and any(
        app.package in names and certificate_digests <= app.certificate_digests for app in apps
    )
