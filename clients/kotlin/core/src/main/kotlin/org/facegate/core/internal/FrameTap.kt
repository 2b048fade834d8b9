package org.facegate.core.internal

import kotlinx.coroutines.channels.Channel
import org.facegate.core.CameraProblem
import org.facegate.core.CapturedFrame
import org.facegate.core.FrameListener
import java.util.concurrent.atomic.AtomicInteger

/** Frames that may wait for the scan's thread; a camera has few buffers. */
private const val MOST_WAITING = 2

/** Closes a frame that is not needed, whatever comes of it. */
internal fun CapturedFrame.giveBack() {
    try {
        close()
    } catch (_: Throwable) {
        // The scan does not need it.
    }
}

/** Hands the camera's frames to the running attempt, and gives all others back. From any thread. */
internal class FrameTap : FrameListener {
    private val missed = AtomicInteger()

    @Volatile
    private var frames: Channel<CapturedFrame>? = null

    @Volatile
    private var onProblem: (() -> Unit)? = null

    /** Why the camera gives no more frames; null while it does. */
    @Volatile
    var problem: CameraProblem? = null

    /** Frames that did not reach the attempt since the last call. */
    fun takeMissed(): Int = missed.getAndSet(0)

    /** Begins to hand frames over; `onProblem` may be called on any thread. */
    fun open(onProblem: () -> Unit): Channel<CapturedFrame> {
        val opened = Channel<CapturedFrame>(MOST_WAITING) { it.giveBack() }
        missed.set(0)
        this.onProblem = onProblem
        frames = opened
        if (problem != null) onProblem()
        return opened
    }

    /** Ends that; what still waits is given back. */
    fun close() {
        onProblem = null
        frames?.cancel()
        frames = null
    }

    override fun onFrame(frame: CapturedFrame) {
        val open = frames
        if (open == null) {
            frame.giveBack()
        } else if (open.trySend(frame).isFailure) {
            frame.giveBack()
            missed.incrementAndGet()
        }
    }

    override fun onLost(problem: CameraProblem) {
        this.problem = problem
        onProblem?.invoke()
    }
}
