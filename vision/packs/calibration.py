"""The false match rates of scores, by embedder, from TOML files.

The score of two templates is their cosine, or, with a cohort, almost a cosine (``vision.packs.calibration``).
Two ranges are measured: photo against photo, on which decisions rest, and scan against photo.

One file per embedder is in ``vision/packs/calibrations/``. An operator may provide another
(``vision.packs.pack``)::

    schema = 1
    embedder_sha256 = "..."            # of the embedder file, the key of the calibration
    template = "..."                   # optional: the id of the templates' form; others are refused

    [record]                           # of photo against photo
    provenance = "measured"            # or "published", or "assumed"
    dataset = "..."                    # the measured data, in plain words
    identities = 120
    genuine_pairs = 200
    impostor_pairs = 862
    failures_to_acquire = 3            # optional, photos without a usable face
    command = "..."                    # the command that makes the file again; optional if published
    note = "..."                       # optional
    reference = "..."                  # the publication of the figures; only if published

    [[point]]                          # photo against photo, ordered: cosine rises, bound falls
    cosine = 0.20                      # the score
    fmr_upper_bound = 0.1              # upper confidence bound of FMR at this threshold
    fnmr = 0.01                        # optional, FNMR measured at this threshold

    [scans]                            # optional: scan against photo
    scans = 43
    persons = 112                      # of scans and of the photos with which they were compared
    genuine_pairs = 43
    impostor_pairs = 6880
    point = [...]                      # as above

    [cohort]                           # optional: see vision.packs.calibration

FMR and FNMR are those of ISO/IEC 19795-1: per comparison, not per transaction.
"""

import base64
import binascii
import hashlib
import itertools
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Any, Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError

from vision.errors import PackDataInvalid, PackIncomplete
from vision.packs.interfaces import TemplateForm

CALIBRATES: Final = "`facegate evaluate match --calibration` on another machine, with facegate-lab"
"""What makes a calibration, for messages."""

# Normalises the score of two templates by a cohort: by how similar other people are to them.
#
# Some templates are a little similar to those of everybody: templates of poor photos, and of groups of
# people of whom the embedder saw few in training. The mean of a population is subtracted from each
# template, and the result divided by the square root of the spread of its products with that population.
# The product of two such vectors is the score. It is close to a cosine. It is the symmetric normalisation
# of scores by a cohort (R. Auckenthaler et al., "Score normalization for text-independent speaker
# verification systems", Digital Signal Processing 10, 2000), with the population's mean and covariance in
# place of a list of templates: the file contains no template of a person.

