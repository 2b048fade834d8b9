"""Reads the settings, records the origin of each value, and shows them flat with secrets masked.

::

    SettingsInvalid     a setting is unknown, of the wrong type, or unsafe
"""

import difflib
import os
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Union, get_args, get_origin
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import BaseModel, ValidationError
from pydantic_settings import EnvSettingsSource, SettingsError

from formats.errors import TomlMalformed
from formats.toml import read_toml
from server.base.errors import ConfigurationError
from server.base.private_files import PrivateFileError, read_private_file, read_trusted_file
from server.configuration.settings import EVALUATION_PACK, EVALUATION_POLICY, ConsoleListener, Settings

_MASK = "***"
_URLS = frozenset(
    {
        "audit.timestamp_url",
        "audit.witness_url",
        "storage.database_url",
        "storage.objects_url",
        "trusted_images.source",
        "trusted_images.s3.endpoint",
    }
)
_SECRET_WORD = re.compile(r"pass|pwd|secret|token|key|sas|sig|cred", re.IGNORECASE)


def shown_settings(settings: Settings) -> dict[str, Any]:
    """Return every setting by its dotted key, in the order of the schema; ``None`` if it is not set.

    An optional table that is not set, such as ``listeners.device.tls``, is one entry.
    """
    flat = dict(_leaves(settings.model_dump(mode="json")))
    return {
        key: mask_url(value) if isinstance(value, str) and _is_url(key) else value
        for key, value in flat.items()
    }


def _is_url(key: str) -> bool:
    return key in _URLS or (key.startswith("webhooks.endpoints.") and key.endswith(".url"))


def mask_url(url: str) -> str:
    """Return ``url`` without the password of its user part and the values of secret parameters.

    A text that cannot be parsed is masked entirely.
    """
    try:
        parts = urlsplit(url)
        user, at, place = parts.netloc.rpartition("@")
        if at:
            name, colon, _ = user.partition(":")
            user = f"{name}:{_MASK}" if colon else name
        query = urlencode(
            [
                (name, _MASK if _SECRET_WORD.search(name) else value)
                for name, value in parse_qsl(parts.query, keep_blank_values=True)
            ],
            safe="*/:",
        )
        masked = urlunsplit((parts.scheme, f"{user}{at}{place}", parts.path, query, parts.fragment))
    except ValueError:
        return _MASK
    # urlunsplit drops an empty authority, as in the three slashes of sqlite:///file.
    if url.startswith(f"{parts.scheme}:///") and not masked.startswith(f"{parts.scheme}:///"):
        masked = masked.replace(f"{parts.scheme}:", f"{parts.scheme}://", 1)
    return masked


def holds_secret(url: str) -> bool:
    """Return whether ``mask_url`` masks a part of ``url``."""
    return mask_url(url).count(_MASK) > url.count(_MASK)


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted keys of a nested table, and their values."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


ENVIRONMENT_CONFIG = "FACEGATE_CONFIG"
"""The variable that names the settings file if the command line does not."""

