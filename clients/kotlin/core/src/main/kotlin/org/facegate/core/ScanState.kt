package org.facegate.core

/** An upright ellipse in fractions of the upright frame, which is not mirrored. */
public data class Oval(val centerX: Float, val centerY: Float, val width: Float, val height: Float)

/** The task of an attempt. */
public enum class Plan {
    /** Looking at the camera, with gestures if hints ask for them. */
    EXPRESS,

    /** The same, while colours of the screen light up the face. */
    FLASH,

    /** Following an oval that moves. */
    MOVEMENT,
}

/** What the app may know of an attempt: for the interface only. Never unlock anything because of it. */
public enum class ScanStatus {
    /** It is the person, alive. */
    SUCCESS,

    /** It is not, or it could not be proved. */
    FAILURE,

    /** The check is over; only the backend learns how. */
    COMPLETED,

    /** The conditions allowed no decision. */
    RETRY,
}

/** Why an attempt cannot go on: the app was hidden, the device was turned, or the camera gives no picture. */
public enum class Interruption { HIDDEN, TURNED, CAMERA }

/** The result of one attempt. */
public data class AttemptResult(
    /** Its number in the check, from 1. */
    val attempt: Int,
    val status: ScanStatus,
    /** Codes of hints, such as `MOVE_CLOSER`, most important first; see [Texts.hint]. */
    val feedback: List<String>,
    /** Whether the server allows another one. */
    val anotherAttempt: Boolean,
    /** Why the device ended the attempt early, if it did. Then [feedback] may say nothing of use. */
    val interruption: Interruption?,
    /** How long the server waits for the person, milliseconds; 0 if it does not wait. */
    val readyWithinMs: Long,
)

/** What the app may know of a scan. Only the backend's `FinishCheck` is authoritative. */
public data class ScanOutcome(
    val status: ScanStatus,
    /** [AttemptResult.feedback] of the last attempt. */
    val feedback: List<String>,
    /** [AttemptResult.interruption] of the last attempt. */
    val interruption: Interruption?,
    /** Attempts with a result. */
    val attempts: Int,
    /** Streams with a challenge; more than one after a reconnect. */
    val streams: Int,
    /** Frames sent with an index. */
    val frames: Int,
    /** Frames dropped before they got an index. */
    val dropped: Int,
)

/**
 * What the scan is doing. A new value comes at least once a second until the last one, because [forMs] rises: an app
 * that hears nothing for three seconds may conclude that its process was stopped.
 */
public sealed class ScanState {
    /** Milliseconds for which the scan has been doing this. */
    public abstract val forMs: Long

    /** What to tell the person; a key of [Texts.screen]. Empty where [Capturing.hint] tells it. */
    public abstract val text: String

    /** The same state, a moment later. */
    internal open fun after(forMs: Long): ScanState = this

    /** [FaceScan.run] was not called yet. */
    public data object Idle : ScanState() {
        override val forMs: Long get() = 0
        override val text: String get() = "start"
    }

    /** The session key is made, and the camera opens. */
    public data class OpeningCamera(override val forMs: Long = 0) : ScanState() {
        override fun after(forMs: Long): ScanState = copy(forMs = forMs)
        override val text: String get() = "camera"
    }

    /** A stream is opened, and the server verified. */
    public data class Connecting(override val forMs: Long = 0) : ScanState() {
        override fun after(forMs: Long): ScanState = copy(forMs = forMs)
        override val text: String get() = "connecting"
    }

    /** The connection was lost, or could not be made; it is made again after a wait. */
    public data class Reconnecting(
        /** Number of this reconnect in the scan, from 1. */
        val reconnect: Int,
        val waitMs: Long,
        /** Whether the server was reached before. */
        val reached: Boolean,
        override val forMs: Long = 0,
    ) : ScanState() {
        override fun after(forMs: Long): ScanState = copy(forMs = forMs)
        override val text: String get() = if (reached) "reconnecting" else "unreachable"
    }

    /** The server was verified; the attempt begins soon. */
    public data class Connected(val oval: Oval, override val forMs: Long = 0) : ScanState() {
        override fun after(forMs: Long): ScanState = copy(forMs = forMs)
        override val text: String get() = "connecting"
    }

    /** An attempt captures frames. */
    public data class Capturing(
        val attempt: Int,
        val plan: Plan,
        /** Where the person's face should be. */
        val oval: Oval,
        /** The time in which [oval] moves there from the one before, milliseconds. */
        val ovalMs: Long = 0,
        /** Code of the hint to show at once; see [Texts.hint]. Null before the first. */
        val hint: String? = null,
        /** The part of the capture that is done, 0 to 1. */
        val progress: Float = 0f,
        /** Whether frames are held back, for [hint]. */
        val paused: Boolean = false,
        override val forMs: Long = 0,
    ) : ScanState() {
        override fun after(forMs: Long): ScanState = copy(forMs = forMs)
        override val text: String get() = ""
    }

    /** The frames of an attempt are sent; the server decides. */
    public data class Deciding(val attempt: Int, override val forMs: Long = 0) : ScanState() {
        override fun after(forMs: Long): ScanState = copy(forMs = forMs)
        override val text: String get() = "deciding"
    }

    /** Another attempt follows, as soon as [FaceScan.ready] is called. */
    public data class Waiting(
        val last: AttemptResult,
        /** Milliseconds that are left of [AttemptResult.readyWithinMs]; 0 if the server does not wait. */
        val leftMs: Long,
        override val forMs: Long = 0,
    ) : ScanState() {
        override fun after(forMs: Long): ScanState =
            copy(leftMs = maxOf(0, last.readyWithinMs - forMs), forMs = forMs)

        override val text: String get() = "tryAgain"
    }

    /** The scan has ended with a result. */
    public data class Finished(val outcome: ScanOutcome) : ScanState() {
        override val forMs: Long get() = 0
        override val text: String
            get() = when (outcome.status) {
                ScanStatus.SUCCESS -> "success"
                ScanStatus.COMPLETED -> "completed"
                else -> "failure"
            }
    }

    /** The scan has ended without one. */
    public data class Failed(val error: FacegateException) : ScanState() {
        override val forMs: Long get() = 0
        override val text: String get() = error.text
    }
}