_MOST_DIMENSIONS = 4096
_LEAST_SPREAD = 1e-9
# Directions are stored with 32 bits; their products differ from 0 and 1 by less than this.
_ORTHONORMAL_WITHIN = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """The mean and the covariance of the templates of many people.

    Attributes:
        mean: Shape (d,), the mean template.
        directions: Shape (k, d), the principal directions, orthonormal.
        variances: Shape (k,), the variance along each, less ``rest``; none is negative.
        rest: Variance along every other direction, greater than 0.
        scale: Divisor that makes the score of a template with itself about 1; greater than 0.
    """

    persons: int
    mean: NDArray[np.float64]
    directions: NDArray[np.float64]
    variances: NDArray[np.float64]
    rest: float
    scale: float

    def vectors(self, templates: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the vectors whose products are the scores.

        Args:
            templates: Shape (n, d), each of length 1.
        """
        given = templates.astype(np.float64)
        along = given @ self.directions.T
        spread = np.square(along) @ self.variances + self.rest * np.square(given).sum(axis=1)
        # The fourth root: each of the two vectors contributes half of the deviation.
        divisor = np.sqrt(np.sqrt(np.maximum(spread, _LEAST_SPREAD))) * self.scale
        vectors: NDArray[np.float64] = (given - self.mean) / divisor[:, None]
        return vectors

    def as_table(self) -> dict[str, int | float | str]:
        """Return the entries of the table ``cohort`` of a calibration file."""
        return {
            "persons": self.persons,
            "rest": self.rest,
            "scale": self.scale,
            "mean": _encoded(self.mean),
            "variances": _encoded(self.variances),
            "directions": _encoded(self.directions),
        }


def parse_cohort(table: Mapping[str, Any]) -> Cohort:
    """Read the table ``cohort`` of a calibration file.

    Raises:
        PackDataInvalid: A value is missing, of the wrong length or not finite, or the directions are not
            orthonormal.
    """
    try:
        persons, rest, scale = table["persons"], float(table["rest"]), float(table["scale"])
        mean, variances, flat = (_decoded(table[name]) for name in ("mean", "variances", "directions"))
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise PackDataInvalid(f"the cohort of a calibration is broken ({type(error).__name__})") from error
    numbers = np.concatenate([mean, variances, flat, [rest, scale]])
    if (
        type(persons) is not int
        or persons < 2
        or not 0 < mean.size <= _MOST_DIMENSIONS
        or flat.size != mean.size * variances.size
        or not np.isfinite(numbers).all()
        or (variances < 0).any()
        or min(rest, scale) <= 0
    ):
        raise PackDataInvalid("the cohort of a calibration has values out of range, or of unequal lengths")
    directions = flat.reshape(variances.size, mean.size)
    if not _are_orthonormal(directions):
        raise PackDataInvalid("the cohort of a calibration has directions that are not orthonormal")
    return Cohort(persons, mean, directions, variances, rest, scale)


def _are_orthonormal(directions: NDArray[np.float64]) -> bool:
    if len(directions) > directions.shape[1] or (np.abs(directions) > 2).any():
        return False
    products = directions @ directions.T
    return bool(np.allclose(products, np.eye(len(directions)), rtol=0.0, atol=_ORTHONORMAL_WITHIN))


def _encoded(values: NDArray[np.float64]) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode("ascii")


def _decoded(text: object) -> NDArray[np.float64]:
    if not isinstance(text, str):
        raise TypeError("expected a text")
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float64)


Provenance = Literal["measured", "published", "assumed"]
Origin = Literal["packaged", "operator"]
_Form = TypeVar("_Form")

_SCHEMA = 1
_SHA256_DIGITS = 64
_MOST = 2**53
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0, le=_MOST)]


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """One measured threshold.

    Attributes:
        cosine: Score at or above which a comparison counts as a match, -1..1.
        fmr_upper_bound: Upper confidence bound of the false match rate at that threshold, in (0, 1].
        fnmr: False non-match rate measured at that threshold, 0..1; ``None`` if it was not measured.
    """

    cosine: _Finite
    fmr_upper_bound: _Finite
    fnmr: _Finite | None = None


@dataclass(frozen=True, slots=True)
class ScanRange:
    """The false match rates of scans against photos.

    Attributes:
        points: At least one; score strictly rising and bound strictly falling.
        persons: The number of persons in scans and in the photos with which they were compared.
        genuine_pairs: The number of comparisons of a scan with its own person.
        impostor_pairs: The number of comparisons of a scan with another person.
    """

    points: Annotated[tuple[ScorePoint, ...], Field(alias="point")]
    scans: _Count
    persons: _Count
    genuine_pairs: _Count
    impostor_pairs: _Count

    def __post_init__(self) -> None:
        """Test the points as those of a calibration are tested."""
        _validate_points(self.points)

    @property
    def lowest_bound(self) -> float:
        """The smallest FMR bound that the scans support, in (0, 1]."""
        return self.points[-1].fmr_upper_bound


@dataclass(frozen=True, slots=True)
class CalibrationRecord:
    """The origin of a calibration, so that a reader can judge it.

    Attributes:
        provenance: ``"measured"`` on the dataset below with the command below; ``"published"`` by others
            for exactly this embedder; or ``"assumed"`` from figures of other embedders.
        dataset: The measured data, in plain words.
        identities: The number of persons in it; 0 if a publication does not state it.
        genuine_pairs: The number of comparisons of the same person.
        impostor_pairs: The number of comparisons of different persons.
        command: The command that makes the file again, or the origin of assumed figures; may be empty for
            published figures.
        failures_to_acquire: The number of photos without a usable face; ``None`` if not counted.
        note: Anything else that a reader must know; may be empty.
        reference: The publication of the figures; empty if they are not published.
    """

    provenance: Provenance
    dataset: str
    identities: _Count
    genuine_pairs: _Count
    impostor_pairs: _Count
    command: str
    failures_to_acquire: _Count | None = None
    note: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class MatchCalibration:
    """The false match rates of one embedder's scores.

    Attributes:
        points: Photo against photo. At least one; score strictly rising and bound strictly falling.
        embedder_sha256: SHA-256 of the embedder file to which they apply, lower-case hex.
        origin: ``"packaged"`` with this distribution, or provided by the ``"operator"``.
        scans: Scan against photo; ``None`` if it was not measured.
        cohort: The population against which templates are scored; ``None`` if the score is the cosine.
        template: Id of the form of the templates to which the points apply; empty if the file does not say.
        sha256: SHA-256 of the file with the points, lower-case hex; empty without a file.
    """

    points: tuple[ScorePoint, ...]
    record: CalibrationRecord
    embedder_sha256: str
    origin: Origin = "packaged"
    scans: ScanRange | None = None
    cohort: Cohort | None = None
    template: str = ""
    sha256: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Test the points.

        Raises:
            PackDataInvalid: A number is out of range, or the points are not strictly monotone.
        """
        _validate_points(self.points)
        if len(self.embedder_sha256) != _SHA256_DIGITS or set(self.embedder_sha256) - set("0123456789abcdef"):
            raise PackDataInvalid("embedder_sha256 must be 64 lower-case hex digits")

    @property
    def lowest_bound(self) -> float:
        """The smallest FMR bound among the points, in (0, 1]."""
        return self.points[-1].fmr_upper_bound

    def vectors(self, templates: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the vectors whose products are the scores of templates of length 1, shape (n, d)."""
        return templates.astype(np.float64) if self.cohort is None else self.cohort.vectors(templates)

    @property
    def of_scans(self) -> "MatchCalibration":
        """This calibration with the range of scans against photos as its points; itself without it."""
        return self if self.scans is None else replace(self, points=self.scans.points, scans=None)

    @property
    def provenance(self) -> str:
        """The provenance in results: ``measured``, ``assumed``, ``published`` or ``measured_by_operator``."""
        if self.origin == "operator" and self.record.provenance == "measured":
            return "measured_by_operator"
        return self.record.provenance


def parse_calibration(text: str, *, source: str, origin: Origin = "packaged") -> MatchCalibration:
    """Read one calibration file.

    Args:
        text: The TOML text; the schema is in the module's docstring.
        source: Name of the file, for error messages.

    Raises:
        PackDataInvalid: The text is not TOML or breaks the schema.
    """
    try:
        table = tomllib.loads(text)
    # A number of thousands of digits raises a ValueError that is not a TOMLDecodeError.
    except (ValueError, RecursionError) as error:
        raise PackDataInvalid(f"{source}: not valid TOML: {error}") from error
    try:
        if table["schema"] != _SCHEMA:
            raise PackDataInvalid(f"{source}: schema {table['schema']!r}, expected {_SCHEMA}")
        return MatchCalibration(
            points=_read(_POINTS, table["point"]),
            record=_record(table["record"]),
            embedder_sha256=_text(table["embedder_sha256"]),
            origin=origin,
            scans=_read(_SCANS, table["scans"]) if "scans" in table else None,
            cohort=parse_cohort(table["cohort"]) if "cohort" in table else None,
            template=_text(table.get("template", "")),
            sha256=hashlib.sha256(text.encode("utf-8")).hexdigest(),
        )
    except KeyError as error:
        raise PackDataInvalid(f"{source}: the entry {error} is missing") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise PackDataInvalid(f"{source}: {place}: {first['msg']}") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise PackDataInvalid(f"{source}: {error}") from error


def load_calibration(embedder_sha256: str, *, template: str = "") -> MatchCalibration:
    """Return the packaged calibration of one embedder.

    Args:
        embedder_sha256: SHA-256 of the embedder file, lower-case hex.
        template: Id of the form of the templates; empty for that of any form.

    Raises:
        PackIncomplete: There is no packaged file for these templates.
        PackDataInvalid: A packaged file breaks the schema.
    """
    for calibration in _packaged_calibrations():
        if calibration.embedder_sha256 == embedder_sha256 and (
            not template or calibration.template in {template, ""}
        ):
            return calibration
    raise PackIncomplete(
        f"no match calibration for the embedder with SHA-256 {embedder_sha256}"
        f"{f' and templates of the form {template}' if template else ''}: without one no threshold can be "
        f"derived. Measure it with {CALIBRATES}."
    )


def uncalibrated(form: TemplateForm) -> MatchCalibration:
    """Return a calibration that supports no policy, for an embedder that the operator has not calibrated."""
    return MatchCalibration(
        points=(ScorePoint(cosine=1.0, fmr_upper_bound=1.0),),
        record=CalibrationRecord(
            provenance="assumed",
            dataset="none: this embedder is not calibrated",
            identities=0,
            genuine_pairs=0,
            impostor_pairs=0,
            command="facegate evaluate match --calibration",
        ),
        embedder_sha256=form.sha256,
        template=form.id,
    )


@lru_cache(maxsize=1)
def _packaged_calibrations() -> tuple[MatchCalibration, ...]:
    found: dict[tuple[str, str], MatchCalibration] = {}
    folder = files("vision.packs") / "calibrations"
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if not entry.name.endswith(".toml"):
            continue
        calibration = parse_calibration(entry.read_text(encoding="utf-8"), source=entry.name)
        key = calibration.embedder_sha256, calibration.template
        if key in found:
            raise PackDataInvalid(f"{entry.name}: a second calibration for {key}")
        found[key] = calibration
    return tuple(found.values())


def _validate_points(points: Sequence[ScorePoint]) -> None:
    if not points:
        raise PackDataInvalid("a calibration needs at least one point; measure the embedder again")
    for point in points:
        if not (-1.0 <= point.cosine <= 1.0 and 0.0 < point.fmr_upper_bound <= 1.0):
            raise PackDataInvalid(
                f"calibration point (cosine {point.cosine}, bound {point.fmr_upper_bound}) is out of "
                "range: cosine must lie in -1..1 and the bound in (0, 1]"
            )
        if point.fnmr is not None and not 0.0 <= point.fnmr <= 1.0:
            raise PackDataInvalid(f"calibration point has fnmr {point.fnmr}: expected 0..1")
    for lower, upper in itertools.pairwise(points):
        if not (lower.cosine < upper.cosine and lower.fmr_upper_bound > upper.fmr_upper_bound):
            raise PackDataInvalid(
                f"calibration points at cosine {lower.cosine} and {upper.cosine} are not strictly "
                "monotone: the cosine must rise and the bound must fall"
            )


_POINTS = TypeAdapter(tuple[ScorePoint, ...])
_SCANS = TypeAdapter(ScanRange)
_RECORD = TypeAdapter(CalibrationRecord)


def _read(form: TypeAdapter[_Form], stated: object) -> _Form:
    # As JSON, in which ``true`` is no number and a text no count.
    return form.validate_json(json.dumps(stated, default=str), strict=True)


def _record(table: Mapping[str, Any]) -> CalibrationRecord:
    published = table["provenance"] == "published"
    record = _read(_RECORD, {"command": "", **table} if published else table)
    if published is not bool(record.reference.strip()):
        raise ValueError(
            "record.reference is missing: state where the figures are published"
            if published
            else 'record.reference is only for figures that are "published", not for '
            f"{record.provenance!r} ones"
        )
    return record


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got {value!r}")
    return value
