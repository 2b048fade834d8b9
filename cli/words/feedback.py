"""The English hint for each feedback code. docs/device_protocol.md shows the same texts."""

from types import MappingProxyType
from typing import Final

from facegate.v1 import feedback_pb2

__all__ = ["FEEDBACK_TEXT", "feedback_text"]

FEEDBACK_TEXT: Final = MappingProxyType(
    {
        "GOOD": "Good. Hold this position.",
        "NO_FACE": "Bring your face into the oval.",
        "MULTIPLE_FACES": "Only one person may be in the picture.",
        "MOVE_CLOSER": "Move closer.",
        "MOVE_BACK": "Move back a little.",
        "CENTER_FACE": "Centre your face in the oval.",
        "HOLD_STILL": "Hold still.",
        "TOO_DARK": "Find a brighter place.",
        "TOO_BRIGHT": "Find a place with less light.",
        "BLURRED": "Hold still, and clean the lens if the picture stays blurred.",
        "EYES_CLOSED": "Open your eyes.",
        "LOOK_STRAIGHT": "Look straight at the camera.",
        "FACE_CUT_OFF": "Move so that your whole face is in the picture.",
        "FACE_OBSTRUCTED": "Uncover your face.",
        "EYES_NOT_VISIBLE": "Make sure that both eyes can be seen.",
        "MOUTH_NOT_VISIBLE": "Make sure that your mouth can be seen.",
        "SUNGLASSES": "Take off your sunglasses.",
        "FACE_MASK": "Take off your mask.",
        "LOW_VIDEO_QUALITY": "The camera's picture is too poor. Clean the lens or use another camera.",
        "NO_COLOURS": "The camera's picture has no colours. Use another camera, or turn off its night mode.",
        "ENVIRONMENT_NOT_SUPPORTED": "Find another place, without strong light behind you.",
        "FACE_LOST": "Your face was lost. Keep it in the oval.",
        "ACTION_NOT_PERFORMED": "Follow the instructions on the screen.",
        "TIMED_OUT": "That took too long. Please try again.",
        "NETWORK_TOO_SLOW": "The connection is too slow. Find a better network and try again.",
        "CAPTURE_TOO_SLOW": "This device captures too few pictures. Close other apps and pages, and find a "
        "brighter place.",
        "RAISE_SCREEN_BRIGHTNESS": "Raise the brightness of your screen.",
        "BLINK": "Please blink.",
        "OPEN_MOUTH": "Open your mouth wide, then close it.",
        "TURN_LEFT": "← Turn your head to your left, then back.",
        "TURN_RIGHT": "→ Turn your head to your right, then back.",
        "TURN_HEAD_SLIGHTLY": "Turn your head slightly from side to side.",
        "PROCESSING": "Thank you. One moment, please.",
        "CONNECTION_LOST": "The connection was lost. Please try again.",
        "WRONG_ROTATION": "Hold the phone upright.",
        "FAILED": "That did not work.",
    }
)
"""The texts by the code's name without its prefix."""

_UNKNOWN = "Keep your face in the oval."


def feedback_text(code: int) -> str:
    """Returns the text for a code; a general one for a code that this version does not know."""
    try:
        name = feedback_pb2.FeedbackCode.Name(code)  # type: ignore[arg-type]  # the wire may carry any number
    except ValueError:
        return _UNKNOWN
    return FEEDBACK_TEXT.get(name.removeprefix("FEEDBACK_CODE_"), _UNKNOWN)