_PREFIX = "FACEGATE_"
_NOT_SETTINGS = frozenset({ENVIRONMENT_CONFIG, "FACEGATE_API_KEY_FILE", "FACEGATE_TEST_ASSETS"})
# Kubernetes sets variables for every service of the namespace. For a service named "facegate", they have the
# same prefix as the settings
# (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
_KUBERNETES = re.compile(
    r"FACEGATE_([A-Z0-9_]+_)?(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
_ITEM = ".*."
_INDEX = re.compile(r"\.[0-9]+\.")
_MAX_BYTES = 1_048_576
_EVALUATION = "allow_evaluation_pack"
_DEFAULT_POLICY = "policies.default"


class SettingsInvalid(ConfigurationError):
    """A setting is unknown, of the wrong type, or unsafe.

    Attributes:
        problems: One line for each problem: the place, the error, and the expected value. Never the value
            itself.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Origin(StrEnum):
    """The origin of a value."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, and their origins.

    Attributes:
        origins: The origins, by dotted key such as ``"listeners.device.port"``; others have their default.
    """

    settings: Settings
    origins: Mapping[str, Origin]
    file: Path | None

    def origin(self, key: str) -> Origin:
        """Return the origin of the value of a dotted key."""
        return self.origins.get(key, Origin.DEFAULT)


def load_settings(file: Path | None = None) -> LoadedSettings:
    """Read the effective settings.

    Without a file, a server that listens on loopback only has a console, and may use a pack for evaluation,
    unless the environment sets ``allow_evaluation_pack``. If its pack is ``embedded``, its default policy is
    ``evaluation``, unless the environment sets ``policies.default``.

    Args:
        file: A TOML file; ``None`` for the one that FACEGATE_CONFIG names, or none.

    Raises:
        SettingsInvalid: A file cannot be read, or a setting is unknown, of the wrong type, or unsafe; every
            problem is listed. Or the file contains a password and is accessible to others.
    """
    if file is None and os.environ.get(ENVIRONMENT_CONFIG):
        file = Path(os.environ[ENVIRONMENT_CONFIG])
    unknown = tuple(_unknown_variables())
    if unknown:
        raise SettingsInvalid(unknown)
    from_file = {} if file is None else _read(file)
    if file is not None:
        _refuse_passwords(file, from_file)
    try:
        from_environment = EnvSettingsSource(Settings)()
    except SettingsError as error:
        raise SettingsInvalid((f"environment: {error}",)) from error
    origins = dict.fromkeys(dict(_leaves(from_file)), Origin.FILE)
    origins |= dict.fromkeys(dict(_leaves(from_environment)), Origin.ENVIRONMENT)
    try:
        settings = Settings(**_merged(from_file, from_environment))
    except ValidationError as error:
        raise SettingsInvalid(tuple(_problems(error, origins=origins, file=file))) from error
    # A first trial on this machine needs no setting. A file is an operator's, who decides.
    if file is None and settings.on_loopback:
        if _EVALUATION not in origins:
            settings = settings.model_copy(update={_EVALUATION: True})
        if settings.listeners.console is None:
            console = settings.listeners.model_copy(update={"console": ConsoleListener()})
            if console.console_login is not None:
                settings = settings.model_copy(update={"listeners": console})
        if settings.pack == EVALUATION_PACK and _DEFAULT_POLICY not in origins:
            policies = settings.policies.model_copy(update={"default": EVALUATION_POLICY})
            settings = settings.model_copy(update={"policies": policies})
    return LoadedSettings(settings=settings, origins=MappingProxyType(origins), file=file)


def _read(file: Path) -> dict[str, Any]:
    try:
        source = read_trusted_file(file, max_bytes=_MAX_BYTES)
        if len(source) > _MAX_BYTES:
            raise SettingsInvalid((f"{file}: more than {_MAX_BYTES} bytes; this is not a settings file",))
        return read_toml(source)
    except PrivateFileError as error:
        raise SettingsInvalid((str(error),)) from error
    except OSError as error:
        raise SettingsInvalid((f"{file}: cannot be read: {error.strerror or error}",)) from error
    except TomlMalformed as error:
        raise SettingsInvalid((f"{file}: {error}",)) from error


def _refuse_passwords(file: Path, table: Mapping[str, Any]) -> None:
    storage = table.get("storage")
    if not isinstance(storage, Mapping):
        return
    for name, url in storage.items():
        if isinstance(url, str) and holds_secret(url):
            try:
                read_private_file(file, max_bytes=_MAX_BYTES)
            except PrivateFileError as error:
                raise SettingsInvalid((f"storage.{name} contains a secret; {error}",)) from error


def _unknown_variables() -> Iterator[str]:
    keys = {key for key in _keys(Settings) if _ITEM not in key}
    known = {_variable(key) for key in keys}
    for name in sorted(os.environ):
        upper = name.upper()
        if not upper.startswith(_PREFIX) or upper in known or upper in _NOT_SETTINGS:
            continue
        if "__" not in upper and _KUBERNETES.fullmatch(upper):
            continue
        key = upper.removeprefix(_PREFIX).replace("__", ".").lower()
        yield f"environment: {name}: there is no such setting{_hint(key, keys, shown=_variable)}"


def _variable(key: str) -> str:
    return _PREFIX + key.upper().replace(".", "__")


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield every dotted key of a model: also those of tables, and those of tables in lists, with ``*``."""
    for name, field in model.model_fields.items():
        yield prefix + name
        table = _table_of(field.annotation)
        if table is not None:
            yield from _keys(table, f"{prefix}{name}.")
        elif get_origin(field.annotation) in {list, tuple}:
            items = [found for item in get_args(field.annotation) if (found := _table_of(item))]
            for item in items:
                yield from _keys(item, f"{prefix}{name}{_ITEM}")


def _table_of(annotation: Any) -> type[BaseModel] | None:
    choices = get_args(annotation) if get_origin(annotation) in {Union, types.UnionType} else (annotation,)
    for choice in choices:
        if isinstance(choice, type) and issubclass(choice, BaseModel):
            return choice
    return None


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            merged[name] = _merged(under, value)
        else:
            merged[name] = value
    return merged


def _problems(error: ValidationError, *, origins: Mapping[str, Origin], file: Path | None) -> Iterator[str]:
    keys = set(_keys(Settings))
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        key = ".".join(str(part) for part in item["loc"])
        match item["type"]:
            case "extra_forbidden":
                text = f"there is no such setting{_hint(_INDEX.sub(_ITEM, key), keys, shown=_within_item)}"
            case "missing":
                text = "is missing"
            case "value_error":
                text = item["msg"].removeprefix("Value error, ")
            case _:
                text = item["msg"]
        # A rule about several tables has no key of its own.
        yield ": ".join(filter(None, (_place(key, origins=origins, file=file), key, text)))


def _place(key: str, *, origins: Mapping[str, Origin], file: Path | None) -> str:
    # The place of a problem of a table is the origin of its values; the environment takes precedence.
    found = {origin for name, origin in origins.items() if name == key or name.startswith(f"{key}.")}
    if Origin.ENVIRONMENT in found:
        return "environment"
    return str(file) if file is not None else "settings"


def _hint(key: str, known: Iterable[str], *, shown: Callable[[str], str]) -> str:
    """Return the known setting with nearly the same name, or else those of the same table.

    A shared table makes no names alike: what is compared begins where they differ.
    """

    def alike(other: str) -> bool:
        ours, theirs = key.split("."), other.split(".")
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=False)))
        end, other_end = ".".join(ours[shared:]), ".".join(theirs[shared:])
        return difflib.SequenceMatcher(None, end, other_end).ratio() >= _ALIKE

    known = sorted(known)
    close = difflib.get_close_matches(key, [*filter(alike, known)], n=1)
    if close:
        return f"; did you mean {shown(close[0])}?"
    table, dot, _ = key.rpartition(".")
    others = [shown(name) for name in known if dot and name.rpartition(".")[0] == table]
    return f"; there are {', '.join(others)}" if others else ""


_ALIKE: Final = 0.75


def _within_item(key: str) -> str:
    """Return the key without the list of its table: an index has no counterpart in the names of fields."""
    return key.rpartition(_ITEM)[2]
