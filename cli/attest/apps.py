"""Apps in the notation of the command line."""

import re
from collections.abc import Iterable
from typing import Final

from cli.errors import OptionUnusable
from device_integrity.android import AllowedApp

__all__ = ["android_apps"]

_ANDROID: Final = re.compile(r"([A-Za-z0-9_.]{1,255})@([0-9A-Fa-f:]{64,95})")


def android_apps(texts: Iterable[str]) -> tuple[AllowedApp, ...]:
    """Parses Android apps: package, ``@``, and the SHA-256 of the signing certificate in hexadecimal.

    Raises:
        OptionUnusable: A text has another form.
    """
    return tuple(map(_android_app, texts))


def _android_app(text: str) -> AllowedApp:
    match = _ANDROID.fullmatch(text)
    digest = match[2].replace(":", "") if match else ""
    if match is None or len(digest) != 64:
        raise OptionUnusable(
            f"--app {text}: for Android write the package, @, and the SHA-256 of the signing certificate "
            "in hexadecimal, such as org.example.bank@3d91...e4"
        )
    return AllowedApp(package=match[1], certificate_digests=frozenset({bytes.fromhex(digest)}))
