"""The operator's apps, by package name and signing certificates."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedApp:
    """An app, by its package name and the certificates that may have signed it.

    Attributes:
        certificate_digests: SHA-256 of each signing certificate (DER), 32 bytes each.
    """

    package: str
    certificate_digests: frozenset[bytes]


def package_is_allowed(apps: Iterable[AllowedApp], package: str) -> bool:
    """Return whether one of the apps has this package name."""
    return any(app.package == package for app in apps)


def app_is_allowed(
    apps: Iterable[AllowedApp], packages: Iterable[str], certificate_digests: frozenset[bytes]
) -> bool:
    """Return whether an app is one of the operator's.

    Args:
        packages: Package names of the app; several if packages share a user.
        certificate_digests: SHA-256 of all certificates that signed it. Each has to be one of the operator's
            app; without any, the app is not allowed.
    """
    names = set(packages)
    return bool(certificate_digests) and any(
        app.package in names and certificate_digests <= app.certificate_digests for app in apps
    )
