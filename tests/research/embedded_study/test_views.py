import dlib
import numpy as np
import pytest
from skimage import data

from research.embedded_study.looking import AS_BEFORE, THE_PACK, beside_the_face, ways_to_look
from research.embedded_study.scores import Pairs
from research.embedded_study.variants import PLAIN, SHIPPED, VIEWS, Templates, mean_of, scores_of
from research.embedded_study.views import Alignment, View, cut, drawn_moves, locate
from tests.vision.conftest import embedded_pack
from vision.face import BgrImage, Box
from vision.packs.pack import Pack

__all__ = ["embedded_pack"]


@pytest.fixture(scope="module")
def portrait() -> BgrImage:
    return np.ascontiguousarray(data.astronaut()[..., ::-1])


class FivePoints:
    """A predictor of the five points, at fixed places."""

    def __call__(self, picture: np.ndarray, box: dlib.rectangle) -> "FivePoints":
        assert picture.shape[0] > box.height()
        return self

    def parts(self) -> list[dlib.point]:
        return [dlib.point(x, y) for x, y in ((160, 100), (140, 101), (90, 100), (112, 101), (125, 140))]


def test_views_of_a_face(embedded_pack: Pack, portrait: BgrImage) -> None:
    (found,) = embedded_pack.detector.detect(portrait)
    predictor = embedded_pack.detector._shapes._predictor  # type: ignore[attr-defined]
    face = locate(portrait, found.box, predictor_68=predictor, predictor_5=FivePoints())
    plain = cut(face, View())
    assert plain.shape == (150, 150, 3)
    np.testing.assert_array_equal(cut(face, View(mirrored=True)), plain[:, ::-1])
    for alignment in (Alignment.FIVE_OF_68, Alignment.LOCATED_TWICE, Alignment.MEAN_OF_9):
        other = cut(face, View(alignment=alignment)).astype(float)
        assert 0.0 < np.abs(other - plain).mean() < 20.0, alignment
    for index, move in enumerate(drawn_moves(3)):
        assert not np.array_equal(cut(face, View(move=move)), plain), index
    assert cut(face, View(side=300)).shape == plain.shape


def test_the_same_moves_are_drawn_every_time() -> None:
    assert drawn_moves(4) == drawn_moves(8)[:4]
    assert drawn_moves(2) != drawn_moves(2, seed=21)


def test_ways_to_look(embedded_pack: Pack, portrait: BgrImage) -> None:
    ways = ways_to_look(embedded_pack.detector)
    assert ways[AS_BEFORE](portrait)
    assert ways[THE_PACK](portrait)
    assert not any(look(np.full((300, 300, 3), 90, np.uint8)) for look in ways.values())


def test_the_strip_beside_a_face_does_not_show_it(portrait: BgrImage) -> None:
    strip = beside_the_face(portrait, Box(180, 80, 275, 170))
    assert strip is not None
    np.testing.assert_array_equal(strip, portrait[:, 322:])
    assert beside_the_face(portrait[:, 100:350], Box(80, 80, 175, 170)) is None


def test_variants_average_the_views_that_they_name() -> None:
    rng = np.random.default_rng(1)
    identities = np.repeat([f"p{index}" for index in range(20)], 2)
    vectors = {name: rng.normal(size=(identities.size, 8)) + 1.0 for name in VIEWS}
    for name in mean_of()[SHIPPED]:
        vectors[name] = vectors[PLAIN] * 3.0
    pairs = Pairs.among(identities)
    templates = Templates(portraits=vectors, probes=vectors, identities=identities, worn=False)
    found = {name: score() for name, score in scores_of(templates, pairs).items()}
    np.testing.assert_allclose(found[SHIPPED], found[PLAIN])
    np.testing.assert_allclose(found["the pack's portrait, plain frames"], found[PLAIN])
    assert not np.allclose(found["mirror added"], found[PLAIN])
    assert all(scores.shape == pairs.rows.shape for scores in found.values())
