import numpy as np
import pytest

from simulator.geometry import ReliefPose, Viewport
from simulator.sheets import Sheet, crop_around_face

_VIEW = Viewport(width=240, height=320, margin=48, focal=270.0)


def _sheet(size: tuple[int, int] = (150, 200), bend: float = 0.0) -> Sheet:
    return Sheet(
        np.random.default_rng(1), viewport=_VIEW, size=size, bend=bend, edge_colour=(255, 255, 255), edge=6
    )


def test_the_sheet_hides_the_room_and_has_an_edge() -> None:
    sheet = _sheet()
    sheet.place_picture(np.full((100, 75, 3), (0, 0, 255), np.uint8))
    view = sheet.show(ReliefPose())
    red = (view.scene == (0, 0, 255)).all(axis=2)
    assert red.sum() == pytest.approx(150 * 200, rel=0.02)
    white = (view.scene == 255).all(axis=2)
    # The edge is six pixels wide; softening takes one or two of them on each side.
    assert 0.5 < white.sum() / (162 * 212 - 150 * 200) < 1
    assert view.cover[160, 120] == pytest.approx(1)
    assert view.cover[0, 0] == 0


def test_a_sheet_larger_than_the_frame_fills_it() -> None:
    sheet = _sheet(size=(600, 800))
    sheet.place_picture(np.full((80, 60, 3), 77, np.uint8))
    view = sheet.show(ReliefPose(yaw=2))
    assert (view.scene == 77).all()


def test_bending_moves_the_middle_more_than_the_sides() -> None:
    sheet = _sheet(bend=12.0)
    flat, bent = sheet.show(ReliefPose(yaw=8), lift=0.0), sheet.show(ReliefPose(yaw=8), lift=1.0)
    moved = np.abs(bent.map_x - flat.map_x)
    assert moved[160, 120] > 1.0
    assert moved[160, 120] > 2 * moved[160, 55]


def test_the_crop_has_the_share_asked_for_and_stays_inside() -> None:
    picture = np.zeros((640, 480, 3), np.uint8)
    part = crop_around_face(picture, face_centre=(240, 320), face_pixels=240, face_share=0.6)
    assert part.shape[1] == pytest.approx(400, abs=1)
    assert part.shape[0] == pytest.approx(533, abs=1)
    at_the_edge = crop_around_face(picture, face_centre=(470, 10), face_pixels=240, face_share=0.6)
    assert at_the_edge.shape == part.shape
    too_small = crop_around_face(picture, face_centre=(240, 320), face_pixels=240, face_share=0.3)
    assert too_small.shape == (640, 480, 3)
