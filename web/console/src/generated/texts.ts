// Made by `python -m docs.make_texts`; do not edit it by hand.

/** What each reason of a check means, and what to do. */
export const FAILURES = {
  "NOT_SAME_PERSON": {
    "means": "The face in the scan is not the portrait's.",
    "action": "Reject. Offer the person another way of identification."
  },
  "SPOOF": {
    "means": "The scan is an attack, not a living person.",
    "action": "Reject. Have a person examine the evidence if much depends on it."
  },
  "LIVENESS_INCONCLUSIVE": {
    "means": "Whether the person is alive could not be decided.",
    "action": "Reject, or create a new check."
  },
  "CHALLENGE_BITS_TOO_FEW": {
    "means": "Too little of the colour challenge was measured on the face.",
    "action": "Create a new check; ask the person to find shade and to raise the brightness."
  },
  "DEVICE_NOT_TRUSTED": {
    "means": "The device's assurance is lower than the policy demands.",
    "action": "Reject, or name a policy that demands less and offer what you can take on it."
  },
  "TRANSCRIPT_BROKEN": {
    "means": "The stream of frames was altered, reordered or incomplete.",
    "action": "Reject. With an SDK of your own, look for a defect first."
  },
  "IDENTITY_CHANGED": {
    "means": "The person changed during the scan.",
    "action": "Reject."
  },
  "EXPIRED": {
    "means": "The time for the scan ran out.",
    "action": "Create a new check if the person wants to continue."
  },
  "ABANDONED": {
    "means": "The device left before an attempt decided the check.",
    "action": "Create a new check if the person wants to continue."
  },
  "INTERRUPTED": {
    "means": "The server stopped during the last attempt, or could not reach the database for too long.",
    "action": "Create a new check; nothing is held against the person."
  },
  "CONDITIONS": {
    "means": "Light, distance, movement or network did not allow a decision.",
    "action": "Create a new check; show the feedback of its attempts."
  },
  "MODE_NOT_MET": {
    "means": "The policy demands another mode than the one that was used.",
    "action": "Create a new check for a device that can flash, or name a policy without the flash."
  },
  "CANCELLED": {
    "means": "The person cancelled.",
    "action": "Create a new check if the person wants to continue."
  },
  "DEVICE_MANIPULATED": {
    "means": "The device or its camera is manipulated, with certainty.",
    "action": "Reject. `device.checks` names the decisive one."
  },
  "SERVER_FAULT": {
    "means": "A fault of the server prevented a decision.",
    "action": "Create a new check; nothing is held against the person."
  }
} as const;

/** What to do about each refusal that only compliance sees. */
export const REFUSALS = {
  "EVIDENCE_ON_HOLD": "Release the holds that GetEvidence lists, if they no longer apply.",
  "EVIDENCE_ERASED": "Erased evidence cannot be restored. The audit log states when and why.",
  "CHECK_NOT_DECIDED": "Ask again when the check is decided.",
  "EVIDENCE_IMAGE_NOT_FOUND": "Use a SHA-256 that GetEvidence lists.",
  "EVIDENCE_UNREADABLE": "Restore a lost key or image from the backup; look up a record in a restored copy of the database.",
  "HOLD_NOT_FOUND": "Use a reference that GetEvidence lists.",
  "EVIDENCE_RECORD_MISSING": "Look it up in a copy of a backup, restored beside the running server; the orchestrator stored the result.",
  "STEP_UP_REQUIRED": "Log in at the console again; calls of gRPC are never refused for this reason.",
  "REVIEW_NOT_FOUND": "Review a check that ListReviews lists.",
  "REVIEW_CLAIMED": "Take another review, or wait until the claim lapses.",
  "REVIEW_NOT_CLAIMED": "Claim the review, look at the check again, and decide before the claim lapses.",
  "REVIEW_OVER": "Take another review; what was decided stays.",
  "REVIEW_CONFLICT": "Leave the review to another person."
} as const;

