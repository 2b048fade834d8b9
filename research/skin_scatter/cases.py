"""The scans: persons, models, materials and cameras, and the file in which their statistics are kept."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from research.dynamic.errors import DynamicEvaluationError
from research.dynamic.renderers import RENDERERS
from research.skin_scatter.face import lit_face, softened
from research.skin_scatter.materials import Kind, draw_stuff
from research.skin_scatter.phone import Answer, draw_lens, film, seen_ideally, through
from research.skin_scatter.statistics import Measured, measure
from simulator import (
    AmbientPreset,
    AmbientSettings,
    Diffuse,
    Emission,
    FlashKind,
    FlashScanSettings,
    Geometry,
    PhoneSettings,
    Photo,
    RendererSettings,
    SkinSettings,
)

__all__ = ["AMBIENTS", "STAGES", "Case", "Row", "cases_of", "read_rows", "rows_of", "write_rows"]

AMBIENTS: Final = ("dark", "indoor", "office")
STAGES: Final = ("matt", "glossy", "lens", "raw", "sent")
"""What is measured: the light itself, with gloss, behind a lens, in noisy 8-bit frames, and as JPEGs."""
_MELANIN: Final = (0.0, 0.4, 0.8)


@dataclass(frozen=True, slots=True)
class Case:
    """A face under one light; all materials have its shape and colours.

    Attributes:
        person: Key of the person.
        models: ``"calibrated"`` or ``"held-out"``: of light, head, material and camera.
        ambient: The other light, among ``AMBIENTS``.
        turn: Number of the draw.
    """

    person: str
    models: str
    ambient: str
    turn: int

    @property
    def name(self) -> str:
        """Distinct name, and seed of the draws."""
        return f"{self.person}/{self.models}/{self.ambient}/{self.turn}"


@dataclass(frozen=True, slots=True)
class Row:
    """One scan, measured at one of ``STAGES``."""

    case: Case
    kind: str
    stage: str
    found: Measured


def cases_of(people: Sequence[str], *, ambients: Sequence[str], turns: int) -> list[Case]:
    """Return all cases, turn by turn and light by light."""
    return [
        Case(person, models, ambient, turn)
        for turn in range(turns)
        for ambient in ambients
        for person in people
        for models in RENDERERS
    ]


def rows_of(case: Case, photo: Photo) -> Iterator[Row]:
    """Render a case in every material, and measure each at every stage."""
    digest = hashlib.sha256(case.name.encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    held_out = case.models == "held-out"
    emission, diffuse, geometry = RENDERERS[case.models].draw(rng).split("/")
    settings = FlashScanSettings(
        kind=FlashKind.GENUINE,
        face_width=float(rng.uniform(0.36, 0.62)),
        ambient=AmbientSettings(preset=AmbientPreset(case.ambient)),
        phone=PhoneSettings(luminance=float(rng.uniform(300.0, 500.0))),
        skin=SkinSettings(melanin=float(rng.choice(_MELANIN))),
        renderer=RendererSettings(Emission(emission), Diffuse(diffuse), Geometry(geometry)),
    )
    face = lit_face(photo, settings, roughness=float(rng.uniform(0.02, 0.08)), rng=rng)
    colour = np.median(face.albedo[face.skin], axis=0).astype(np.float64)
    for kind in Kind:
        stuff = draw_stuff(kind, held_out=held_out, colour=colour, rng=rng)
        lens = draw_lens(held_out=held_out, rng=rng)
        matt = face.albedo * softened(face.screen, stuff, face.millimetres)
        glossy = matt + face.gloss[stuff.sharpness][..., None] * np.float32(stuff.gloss)
        other = face.albedo * softened(face.other, stuff, face.millimetres) * face.colour.astype(np.float32)
        stages: dict[str, Answer] = {
            "matt": seen_ideally(matt, other),
            "glossy": seen_ideally(glossy, other),
            "lens": seen_ideally(through(glossy, lens), through(other, lens)),
            **film(
                glossy, other, lens, luminance=settings.phone.luminance * settings.phone.coverage, rng=rng
            ),
        }
        for stage, answer in stages.items():
            found = measure(answer, predicted=face.screen, skin=face.skin, millimetres=face.millimetres)
            yield Row(case, str(kind), stage, found)


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Append the rows of a whole case."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write("".join(f"{json.dumps(asdict(row))}\n" for row in rows))


def read_rows(path: Path) -> list[Row]:
    """Read the rows that ``write_rows`` wrote; none if there is no file.

    Raises:
        DynamicEvaluationError: A line is not such a row.
        OSError: The file cannot be read.
    """
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            fields = json.loads(line)
            found = Measured(**{name: tuple(value) for name, value in fields.pop("found").items()})
            rows.append(Row(Case(**fields.pop("case")), **fields, found=found))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DynamicEvaluationError(f"{path.name} has a line that is no row: {error}") from error
    return rows
