"""Rendered scans that several tests share; each is rendered once."""

from functools import cache

from liveness.dynamic.judge import FlashResult, judge_flash
from liveness.dynamic.model import load_flash_model
from tests.liveness.dynamic.synthetic import RenderedKind, Scan, Scene, run_scan

__all__ = ["judged", "rendered"]


@cache
def rendered(kind: RenderedKind, lux: float = 150.0, seed: int = 1) -> Scan:
    return run_scan(Scene(kind=kind, ambient_lux=lux, seed=seed))


@cache
def judged(kind: RenderedKind, lux: float = 150.0, seed: int = 1) -> FlashResult:
    scan = rendered(kind, lux, seed)
    return judge_flash(samples=scan.samples, revealed=scan.sent, model=load_flash_model())
