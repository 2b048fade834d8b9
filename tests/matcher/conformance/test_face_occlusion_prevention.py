from matcher.conformance.face_occlusion_prevention import FaceOcclusionPrevention
from tests.matcher.conformance.pictures import drawn_face, portrait_of, refused


def test_the_component_is_reported_as_unassessable() -> None:
    assert "network" in refused(FaceOcclusionPrevention().assess(portrait_of(drawn_face())))
