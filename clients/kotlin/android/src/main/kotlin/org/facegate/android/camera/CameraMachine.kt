package org.facegate.android.camera

/** Why there is no picture. */
internal enum class Trouble {
    /** The person, or a policy of the device's owner, forbids the camera. */
    DENIED,
    /** There is no camera that could be used. */
    MISSING,
    /** Another app has the camera, or took it. */
    BUSY,
    /** No picture came in time, or only black ones. */
    NO_PICTURE,
    /** The camera or Android's camera service failed. */
    FAILED,
}

/** What [CameraMachine] wants done, in this order. Numbers are those of an opening: its answers carry it. */
internal sealed interface CameraTask {
    data class Open(val number: Int) : CameraTask
    /** Make the capture session of the open camera. */
    data class Configure(val number: Int) : CameraTask
    /** Close the camera of this opening, whatever its session does. */
    data class Close(val number: Int) : CameraTask
    /** The first picture came. */
    data object Started : CameraTask
    /** There is no picture, or no longer. The camera is closed, or being closed. */
    data class Failed(val trouble: Trouble) : CameraTask
}

/**
 * The order in which a camera is opened, used and closed. Camera2 answers late, twice, or not at all, and a camera that
 * was closed while it opened opens nevertheless; so each step has a deadline, each answer the number of its opening, and
 * every camera that opens is closed.
 *
 * It has no thread and no clock: the caller passes in what happens, with the time, carries out the tasks, and calls
 * [tick] at [deadlineMs]. Times are milliseconds of any monotonic clock.
 */
internal class CameraMachine {
    private enum class Step { CLOSED, WAITING, OPENING, CONFIGURING, STARTING, RUNNING, CLOSING }

    private var step = Step.CLOSED
    private var number = 0
    private var tries = 0
    private var wanted = false
    /** Until when the first picture has to come. */
    private var startBy = 0L
    private var last = Trouble.FAILED

    /** When [tick] is due; null while nothing is awaited. */
    var deadlineMs: Long? = null
        private set

    /** Whether the camera is closed, or will close without further calls. */
    val atRest: Boolean get() = step == Step.CLOSED || (step == Step.CLOSING && !wanted)

    /** Opens the camera. Without effect if it is open, or opening. */
    fun open(nowMs: Long): List<CameraTask> {
        if (wanted) return emptyList()
        wanted = true
        tries = 0
        startBy = nowMs + START_MS
        // A camera that closes has to be closed before it opens again.
        return if (step == Step.CLOSED) begin(nowMs) else emptyList()
    }

    /** Closes the camera. */
    fun close(nowMs: Long): List<CameraTask> {
        wanted = false
        return when (step) {
            Step.CLOSED, Step.CLOSING -> emptyList()
            Step.WAITING -> rest()
            else -> closing(nowMs)
        }
    }

    fun opened(of: Int, nowMs: Long): List<CameraTask> = when {
        of != number || step == Step.CLOSED || step == Step.WAITING -> listOf(CameraTask.Close(of))
        // It was closed while it opened; now it can be.
        step == Step.CLOSING -> listOf(CameraTask.Close(of))
        step == Step.OPENING -> {
            enter(Step.CONFIGURING, nowMs + CONFIGURE_MS)
            listOf(CameraTask.Configure(of))
        }
        else -> emptyList()
    }

    fun configured(of: Int): List<CameraTask> {
        if (of == number && step == Step.CONFIGURING) enter(Step.STARTING, startBy)
        return emptyList()
    }

    /** A picture came. Black ones do not start the camera: its cover may be closed. */
    fun picture(of: Int, black: Boolean, nowMs: Long): List<CameraTask> {
        if (of != number || (step != Step.STARTING && step != Step.RUNNING)) return emptyList()
        if (black) {
            last = Trouble.NO_PICTURE
            return emptyList()
        }
        val first = step == Step.STARTING
        enter(Step.RUNNING, nowMs + GAP_MS)
        return if (first) listOf(CameraTask.Started) else emptyList()
    }

    /** The camera failed or was taken, or could not be opened or configured. */
    fun failed(of: Int, trouble: Trouble, nowMs: Long): List<CameraTask> {
        if (of != number) return listOf(CameraTask.Close(of))
        return when (step) {
            Step.CLOSED, Step.WAITING -> emptyList()
            // It is not there, so that no answer to its closing may come.
            Step.CLOSING -> listOf(CameraTask.Close(of)) + afterClosing(nowMs)
            Step.RUNNING -> giveUp(trouble, nowMs)
            Step.OPENING, Step.CONFIGURING, Step.STARTING -> again(trouble, nowMs)
        }
    }

    fun closed(of: Int, nowMs: Long): List<CameraTask> =
        if (of == number && step == Step.CLOSING) afterClosing(nowMs) else emptyList()

    /** Time has passed. */
    fun tick(nowMs: Long): List<CameraTask> {
        if (nowMs < (deadlineMs ?: return emptyList())) return emptyList()
        return when (step) {
            Step.CLOSED -> emptyList()
            Step.WAITING -> begin(nowMs)
            Step.OPENING, Step.CONFIGURING -> again(Trouble.FAILED, nowMs)
            Step.STARTING, Step.RUNNING -> giveUp(Trouble.NO_PICTURE, nowMs)
            Step.CLOSING -> afterClosing(nowMs)
        }
    }

    private fun begin(nowMs: Long): List<CameraTask> {
        number += 1
        tries += 1
        enter(Step.OPENING, nowMs + OPEN_MS)
        return listOf(CameraTask.Open(number))
    }

    /** Another app, or this one a moment ago, may still be closing the camera: that takes up to a second. */
    private fun again(trouble: Trouble, nowMs: Long): List<CameraTask> {
        last = trouble
        val wait = RETRY_MS * tries
        if (trouble == Trouble.DENIED || trouble == Trouble.MISSING || tries >= TRIES || nowMs + wait >= startBy) {
            return giveUp(trouble, nowMs)
        }
        enter(Step.WAITING, nowMs + wait)
        return listOf(CameraTask.Close(number))
    }

    private fun giveUp(trouble: Trouble, nowMs: Long): List<CameraTask> {
        wanted = false
        return closing(nowMs) + CameraTask.Failed(trouble)
    }

    private fun closing(nowMs: Long): List<CameraTask> {
        enter(Step.CLOSING, nowMs + CLOSE_MS)
        return listOf(CameraTask.Close(number))
    }

    private fun afterClosing(nowMs: Long): List<CameraTask> = if (wanted) begin(nowMs) else rest()

    private fun rest(): List<CameraTask> {
        enter(Step.CLOSED, null)
        return emptyList()
    }

    private fun enter(next: Step, deadline: Long?) {
        step = next
        deadlineMs = deadline
    }

    companion object {
        /** From the call to the first picture, with all tries. */
        const val START_MS = 8000L
        const val OPEN_MS = 3000L
        const val CONFIGURE_MS = 3000L
        const val CLOSE_MS = 2000L
        /** Without a picture for so long, a running camera is lost. */
        const val GAP_MS = 2500L
        const val RETRY_MS = 400L
        const val TRIES = 4
    }
}
