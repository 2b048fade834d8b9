"""Writes the version of the root's ``pyproject.toml`` into every other file that states it: ``make version``.

The packagers of Python, npm, Maven and Helm each read a literal, so there is one owner and copies of it.
Python wants a version of PEP 440 (``1.0.0rc1``), the others one of SemVer (``1.0.0-rc.1``).
"""

import argparse
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[1]
_VERSION: Final = re.compile(r"(?P<release>\d+\.\d+\.\d+)(?:(?P<kind>a|b|rc)(?P<number>\d+))?")
_KINDS: Final = {"a": "alpha", "b": "beta", "rc": "rc"}
_PROJECT: Final = r'(?m)^version = "(?P<version>[^"]+)"'
_PINS: Final = r'"facegate-(?:client|protocol)(?:\[[a-z,]+\])?==(?P<version>[^"]+)"'


@dataclass(frozen=True, slots=True)
class _Copy:
    """Where a file states the version: each match of the pattern has it as the group ``version``."""

    path: str
    pattern: str
    semver: bool = False


_COPIES: Final = (
    _Copy("pyproject.toml", _PINS),
    _Copy("client/pyproject.toml", _PINS),
    _Copy("client/pyproject.toml", _PROJECT),
    _Copy("protos/pyproject.toml", _PROJECT),
    _Copy("helm/facegate/Chart.yaml", r'(?m)^appVersion: "(?P<version>[^"]+)"'),
    _Copy("helm/facegate/Chart.yaml", r"(?m)^version: (?P<version>\S+)", semver=True),
    _Copy("web/sdk/package.json", r'(?m)^  "version": "(?P<version>[^"]+)"', semver=True),
    _Copy("web/server/package.json", r'(?m)^  "version": "(?P<version>[^"]+)"', semver=True),
    _Copy(
        "web/package-lock.json",
        r'"name": "@facegate/(?:server|web)",\s+"version": "(?P<version>[^"]+)"',
        semver=True,
    ),
    _Copy("web/sdk/src/version.ts", r'VERSION = "(?P<version>[^"]+)"', semver=True),
    *(
        _Copy(
            f"sdk/kotlin/{folder}pom.xml",
            r"<artifactId>facegate-kotlin</artifactId>\s+<version>(?P<version>[^<]+)<",
            semver=True,
        )
        for folder in ("", "core/", "android/")
    ),
    _Copy("sdk/kotlin/README.md", r'facegate-(?:android|core):(?P<version>[^@"`]+)', semver=True),
    _Copy("sdk/kotlin/sample/app/build.gradle.kts", r"facegate-android:(?P<version>[^@]+)@aar", semver=True),
)


def own_version(root: Path = _ROOT) -> str:
    """Return the version that all others copy: that of the distribution ``facegate``."""
    version: str = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    return version


def version_for_npm(version: str) -> str:
    """Return the SemVer of a version of PEP 440.

    Raises:
        ValueError: It is not of the form ``1.2.3``, ``1.2.3a1``, ``1.2.3b1`` or ``1.2.3rc1``.
    """
    found = _VERSION.fullmatch(version)
    if found is None:
        raise ValueError(f"{version} is no version: expected one such as 1.2.3 or 1.2.3rc1")
    if found["kind"] is None:
        return found["release"]
    return f"{found['release']}-{_KINDS[found['kind']]}.{found['number']}"


def stale_files(root: Path = _ROOT) -> list[str]:
    """Return the files that state another version than their owner."""
    texts = _copies(root, own_version(root))
    return [path for path, text in texts.items() if text != (root / path).read_text()]


def write_version(version: str, root: Path = _ROOT) -> list[str]:
    """Make a version that of the owner and of all copies; return the paths of the files that changed.

    Raises:
        ValueError: It is no version, or a file states none where it is looked for. Nothing is written.
    """
    owner = _replaced(root / "pyproject.toml", (root / "pyproject.toml").read_text(), _PROJECT, version)
    texts = _copies(root, version, owner)
    changed = [path for path, text in texts.items() if text != (root / path).read_text()]
    for path in changed:
        (root / path).write_text(texts[path])
    return changed


def _copies(root: Path, version: str, owner: str | None = None) -> dict[str, str]:
    """The texts of all files with a version, by path; ``owner`` is that of the root's ``pyproject.toml``."""
    npm = version_for_npm(version)
    texts = {} if owner is None else {"pyproject.toml": owner}
    for copy in _COPIES:
        path = root / copy.path
        text = texts.get(copy.path) or path.read_text()
        texts[copy.path] = _replaced(path, text, copy.pattern, npm if copy.semver else version)
    return texts


def _replaced(path: Path, text: str, pattern: str, version: str) -> str:
    def with_version(found: re.Match[str]) -> str:
        start, end = (place - found.start() for place in found.span("version"))
        return f"{found[0][:start]}{version}{found[0][end:]}"

    replaced, count = re.subn(pattern, with_version, text)
    if count == 0:
        raise ValueError(
            f"{path} states no version: expected a match of {pattern}; correct deploy/version.py"
        )
    return replaced


def main() -> None:
    """Write the version of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("version", help="the new version, such as 1.2.3 or 1.2.3rc1")
    try:
        changed = write_version(parser.parse_args().version)
    except ValueError as error:
        sys.exit(str(error))
    print("\n".join(changed))


if __name__ == "__main__":
    main()
