import numpy as np
import pytest

from research.photo_match.scores import TemplateSet
from tests.research.photo_match.drawn import GROUPS, PEOPLE


@pytest.fixture
def templates() -> TemplateSet:
    """Two photos each of the people of one source, and one each of those of another, with groups."""
    random = np.random.default_rng(7)
    persons = random.normal(size=(2 * PEOPLE, 32))
    owner = np.concatenate([np.repeat(np.arange(PEOPLE), 2), np.arange(PEOPLE, 2 * PEOPLE)])
    vectors = persons[owner] + 0.4 * random.normal(size=(owner.size, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    sources = np.where(owner < PEOPLE, "news", "groups")
    return TemplateSet(
        vectors=vectors.astype(np.float32),
        files=np.array([f"photo-{place}.jpg" for place in range(owner.size)]),
        identities=np.array([f"{source}:{one}" for source, one in zip(sources, owner, strict=True)]),
        sources=sources,
        groups=np.array(["" if one < PEOPLE else GROUPS[one % len(GROUPS)] for one in owner]),
        sexes=np.array(["" if one < PEOPLE else "female" for one in owner]),
        failures=2,
    )
