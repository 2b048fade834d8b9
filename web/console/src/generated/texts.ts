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
    "means": "The device left before it finished an attempt.",
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
  "EVIDENCE_UNREADABLE": "Restore what `problem` names from the backup.",
  "HOLD_NOT_FOUND": "Use a reference that GetEvidence lists.",
  "EVIDENCE_RECORD_MISSING": "Use the result that the orchestrator stored.",
  "STEP_UP_REQUIRED": "Log in at the console again; calls of gRPC are never refused for this reason.",
  "REVIEW_NOT_FOUND": "Review a check that ListReviews lists.",
  "REVIEW_CLAIMED": "Take another review, or wait until the claim lapses.",
  "REVIEW_NOT_CLAIMED": "Claim the review, look at the check again, and decide before the claim lapses.",
  "REVIEW_OVER": "Take another review; what was decided stays.",
  "REVIEW_CONFLICT": "Leave the review to another person."
} as const;
