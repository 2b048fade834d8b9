"""Simulated persons, each with templates drawn around one direction, and packs without models."""

from dataclasses import replace

import numpy as np

from evaluation.match.comparisons import Comparisons, compare_all
from evaluation.match.templates import LabelledTemplate, TemplateRun
from tests.evaluation.bench.packs import burning_pack
from vision.packs import Pack
from vision.packs.pack import PackFile

__all__ = ["crowd", "pack_of"]


def crowd(
    *,
    persons: int,
    photos: int,
    seed: int,
    spread: float = 0.6,
    apart: int = 0,
    failing: tuple[int, ...] = (),
) -> tuple[TemplateRun, Comparisons]:
    """Templates of persons, and all their comparisons.

    Args:
        persons: Number of persons.
        photos: Number of photos of each.
        seed: Of the draws.
        spread: Distance of a photo from its person; at 1 the distance of its person from others.
        apart: Number of persons that are measured separately.
        failing: Positions of photos without a template.
    """
    rng = np.random.default_rng(seed)
    templates = []
    for person in range(persons):
        centre = rng.normal(size=32)
        for number in range(photos):
            vector = centre + spread * rng.normal(size=32)
            templates.append(
                LabelledTemplate(
                    (vector / np.linalg.norm(vector)).astype(np.float32),
                    f"p{person:03}",
                    apart=person < apart,
                    photo=person * photos + number,
                )
            )
    kept = tuple(template for template in templates if template.photo not in failing)
    run = TemplateRun(templates=kept, photos=len(templates), milliseconds=(5.0,) * len(kept))
    return run, compare_all(kept)


def pack_of(embedder_sha256: str) -> Pack:
    """A pack that names an embedder."""
    pack = burning_pack()
    files = (PackFile(name="embedder.onnx", role="embedder", sha256=embedder_sha256),)
    return replace(pack, files=files)