/** The reasons of a verdict on liveness, as results have them. */
export const VERDICTS = {
  "TOO_FEW_FRAMES": "Too few frames arrived for a decision.",
  "TOO_SHORT": "The scan was too short for a decision.",
  "TOO_FEW_USABLE_FACES": "Too few frames show exactly one usable face.",
  "WRONG_ROTATION": "The frames are rotated: the rotation that the device states is wrong.",
  "NO_PAD_NETWORK": "The policy demands a PAD network, and none scored the scan.",
  "NO_SIGN_OF_LIFE_MEASURABLE": "Nothing in the scan allowed a sign of life to be measured.",
  "FROZEN_FRAMES": "The same frame was sent many times, which no camera does.",
  "LOOPED_FRAMES": "A sequence of frames was repeated, which no camera does.",
  "NO_SIGN_OF_LIFE": "The face shows none of the changes that a living face shows.",
  "MOVES_AS_A_PLANE": "The face moves like a flat image.",
  "NETWORK_SEES_ATTACK": "The PAD network detects an attack.",
  "SHOWS_A_MEDIUM": "The frames show traces of a print or a screen.",
  "SHOWS_TRUSTED_IMAGE": "The frames look like the trusted image itself.",
  "ONE_PICTURE_MOVED": "The frames look like one picture that is moved, bent or warped.",
  "SIMILAR_TO_EARLIER_SCAN": "The person moves as in an earlier scan, and as in a recording of it.",
  "EYES_CLOSED": "The eyes were closed for most of the scan.",
  "SUNGLASSES": "Sunglasses hid the eyes in most of the scan.",
  "EYES_NOT_VISIBLE": "Something hid the eyes in most of the scan.",
  "FACE_MASK": "A mask covered mouth and nose in most of the scan.",
  "MOUTH_NOT_VISIBLE": "Something covered the mouth in most of the scan.",
  "FACE_OBSTRUCTED": "Eyes and mouth were covered in most of the scan.",
  "ANOTHER_CHALLENGE_ANSWERED": "The face is lit by colours that the screen did not show.",
  "LIGHT_FITS_NO_FACE": "The screen's light does not appear as it would on a face.",
  "CHALLENGE_NOT_ANSWERED": "The screen's light would be measurable, but is not on the face.",
  "TOO_BRIGHT_TO_MEASURE": "Other light was too strong to measure the screen's light.",
  "TOO_DARK_TO_MEASURE": "The face was too dark to measure the screen's light.",
  "SCREEN_TOO_DIM": "The screen was too dim to measure its light.",
  "CHALLENGE_ANSWERED_LATE": "The screen's light appeared too late to be attributed to it.",
  "CHALLENGE_NOT_MEASURABLE": "The response to the challenge could not be measured.",
  "TOO_FEW_CHALLENGE_BITS": "Too little of the challenge was verified.",
  "SEVERAL_PERSONS": "The frames show different persons, one after another.",
  "BLINK_NOT_SEEN": "No blink was measured, which this attempt demands.",
  "DEPTH_NOT_SEEN": "Neither light nor motion shows whether the face is flat.",
  "MOUTH_NOT_OPENED": "The mouth was not opened on request, which this attempt demands.",
  "HEAD_NOT_TURNED": "The head was not turned to the requested side, which this attempt demands.",
  "EVIDENCE_TOO_WEAK": "The evidence is too weak for either verdict.",
  "EVIDENCE_TOO_DARK": "The frames are too dark to show who is there.",
  "EVIDENCE_TOO_BRIGHT": "Too much light falls on the face, into the camera, or from behind.",
  "EVIDENCE_BLURRED": "The frames are too blurred to show who is there.",
  "EVIDENCE_TOO_NOISY": "The frames have more noise than any from which liveness was learned.",
  "FACE_TOO_SMALL": "The face has too few pixels to show who is there.",
  "FACE_TOO_LARGE": "The face is larger than any from which liveness was learned.",
  "NO_COLOURS": "The frames have no colours, so liveness cannot be judged by them.",
  "NOT_SURE": "The PAD networks are not sure enough to decide without a challenge.",
  "LOOKS_ALIVE": "The scan shows signs of a living face.",
  "LOOKS_GENUINE": "The frames show no trace of an attack; movement was not judged."
} as const;
