"""Head pose from landmarks and a generic head model."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import HeadPose, Landmarks, Points


def estimate_pose(landmarks: Landmarks | Points, image_size: tuple[int, int]) -> HeadPose:
    """Return the head's rotation relative to the line from the camera to the face.

    The generic head is fitted to the landmarks (perspective-n-point: G. Terzakis and M. Lourakis, "A
    consistently fast and globally optimal solution to the PnP problem", ECCV 2020), as from a camera that is
    turned to the middle of the face. So a person at the frame's edge that looks into the camera measures as
    frontal. Head models:

    * ``ibug68``: 14 of the points of the anthropometric 3-D model of P. Martins and J. Batista,
      "Accurate single view model-based head pose estimation", IEEE FG 2008.
    * ``mediapipe478``: the 33 points of MediaPipe's canonical face that its own face geometry uses.
      The landmarks' depth is not used: a fit of the points with their depth to the same face (Kabsch)
      followed turns less closely, and measured frontal photos as tilted by 3 degrees.
    * Five points, and ``insightface106``: eye centres, nose tip and mouth corners of the first head; the
      pitch is coarse, because it depends on the nose alone.

    On simulated heads turned by known angles (90 turns of 10 photos, up to 20 degrees;
    ``tests/vision/test_pose.py``) the median errors of yaw, pitch and roll are 0.8, 1.0 and 0.4
    degrees for ``mediapipe478`` (90 of 100 below 1.8, 2.8 and 0.9), and 1.9, 1.8 and 0.8 (4.1, 5.4 and 2.4)
    for ``ibug68``.

    Args:
        landmarks: Dense landmarks, or five points of shape (5, 2) in the order of ``DetectedFace``.
        image_size: Width and height of the frame in pixels; the longer side is used as the focal length,
            as of a phone's front camera.

    Returns:
        Degrees, each -180..180. If the points do not determine a pose, the yaw is 180, as of a head turned
        away, so that a pose that cannot be measured never counts as frontal.

    Raises:
        ValueError: The scheme or shape is unknown, which is a mistake in the caller's code.
    """
    model, seen = _correspondences(landmarks)
    towards_face = _seen_head_on(seen, image_size)
    if towards_face is None:
        return _NO_POSE
    try:
        found, rotation, _ = cv2.solvePnP(model, towards_face, np.eye(3), None, flags=cv2.SOLVEPNP_SQPNP)
    except cv2.error:
        return _NO_POSE
    if not found or not np.isfinite(rotation).all():
        return _NO_POSE
    return _angles(np.asarray(cv2.Rodrigues(rotation)[0], dtype=np.float64))


def turn_about_neck(pose: HeadPose) -> float:
    """Return the turn about the head's own vertical axis, degrees; the yaw of a head that does not lean.

    A nod of a head that leans to a side, or before a phone that is rolled, has a yaw, but no such turn.
    """
    yaw, pitch, roll = (math.radians(angle) for angle in (pose.yaw, pose.pitch, pose.roll))
    across, down = math.sin(yaw) * math.cos(pitch), -math.sin(pitch)
    aside = across * math.cos(roll) + down * math.sin(roll)
    return math.degrees(math.atan2(aside, math.cos(yaw) * math.cos(pitch)))


_NO_POSE = HeadPose(yaw=180.0, pitch=0.0, roll=0.0)
_LEAST_DEPTH = 0.1
_LEAST_EXTENT = 1.0


def _seen_head_on(seen: NDArray[np.float64], image_size: tuple[int, int]) -> NDArray[np.float64] | None:
    """Return the points as a camera of focal length 1 that is turned to their middle projects them."""
    if not np.isfinite(seen).all() or float(np.ptp(seen, axis=0).min()) < _LEAST_EXTENT:
        return None
    width, height = image_size
    rays = np.column_stack([(seen - (width / 2, height / 2)) / max(image_size), np.ones(len(seen))])
    middle = rays.mean(axis=0) / np.linalg.norm(rays.mean(axis=0))
    # The shortest rotation that takes the middle ray to the optical axis.
    axis = np.cross(middle, (0.0, 0.0, 1.0))
    sine = float(np.linalg.norm(axis))
    if sine > 0:
        turn = np.asarray(cv2.Rodrigues(axis / sine * math.asin(min(1.0, sine)))[0], dtype=np.float64)
        rays = rays @ turn.T
    if float(rays[:, 2].min()) < _LEAST_DEPTH:
        return None
    return np.ascontiguousarray(rays[:, :2] / rays[:, 2:])


# Centimetres. Published with x to the image's left, y up and z out of the face; the minus turns all
# three to the camera's axes (x right, y down, z away), so that a frontal face has no rotation.
IBUG68_INDICES = np.array([17, 21, 22, 26, 36, 39, 42, 45, 31, 35, 48, 54, 57, 8])
IBUG68_HEAD = -np.array(
    [
        [6.825897, 6.760612, 4.402142],
        [1.330353, 7.122144, 6.903745],
        [-1.330353, 7.122144, 6.903745],
        [-6.825897, 6.760612, 4.402142],
        [5.311432, 5.485328, 3.987654],
        [1.789930, 5.393625, 4.413414],
        [-1.789930, 5.393625, 4.413414],
        [-5.311432, 5.485328, 3.987654],
        [2.005628, 1.409845, 6.165652],
        [-2.005628, 1.409845, 6.165652],
        [2.774015, -2.080775, 5.048531],
        [-2.774015, -2.080775, 5.048531],
        [0.0, -3.116408, 6.097667],
        [0.0, -7.415691, 4.070434],
    ]
)
# Eye centres lie between the corners above. The published part has no nose tip: this one makes the
# pitch of five points agree with that of fourteen on photos of frontal faces.
FIVE_POINT_HEAD = -np.array(
    [
        [3.550681, 5.439477, 4.200534],
        [-3.550681, 5.439477, 4.200534],
        [0.0, 1.5, 9.0],
        [2.774015, -2.080775, 5.048531],
        [-2.774015, -2.080775, 5.048531],
    ]
)


# MediaPipe's canonical face in centimetres (``geometry_pipeline_metadata_landmarks.binarypb`` in its
# face_landmarker.task): x to the image's right, y up and z out of the face. Each line has the index of
# the point on the image's left, that of its mirror image, and the position of the former. Points in the
# middle are their own mirror images.
_MEDIAPIPE478_HALF = (
    (4, 4, 0.0, -0.463170, 7.586580),
    (6, 6, 0.0, 2.473255, 5.788627),
    (10, 10, 0.0, 8.261778, 4.481535),
    (33, 263, -4.445859, 2.663991, 3.173422),
    (54, 284, -6.279331, 6.615427, 1.425850),
    (67, 297, -3.523964, 8.005976, 3.729163),
    (117, 346, -5.258659, 0.945811, 2.974312),
    (119, 348, -3.300681, 0.861641, 3.872784),
    (121, 350, -1.820731, 1.467954, 4.224124),
    (127, 356, -7.743095, 2.364999, -2.005167),
    (129, 358, -1.785794, -0.978284, 4.850470),
    (132, 361, -7.270895, -2.890917, -2.252455),
    (133, 362, -1.856432, 2.585245, 3.757904),
    (136, 365, -5.085276, -7.178590, 0.714711),
    (143, 372, -6.407571, 2.236021, 1.560843),
    (147, 376, -6.234883, -1.944430, 1.663542),
    (198, 420, -1.246815, 0.230297, 5.681036),
    (205, 425, -3.832928, -1.537326, 4.137731),
)
_MEDIAPIPE478_POINTS = {
    index: place
    for left, right, x, y, z in _MEDIAPIPE478_HALF
    for index, place in ((left, (x, -y, -z)), (right, (-x, -y, -z)))
}
MEDIAPIPE478_INDICES = np.array(list(_MEDIAPIPE478_POINTS))
MEDIAPIPE478_HEAD = np.array(list(_MEDIAPIPE478_POINTS.values()))
_UPPER_FACE = 1.2
"""How far below the canonical face's origin points still belong to its upper half, centimetres: lips are
lower."""


def canonical_scale(landmarks: Landmarks) -> float | None:
    """Return the scale from a face's landmarks to the canonical face, by its upper half.

    No expression moves the upper half much, and neither rotation nor shift changes distances.

    Source: S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    IEEE PAMI 13(4), 1991.

    Returns:
        Centimetres on the canonical face a pixel; None if the landmarks are not MediaPipe's 478 with depth,
        are not finite, or coincide.
    """
    if landmarks.scheme != "mediapipe478" or landmarks.depth is None:
        return None
    upper = MEDIAPIPE478_HEAD[:, 1] < _UPPER_FACE
    indices = MEDIAPIPE478_INDICES[upper]
    seen = np.column_stack([landmarks.points[indices], landmarks.depth[indices]]).astype(np.float64)
    if not np.isfinite(seen).all():
        return None
    head = MEDIAPIPE478_HEAD[upper]
    centred, target = seen - seen.mean(axis=0), head - head.mean(axis=0)
    spread = float((centred**2).sum())
    if spread <= 0:
        return None
    left, sizes, right = np.linalg.svd(target.T @ centred)
    sizes[2] *= np.sign(np.linalg.det(left @ right))
    return float(sizes.sum()) / spread


def _correspondences(landmarks: Landmarks | Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if isinstance(landmarks, Landmarks):
        points = landmarks.points.astype(np.float64)
        match landmarks.scheme:
            case "ibug68":
                return IBUG68_HEAD, points[IBUG68_INDICES]
            case "insightface106":
                eyes = [points[33:43].mean(axis=0), points[87:97].mean(axis=0)]
                return FIVE_POINT_HEAD, np.array([*eyes, points[86], points[52], points[61]])
            case "mediapipe478":
                return MEDIAPIPE478_HEAD, points[MEDIAPIPE478_INDICES]
        raise ValueError(f"unknown landmark scheme {landmarks.scheme!r}")
    if landmarks.shape != (5, 2):
        raise ValueError(f"five points have shape (5, 2), not {landmarks.shape}")
    return FIVE_POINT_HEAD, landmarks.astype(np.float64)


def _angles(rotation: NDArray[np.float64]) -> HeadPose:
    # From the frontal view first roll, then pitch, then yaw (ISO/IEC 19794-5:2005, 5.5.8), so that yaw
    # and pitch state the direction of the face.
    facing = -rotation[:, 2]
    yaw = math.degrees(math.atan2(facing[0], -facing[2]))
    pitch = math.degrees(math.asin(float(np.clip(-facing[1], -1, 1))))
    roll = math.degrees(math.atan2(rotation[1, 0], rotation[1, 1]))
    return HeadPose(yaw=yaw, pitch=pitch, roll=roll)
