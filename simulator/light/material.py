"""How surfaces reflect light: matt skin in three models, and gloss."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Diffuse", "Material", "diffuse_answer", "gloss_answer"]

_WRAP = 0.25
_FLATTENING = 0.2
_COATED = 1 / (1 - 0.5**5) ** 2
"""Normalisation: a surface that faces light and camera is as bright as without the film."""


class Diffuse(StrEnum):
    """How a matt surface reflects light at an angle."""

    LAMBERT = "lambert"
    """The cosine law."""
    WRAPPED = "wrapped"
    """Light reaches a little beyond the terminator, as in skin, and the cosine is flattened as on a rough
    surface seen from the light (Oren and Nayar 1994)."""
    COATED = "coated"
    """Under a film that reflects light at an angle before it enters and before it leaves, as sebum on skin
    (Ashikhmin and Shirley 2000, without the share of the gloss)."""


@dataclass(frozen=True, slots=True)
class Material:
    """The surface of a subject.

    Attributes:
        diffuse: Model of its matt part.
        gloss: Reflectance at vertical incidence, 0..1: 0.028 for skin, 0.04 for glass and resin.
        sharpness: The lobe's exponent is 2 to this power: 4 for skin, 5 for resin, 8 for glass.
        emission: Luminance of its white in cd/m2; the colours of a screen emit light instead of reflecting
            it.
        albedo: Share of light that a surface that emits light reflects diffusely.
    """

    diffuse: Diffuse = Diffuse.LAMBERT
    gloss: float = 0.0
    sharpness: int = 4
    emission: float = 0.0
    albedo: float = 0.015


def diffuse_answer(
    model: Diffuse, vectors: NDArray[np.float32], normals: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the effective illuminance of a matt surface.

    Args:
        model: The law of reflection.
        vectors: Vector irradiance, shape (bands, 3, h, w), lux.
        normals: Unit normals, shape (3, h, w).

    Returns:
        Shape (bands, h, w), lux; times the albedo it is the light that the surface reflects.
    """
    along = vectors[:, 0] * normals[0] + vectors[:, 1] * normals[1] + vectors[:, 2] * normals[2]
    if model is Diffuse.LAMBERT:
        return np.asarray(np.maximum(along, 0), dtype=np.float32)
    whole = np.sqrt((vectors * vectors).sum(axis=1))
    if model is Diffuse.COATED:
        cosine = np.maximum(along, 0) / np.maximum(whole, np.float32(1e-12))
        let_in = 1 - (1 - cosine / 2) ** 5
        # The camera is nearly straight ahead.
        let_out = 1 - (1 - np.maximum(normals[2], 0) / 2) ** 5
        coated = np.float32(_COATED) * np.maximum(along, 0) * let_in * let_out
        return np.asarray(coated, dtype=np.float32)
    wrapped = np.maximum(along + np.float32(_WRAP) * whole, 0) / np.float32(1 + _WRAP)
    flattened = np.float32(1 - _FLATTENING) * wrapped + np.float32(_FLATTENING) * whole * (along > 0)
    return np.asarray(flattened, dtype=np.float32)


def gloss_answer(
    material: Material,
    vectors: NDArray[np.float32],
    halfway: NDArray[np.float32],
    normals: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the light that the gloss reflects to the camera; unit: ``diffuse_answer`` times an albedo.

    Blinn and Phong's lobe with the usual normalisation (n + 8) / 8 and Schlick's constant term; near vertical
    incidence Fresnel's rise is not modelled.

    Args:
        material: Gloss and sharpness.
        vectors: As for ``diffuse_answer``.
        halfway: Unit vectors halfway between light and camera, shape of ``vectors``.
        normals: As for ``diffuse_answer``.
    """
    along = np.maximum(
        vectors[:, 0] * normals[0] + vectors[:, 1] * normals[1] + vectors[:, 2] * normals[2], 0
    )
    lobe = np.maximum(halfway[:, 0] * normals[0] + halfway[:, 1] * normals[1] + halfway[:, 2] * normals[2], 0)
    for _ in range(material.sharpness):
        lobe = lobe * lobe
    strength = np.float32(material.gloss * (2**material.sharpness + 8) / 8)
    return np.asarray(strength * lobe * along, dtype=np.float32)
