// Made by `python -m docs.make_texts`; do not edit it by hand.

/** The English text of each hint, by its code. */
export const HINTS: Record<string, string> = {
  UNSPECIFIED: "Keep your face in the oval.",
  GOOD: "Good, keep still.",
  NO_FACE: "Move your face into the oval.",
  MULTIPLE_FACES: "Only one face may be in the picture.",
  MOVE_CLOSER: "Move closer.",
  MOVE_BACK: "Move back.",
  CENTER_FACE: "Centre your face.",
  HOLD_STILL: "Hold still.",
  TOO_DARK: "It is too dark: find more light.",
  TOO_BRIGHT: "There is too much light, or it comes from behind you: find shade.",
  BLURRED: "The picture is blurred: hold still or clean the lens.",
  EYES_CLOSED: "Open your eyes.",
  LOOK_STRAIGHT: "Look straight at the camera.",
  FACE_CUT_OFF: "Your whole face must be in the picture.",
  FACE_OBSTRUCTED: "Uncover your face.",
  EYES_NOT_VISIBLE: "Make sure that both eyes can be seen.",
  MOUTH_NOT_VISIBLE: "Make sure that your mouth can be seen.",
  SUNGLASSES: "Take off your sunglasses.",
  FACE_MASK: "Take off your mask.",
  LOW_VIDEO_QUALITY: "The camera's picture is too poor. Clean the lens or use another camera.",
  NO_COLOURS: "The camera gives no colours: use another one.",
  ENVIRONMENT_NOT_SUPPORTED: "No challenge is possible here: only a clear picture succeeds.",
  FACE_LOST: "Your face was lost: keep it in the oval.",
  ACTION_NOT_PERFORMED: "Follow the instructions on the screen.",
  TIMED_OUT: "That took too long. Please try again.",
  NETWORK_TOO_SLOW: "The connection is too slow. Find a better network.",
  CAPTURE_TOO_SLOW: "The camera gives too few pictures. Close other apps, or find more light.",
  RAISE_SCREEN_BRIGHTNESS: "Raise the brightness of your screen.",
  BLINK: "Please blink.",
  OPEN_MOUTH: "Open your mouth wide, then close it.",
  TURN_LEFT: "← Turn your head to your left, then back.",
  TURN_RIGHT: "→ Turn your head to your right, then back.",
  TURN_HEAD_SLIGHTLY: "Turn your head a little from side to side.",
  PROCESSING: "One moment.",
  CONNECTION_LOST: "The connection was lost. Please try again.",
  WRONG_ROTATION: "Hold the phone upright; the picture is turned.",
  FAILED: "That did not work.",
};

/** The reasons of refusals after which a device reconnects by itself. */
export const RECONNECT: ReadonlySet<string> = new Set([
  "NOT_SERVING",
  "OVERLOADED",
  "STREAM_IDLE",
]);
