from matcher.conformance.face_occlusion_prevention import FaceOcclusionPrevention
from tests.matcher.conformance.pictures import drawn_face, portrait_of, refused


def test_says_that_it_cannot_be_assessed() -> None:
    assert "network" in refused(FaceOcclusionPrevention().assess(portrait_of(drawn_face())))
