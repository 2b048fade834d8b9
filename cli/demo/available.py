"""Chooses a pack with messages on the terminal, and the policy of the flash that it can meet."""

import asyncio
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from cli.demo.pack_choice import ChosenPack, choose_pack
from cli.demo.tested import FLASH_ALONE_POLICY, FLASH_POLICY, POLICY, TRIAL_POLICY
from cli.models.tables import TerminalProgress
from server.checks.offer import pack_shortfall
from server.domain.terms import Mode
from server.policies import load_policies
from vision.packs import CataloguePack, load_catalogue
from vision.packs.pulling import pull_pack

__all__ = ["available_pack", "flash_policy_of"]

_PULL_SECONDS: Final = 30.0


async def available_pack(
    console: Console, *, wanted: str | None, models_dir: Path, offline: bool
) -> ChosenPack:
    """Returns the requested pack, or the best available one, and prints which and why.

    Args:
        console: The terminal.
        wanted: The requested pack; None to choose.
        models_dir: The models folder.
        offline: Whether no pack is pulled.

    Raises:
        StageUnusable: No pack can be used.
    """
    with TerminalProgress(console) as progress:

        async def pull(pack: CataloguePack) -> None:
            console.print(
                escape(
                    f"Pulling the pack {pack.name} into {models_dir}, for at most "
                    f"{_PULL_SECONDS:g} seconds. Its terms: facegate models show {pack.name}"
                ),
                highlight=False,
                soft_wrap=True,
            )
            await asyncio.to_thread(
                pull_pack, pack, models_dir=models_dir, deadline=_PULL_SECONDS, progress=progress
            )

        chosen = await choose_pack(
            wanted=wanted,
            models_dir=models_dir,
            catalogue=load_catalogue(),
            policy=load_policies(None).get(POLICY).policy,
            trial=load_policies(None).get(TRIAL_POLICY).policy,
            pull=None if offline else pull,
        )
    for obstacle in chosen.obstacles:
        console.print(escape(obstacle), style="dim", highlight=False, soft_wrap=True)
    console.print(escape(f"The pack is {chosen.spec}, because {chosen.why}."), highlight=False)
    return chosen


def flash_policy_of(chosen: ChosenPack) -> str:
    """Returns the policy of the checks in DYNAMIC: one that asks for a blink if the pack can measure it."""
    name = TRIAL_POLICY if chosen.policy == TRIAL_POLICY else FLASH_POLICY
    policy = load_policies(None).get(name).policy
    shortfall = pack_shortfall(policy, chosen.pack, requested=Mode.DYNAMIC, allow_evaluation_pack=True)
    return FLASH_ALONE_POLICY if shortfall else name
