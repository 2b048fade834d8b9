"""Loads the policy, the packs and the settings of a command, which are by default those of the server."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.errors import PolicyUnusable, SettingsUnusable, UnknownPack
from server.configuration.loading import LoadedSettings, SettingsInvalid, load_settings
from server.policies import Policy, load_policies, read_policy
from server.policies.loading import PolicyError
from vision.packs import CataloguePack, default_models_dir, load_catalogue

__all__ = [
    "ModelsDirOption",
    "chosen_pack",
    "chosen_policy",
    "known_packs",
    "models_folder",
]


_POLICY_SUFFIX: Final = ".toml"
_DEFAULT_POLICY: Final = "standard"


def settings_of(config: Path | None = None) -> LoadedSettings:
    """Returns the settings of a file, by default of the one that FACEGATE_CONFIG names.

    Raises:
        SettingsUnusable: They are invalid.
    """
    try:
        return load_settings(config)
    except SettingsInvalid as error:
        raise SettingsUnusable(str(error)) from error


def chosen_pack(name: str | None, config: Path | None = None) -> str:
    """Returns ``name``, or the pack of the settings; without a settings file `embedded`.

    Raises:
        SettingsUnusable: The settings are invalid.
    """
    return name or settings_of(config).settings.pack


def chosen_policy(name: str | None, config: Path | None = None) -> Policy:
    """Returns a policy by its name or file.

    Args:
        name: A name, or the path of a TOML file; None for the default policy of the settings file, or
            `standard` without one.
        config: Settings file that names a folder of policies; None for the default settings.

    Raises:
        PolicyUnusable: There is no such policy, or the policy is invalid.
        SettingsUnusable: The settings are invalid.
    """
    try:
        if name is not None and name.endswith(_POLICY_SUFFIX):
            return read_policy(Path(name)).policy
        loaded = settings_of(config)
        policies = loaded.settings.policies
        default = _DEFAULT_POLICY if loaded.file is None else policies.default
        return load_policies(policies.folder).get(name or default).policy
    except PolicyError as error:
        raise PolicyUnusable(str(error)) from error


ModelsDirOption = Annotated[
    Path | None,
    typer.Option(
        "--models-dir",
        envvar="FACEGATE_MODELS_DIR",
        help="Models folder. By default that of the settings file, or facegate/models in the user's data "
        "folder.",
        show_default=False,
    ),
]


def models_folder(given: Path | None = None, config: Path | None = None) -> Path:
    """Returns the models folder: ``given``, that of the settings file, or the default one.

    Args:
        given: The folder that the command line or FACEGATE_MODELS_DIR names.
        config: Settings file; by default the one that FACEGATE_CONFIG names.

    Raises:
        SettingsUnusable: The settings are invalid.
    """
    if given is not None:
        return given.expanduser()
    if config is None and not os.environ.get("FACEGATE_CONFIG"):
        return default_models_dir(os.environ, Path.home())
    from cli.chosen import settings_of

    return settings_of(config).settings.models_dir


def known_packs(names: Sequence[str] | None = None) -> tuple[CataloguePack, ...]:
    """Returns the catalogue's packs with these names, each once; all packs if there are no names.

    Raises:
        UnknownPack: The catalogue has no pack of that name.
    """
    catalogue = load_catalogue()
    packs = {pack.name: pack for pack in catalogue.packs}
    for name in names or ():
        if name not in packs:
            raise UnknownPack(
                f"no pack is called {name!r}. Known: {', '.join(packs)}; see `facegate models show`. The "
                "pack `embedded` comes with Facegate and needs no pull."
            )
    return tuple(packs[name] for name in dict.fromkeys(names or packs))
