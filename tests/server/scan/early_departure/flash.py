"""Simulated flash scans, judged at every length, to find out whether they look like an attack."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from liveness.dynamic.judge import combine_flash, judge_flash
from liveness.dynamic.model import FlashModel, load_flash_model
from liveness.dynamic.policy import DynamicPolicy
from liveness.express.judge import judge_express
from liveness.fusion_model import load_fusion_model
from liveness.policy import LivenessPolicy
from liveness.selection import select_frames
from liveness.verdict import Verdict
from research.dynamic.cases import Case, Group, all_cases, settings_of
from research.dynamic.drive import Link, ScanTrace, drive_scan
from research.dynamic.people import photo_of, simulated_people
from simulator import AmbientPreset, FlashKind
from tests.server.scan.early_departure.cuts import Cut
from vision.packs import Pack

__all__ = ["FLASH", "flash_cuts"]

FLASH: Final = "flash, simulated"
"""The name of the pack in the rows."""
_LIGHTS: Final = {
    Group.GENUINE: {AmbientPreset.DARK, AmbientPreset.INDOOR, AmbientPreset.OFFICE},
    Group.ATTACK: {AmbientPreset.INDOOR},
}
_KINDS: Final = {FlashKind.GENUINE, FlashKind.PRINT, FlashKind.SCREEN_REPLAY, FlashKind.RECORDED_SCAN}
_POLICY: Final = DynamicPolicy(minimum_bits=12.0, blink=True, depth=True)


def flash_cuts(
    assets: Path, pack: Pack, portraits: Pack, *, every: int, done: set[str]
) -> Iterator[list[Cut]]:
    """Yields the cuts of one scan after another, except those of ``done``.

    Args:
        assets: Folder of the test data.
        pack: Examines the frames.
        portraits: Finds the landmarks of the photos.
        every: Frames between two cuts.
        done: Names of scans to omit.
    """
    people = simulated_people(assets, pack=portraits, witness=pack, corrections=None)
    photos = {person.key: photo_of(person, pack=portraits, witness=pack) for person in people}
    model = load_flash_model()
    for case in all_cases(list(photos), turns=1):
        if not _wanted(case) or case.name in done:
            continue
        watcher = _Watcher(case, model=model, every=every)
        seed = hashlib.sha256(f"scan/{case.name}".encode()).digest()[:8]
        trace = drive_scan(
            photos[case.person],
            settings_of(case, width=240, height=320, rate=20.0),
            pack=pack,
            policy=_POLICY,
            model=model,
            link=Link(),
            rng=np.random.default_rng(int.from_bytes(seed, "big")),
            watch=watcher.watch,
        )
        watcher.judge(trace, whole=True)
        yield watcher.cuts


class _Watcher:
    """Judges a scan every few frames."""

    def __init__(self, case: Case, *, model: FlashModel, every: int) -> None:
        self._case = case
        self._model = model
        self._fusion = load_fusion_model()
        self._every = every
        self.cuts: list[Cut] = []

    def watch(self, trace: ScanTrace) -> None:
        if trace.frames % self._every == 0:
            self.judge(trace, whole=False)

    def judge(self, trace: ScanTrace, *, whole: bool) -> None:
        flash = judge_flash(samples=trace.samples, revealed=trace.revealed, model=self._model)
        express = judge_express(
            scan=trace.observations, pad_scores=[], policy=LivenessPolicy(), model=self._fusion
        )
        liveness = combine_flash(express=express, flash=flash, dynamic=_POLICY, settings=self._model.judge)
        faces = trace.observations.usable
        self.cuts.append(
            Cut(
                pack=FLASH,
                kind="live" if self._case.group is Group.GENUINE else f"flash {self._case.kind}",
                clip=self._case.name,
                scan=0,
                frames=trace.frames,
                faces=len(faces),
                seconds=faces[-1].capture_time - faces[0].capture_time if faces else 0.0,
                examined=len(select_frames(trace.observations.frames)),
                whole=whole,
                spoof=liveness.verdict is Verdict.SPOOF,
                confidence=liveness.confidence,
                bound=None,
                others=(),
                constant=None,
            )
        )


def _wanted(case: Case) -> bool:
    return case.kind in _KINDS and case.ambient in _LIGHTS.get(case.group, set())
