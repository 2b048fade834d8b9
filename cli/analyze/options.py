"""The options of ``facegate analyze`` that go together, checked."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from cli.errors import PolicyUnusable
from server.policies import Policy, load_policies, read_policy
from server.policies.errors import PolicyError
from server.settings_loading import SettingsInvalid, load_settings

__all__ = ["DEFAULT_PACK", "DEFAULT_POLICY", "Mode", "ServerOptions", "chosen_policy"]

DEFAULT_PACK: Final = "embedded"
DEFAULT_POLICY: Final = "standard"
_POLICY_SUFFIX: Final = ".toml"


class Mode(StrEnum):
    """How much is done for a picture."""

    BASIC = "basic"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How to reach a server.

    Attributes:
        target: ``host:port`` of its service listener.
        api_key_file: File with the API key; None for none.
        ca: PEM of the authorities to trust; None for the system's, or plaintext on loopback.
        cert: PEM of the caller's certificate; None for none.
        key: PEM of its private key; None for none.
    """

    target: str
    api_key_file: Path | None
    ca: Path | None
    cert: Path | None
    key: Path | None


def chosen_policy(name: str, config: Path | None) -> Policy:
    """A policy by its name or file.

    Args:
        name: A name, or the path of a TOML file.
        config: Settings file that names a folder of policies; None for the usual ones.

    Raises:
        PolicyUnusable: There is no such policy, or it or the settings are broken.
    """
    try:
        if name.endswith(_POLICY_SUFFIX):
            return read_policy(Path(name)).policy
        return load_policies(load_settings(config).settings.policies.folder).get(name).policy
    except (PolicyError, SettingsInvalid) as error:
        raise PolicyUnusable(str(error)) from error
