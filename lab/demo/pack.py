"""Chooses the pack of the demo, the best available one, and the policy of the flash that it can meet."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from cli.chosen import known_packs, models_folder
from cli.errors import CommandError
from cli.models.tables import TerminalProgress
from cli.shown import say
from lab.demo.local_server import FLASH_ALONE_POLICY, FLASH_POLICY, POLICY, TRIAL_POLICY
from server.checks.offer import pack_shortfall
from server.domain.terms import Mode
from server.policies import load_policies
from vision.errors import PullError, VisionError
from vision.packs import CataloguePack, Pack, load_pack
from vision.packs.pulling import pull_pack

_PULLED: Final = "open"
"""The pack that the demo tries to pull if none is installed."""

_LAST_RESORT: Final = "embedded"
_PULL_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPack:
    """The pack that judges."""

    spec: str
    pack: Pack
    policy: str
    why: str
    obstacles: tuple[str, ...] = ()

    @property
    def flash_policy(self) -> str:
        """The policy of the checks in DYNAMIC: one that asks for a blink if the pack can measure it."""
        name = TRIAL_POLICY if self.policy == TRIAL_POLICY else FLASH_POLICY
        policy = load_policies(None).get(name).policy
        shortfall = pack_shortfall(policy, self.pack, requested=Mode.DYNAMIC, allow_evaluation_pack=True)
        return FLASH_ALONE_POLICY if shortfall else name

    @property
    def thresholds(self) -> tuple[float, float]:
        """The confidences, 0..100, up to which a scan is a spoof, and from which it is live."""
        liveness = load_policies(None).get(self.policy).policy.liveness
        return liveness.spoof_threshold, liveness.live_threshold


async def choose_pack(
    wanted: str | None, models_dir: Path, *, pull: Callable[[CataloguePack], Awaitable[None]]
) -> ChosenPack:
    """Return the requested pack, or the best available one.

    The best is the first of the catalogue's packs that is completely installed in the models folder and meets
    the policy; else ``open``, if it can be pulled now; else ``embedded``, which needs no pull. Only the demo
    chooses a pack: a server uses the pack in its settings.

    Args:
        wanted: The requested pack; None to choose.
        pull: Pulls a pack into it.
    """

    async def load(spec: str, why: str) -> ChosenPack:
        try:
            pack = await asyncio.to_thread(load_pack, spec, models_dir=models_dir)
        except VisionError as error:
            raise CommandError(f"the pack {spec} cannot be used: {error}") from error
        met = load_policies(None).get(TRIAL_POLICY if pack.evaluation_only else POLICY).policy
        if shortfall := pack_shortfall(met, pack, allow_evaluation_pack=True):
            raise CommandError(f"the pack {spec} cannot meet the demo's policy {met.name}: {shortfall}")
        return ChosenPack(spec=spec, pack=pack, policy=met.name, why=why, obstacles=tuple(obstacles))

    obstacles: list[str] = []
    if wanted is not None:
        return await load(wanted, "it was requested")
    for candidate in known_packs():
        if not (models_dir / candidate.name).is_dir():
            continue
        try:
            return await load(candidate.name, "it is the best pack in the models folder")
        except CommandError as error:
            obstacles.append(str(error))
    why = "no pack in the models folder can be used" if obstacles else "the models folder contains no pack"
    try:
        (best,) = known_packs([_PULLED])
        await pull(best)
        return await load(_PULLED, "it was pulled just now")
    except (PullError, CommandError) as error:
        obstacles.append(str(error))
        why += f" and {_PULLED} could not be pulled"
    return await load(_LAST_RESORT, f"{why}; this one needs no pull")


async def available_pack(console: Console, *, wanted: str | None) -> ChosenPack:
    """Return the requested pack, or the best available one, and print which and why."""
    models_dir = models_folder()
    with TerminalProgress(console) as progress:

        async def pull(pack: CataloguePack) -> None:
            progress.say(
                f"Pulling the pack {pack.name} into {models_dir}, for at most {_PULL_SECONDS:g} seconds. "
                f"Its terms: facegate models show {pack.name}"
            )
            await asyncio.to_thread(
                pull_pack, pack, models_dir=models_dir, deadline=_PULL_SECONDS, progress=progress
            )

        chosen = await choose_pack(wanted, models_dir, pull=pull)
    for obstacle in chosen.obstacles:
        say(obstacle, style="dim", console=console)
    say(f"The pack is {chosen.spec}, because {chosen.why}.", console=console)
    return chosen
