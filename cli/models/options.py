"""Options of the commands on models, and the catalogue."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import UnknownPack
from vision.packs import CataloguePack, default_models_dir, load_catalogue

__all__ = ["ModelsDirOption", "PackArgument", "known_packs", "models_folder"]

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
PackArgument = Annotated[str, typer.Argument(help="The pack's name.", show_default=False)]


def models_folder(given: Path | None, config: Path | None = None) -> Path:
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
    from cli.chosen_policy import settings_of

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
                f"no pack is called {name!r}. Known: {', '.join(packs)}; see `facegate models list`. The "
                "pack `embedded` comes with Facegate and needs no pull."
            )
    return tuple(packs[name] for name in dict.fromkeys(names or packs))
