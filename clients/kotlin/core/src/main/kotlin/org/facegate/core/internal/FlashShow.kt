package org.facegate.core.internal

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Job
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import org.facegate.core.Clock
import org.facegate.core.FlashColour
import org.facegate.core.ProtocolViolatedException
import org.facegate.core.ScreenLight
import org.facegate.v1.FlashStep
import org.facegate.v1.Transition
import kotlin.math.max
import kotlin.math.min

/** The shortest time of a colour, whatever the server demands: never more than 3 changes a second. */
internal const val SHORTEST_HOLD_MS = 350L
private const val LONGEST_TRANSITION_MS = 1000L
private const val MOST_WAITING = 2

/** Steps of an attempt beyond which a server breaks the protocol. */
internal const val MOST_STEPS = 16
private const val BRIGHTEST = 255

/** The step on the screen at one moment; zeros for none. */
internal data class ShownStep(val step: Int, val sinceUs: Long)

/** One attempt's colours, each shown for as long as the protocol demands. */
internal class FlashShow(
    private val screen: ScreenLight,
    private val clock: Clock,
    private val app: AppCalls,
    /** Number of the last step that came in the stream. */
    var last: Int,
) {
    private val waiting = ArrayDeque<FlashStep>()
    private val shown = ArrayList<ShownStep>()
    private var steps = 0
    private var freeAtUs = 0L
    private var timer: Job? = null
    private var closed = false

    /** Whether a colour other than the first grey was on the screen. */
    val coloured: Boolean get() = synchronized(shown) { shown.size > 1 }

    /** Shows a step now, or once the one before it was held for long enough. */
    fun add(step: FlashStep, scope: CoroutineScope) {
        if (Integer.compareUnsigned(step.step, last) <= 0) throw ProtocolViolatedException("flash steps are out of order")
        if (waiting.size >= MOST_WAITING) throw ProtocolViolatedException("flash steps come too fast")
        steps += 1
        if (steps > MOST_STEPS) throw ProtocolViolatedException("too many flash steps came")
        last = step.step
        waiting += step
        if (timer?.isActive == true) return
        // Not dispatched, so that a step that may be shown now waits for none that comes with it.
        timer = scope.launch(start = CoroutineStart.UNDISPATCHED) { showDue() }
    }

    /** The step that was on the screen when a frame was captured. */
    fun at(captureTimeUs: Long): ShownStep =
        synchronized(shown) { shown.lastOrNull { it.sinceUs <= captureTimeUs } } ?: ShownStep(0, 0)

    /** Ends the attempt: the screen returns to normal. */
    fun close() {
        synchronized(shown) { closed = true }
        timer?.cancel()
        waiting.clear()
        app.onScreenLater(screen::restore)
    }

    private suspend fun showDue() {
        while (waiting.isNotEmpty()) {
            waitUntilFree()
            val step = waiting.removeFirstOrNull() ?: break
            val scrollMs = if (step.transition == Transition.TRANSITION_SCROLL_DOWN) {
                min(step.transitionDuration.milliseconds, LONGEST_TRANSITION_MS)
            } else {
                0
            }
            val holdUs = 1000 * (scrollMs + max(SHORTEST_HOLD_MS, step.minimumHold.milliseconds))
            app.onScreen { show(step.colour(scrollMs), holdUs) }
        }
    }

    private fun show(colour: FlashColour, holdUs: Long) {
        synchronized(shown) {
            if (closed) return
            freeAtUs = clock.nowUs() + holdUs
        }
        screen.show(colour) { appeared(colour.step, it, holdUs) }
    }

    private fun appeared(step: Int, sinceUs: Long, holdUs: Long) = synchronized(shown) {
        if (!closed) {
            shown += ShownStep(step, sinceUs)
            freeAtUs = max(freeAtUs, sinceUs + holdUs)
        }
    }

    private suspend fun waitUntilFree() {
        while (true) {
            val leftUs = synchronized(shown) { freeAtUs } - clock.nowUs()
            if (leftUs <= 0) return
            delay((leftUs + 999) / 1000)
        }
    }
}

private fun FlashStep.colour(scrollMs: Long) = FlashColour(
    step,
    color.red.coerceIn(0, BRIGHTEST),
    color.green.coerceIn(0, BRIGHTEST),
    color.blue.coerceIn(0, BRIGHTEST),
    scrollMs,
)
