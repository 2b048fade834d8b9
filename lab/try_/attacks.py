"""Makes checks of simulated persons and attackers in the background, and films of their scans, for the page.

They are scenarios of ``facegate demo``, against the same server as the checks of the person. None begins
while a person scans.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import cv2
import numpy as np

from cli.errors import CommandError
from facegate_client import ClientError
from lab.demo.flash import colours_figures
from lab.demo.page import PARTS, explain_record
from lab.demo.runner import CheckRunner, in_turn
from lab.demo.scenarios import Scenario, demo_scenarios, mode_word
from lab.demo.stage import Stage, open_stage
from lab.explanation import speaking, weighed_signals
from lab.pages import render
from server.pages import data_uri
from vision.face import BgrImage
from vision.image import encode_jpeg

_SHOWN: Final = (
    "same-person",
    "static-photo",
    "waved-photo",
    "screen-replay",
    "frozen-frame",
    "virtual-camera",
    "another-person",
    "flash-same-person",
    "flash-print",
    "flash-screen-replay",
    "flash-injected-video",
    "flash-injected-tint",
    "flash-recorded-scan",
    "flash-cut-out-print",
    "flash-rigid-mask",
    "device-relit",
)
"""Scenarios of the demo, in the order of the page. In each mode the genuine person is the first."""
_State = Literal["waiting", "rendering", "scanning", "deciding", "done", "failed"]
_FRAME_SHARE: Final = 0.6
"""Share of the progress that rendering takes."""
_MOST_FRAMES: Final = 24
_HEIGHT: Final = 320
_QUALITY: Final = 78
_SPOKE: Final = 2
"""Most signals that a card names as those that spoke against life."""


@dataclass(slots=True, eq=False)
class _Card:
    """A check; implements ``lab.demo.runner.CaptureWatcher``."""

    scenario: Scenario
    state: _State = "waiting"
    progress: float = 0.0
    error: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    def rendered(self, share: float) -> None:
        self.state, self.progress = "rendering", _FRAME_SHARE * share

    def hint(self, code: int, progress: float) -> None:
        del code
        self.state = "scanning"
        self.progress = max(self.progress, _FRAME_SHARE + (0.95 - _FRAME_SHARE) * progress)

    def deciding(self, frames: int) -> None:
        del frames
        self.state, self.progress = "deciding", 0.97

    @property
    def summary(self) -> dict[str, Any]:
        return {
            "key": self.scenario.key,
            "title": self.scenario.title,
            "shown": self.scenario.shown,
            "mode": mode_word(self.scenario),
            "about": PARTS[mode_word(self.scenario)][1],
            "genuine": self.scenario.genuine,
            "state": self.state,
            "progress": round(self.progress, 3),
            "error": self.error,
        }


class AttackRoom:
    """The checks of the page about attacks."""

    def __init__(
        self,
        runner: CheckRunner,
        *,
        asked: bool,
        thresholds: tuple[float, float],
        idle: Callable[[], Awaitable[None]],
    ) -> None:
        """Prepare the checks; ``start`` begins them."""
        scenarios = {scenario.key: scenario for scenario in demo_scenarios(asked=asked)}
        self._cards = {key: _Card(scenarios[key]) for key in _SHOWN}
        self._runner = runner
        self._thresholds = thresholds
        self._idle = idle
        self._running: asyncio.Task[None] | None = None

    @property
    def overview(self) -> list[dict[str, Any]]:
        """The state of each check, for the page."""
        return [card.summary for card in self._cards.values()]

    def detail(self, key: str) -> dict[str, Any] | None:
        """Return film and explanation of a check that is done; None if it is not, or does not exist."""
        card = self._cards.get(key)
        return None if card is None or not card.detail else {**card.summary, **card.detail}

    def start(self) -> None:
        """Begin the checks, once."""
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End the checks."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        names = frozenset(
            name
            for card in self._cards.values()
            for name in (card.scenario.portrait, card.scenario.scanned)
            if name is not None
        )
        try:
            stage = await asyncio.to_thread(open_stage, names)
        except CommandError as error:
            for card in self._cards.values():
                card.state, card.error = "failed", str(error)
            return
        await in_turn(
            [card.scenario for card in self._cards.values()],
            lambda scenario: self._make(self._cards[scenario.key], stage),
        )

    async def _make(self, card: _Card, stage: Stage) -> None:
        await self._idle()
        try:
            card.detail = await self._check(card, stage)
        except (ClientError, CommandError) as error:
            card.state, card.error = "failed", str(error)
        else:
            card.state, card.progress = "done", 1.0

    async def _check(self, card: _Card, stage: Stage) -> dict[str, Any]:
        card.state = "rendering"
        record, sent = await self._runner.check(stage, card.scenario, watcher=card, before_scan=self._idle)
        if record.response is None:
            raise CommandError(f"the server refused the portrait: {record.reasons[0]}")
        one = explain_record(record, self._thresholds)
        return {
            "tone": one.outcome[1],
            "explained": render(
                "attack.html",
                one=one,
                spoke=speaking(weighed_signals(record.response.result.liveness.signals))[:_SPOKE],
                genuine=card.scenario.genuine,
                colours=() if record.flash is None else colours_figures(record.flash.columns),
            ),
            "film": await asyncio.to_thread(film_document, sent),
        }


def film_document(frames: Sequence[bytes]) -> dict[str, Any] | None:
    """Return a film as a JSON object: at most 24 frames, evenly spread, side by side in one JPEG.

    Slow: do not call it in the event loop.
    """
    if not frames:
        return None
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(_MOST_FRAMES, len(frames))).round().astype(int))
    pictures = [_small(frames[index]) for index in chosen]
    height, width = pictures[0].shape[:2]
    sheet = np.asarray(np.hstack(pictures), np.uint8)
    return {
        "image": data_uri(encode_jpeg(sheet, quality=_QUALITY)),
        "frames": len(pictures),
        "width": width,
        "height": height,
    }


def _small(jpeg: bytes) -> BgrImage:
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError("a frame of the simulator is no image")
    height, width = pixels.shape[:2]
    size = (round(width * _HEIGHT / height), _HEIGHT)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
