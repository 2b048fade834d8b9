"""Loads the policy of a command."""

from pathlib import Path
from typing import Final

from cli.errors import PolicyUnusable
from server.policies import Policy, load_policies, read_policy
from server.policies.errors import PolicyError
from server.settings_loading import SettingsInvalid, load_settings

__all__ = ["chosen_policy"]

_POLICY_SUFFIX: Final = ".toml"


def chosen_policy(name: str, config: Path | None) -> Policy:
    """Returns a policy by its name or file.

    Args:
        name: A name, or the path of a TOML file.
        config: Settings file that names a folder of policies; None for the default settings.

    Raises:
        PolicyUnusable: There is no such policy, or the policy or the settings are invalid.
    """
    try:
        if name.endswith(_POLICY_SUFFIX):
            return read_policy(Path(name)).policy
        return load_policies(load_settings(config).settings.policies.folder).get(name).policy
    except (PolicyError, SettingsInvalid) as error:
        raise PolicyUnusable(str(error)) from error
