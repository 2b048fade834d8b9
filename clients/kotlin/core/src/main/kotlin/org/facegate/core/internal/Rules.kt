package org.facegate.core.internal

import org.facegate.core.FrameLimits
import org.facegate.core.Plan
import org.facegate.core.Size
import org.facegate.v1.CaptureAdjustment
import org.facegate.v1.CaptureBudget
import kotlin.math.ceil
import kotlin.math.max
import kotlin.math.min
import kotlin.math.pow
import kotlin.random.Random

private const val EARLY_SHARE = 0.25
private const val MOST_FRAME_BYTES = 524_288

/** The credit of the device. If a frame is sent without enough, the server ends the scan. */
internal class Credit(frames: Int, bytes: Int) {
    private var frames = frames.toUInt().toLong()
    private var bytes = bytes.toUInt().toLong()

    fun add(more: org.facegate.v1.Credit) {
        frames += more.frames.toUInt().toLong()
        bytes += more.bytes.toUInt().toLong()
    }

    /** Whether a frame of `size` bytes may be sent. */
    fun covers(size: Int = 1): Boolean = frames >= 1 && bytes >= size

    /** Uses up the credit of a frame; false if there is too little. */
    fun take(size: Int): Boolean {
        if (!covers(size)) return false
        frames -= 1
        bytes -= size
        return true
    }
}

/** The limits of one attempt's frames: number, rate and size. */
internal class FrameRules(private val budget: CaptureBudget, usefulSide: Int) {
    private var rate = orInfinite(budget.maxFramesPerSecond)
    private var dueUs = 0.0

    /** The limits of the next frame. */
    var limits: FrameLimits = FrameLimits(
        maxSide = Int.MAX_VALUE,
        usefulSide = usefulSide,
        maxPixels = orMost(budget.maxFramePixels),
        maxBytes = min(MOST_FRAME_BYTES, orMost(budget.maxFrameBytes)),
        minSide = max(1, budget.minFrameSide),
        shrunk = 0,
    )
        private set

    /** Applies the server's request for smaller or fewer frames. Limits only fall. */
    fun adjust(adjustment: CaptureAdjustment) {
        rate = min(rate, orInfinite(adjustment.maxFramesPerSecond))
        limits = limits.copy(
            maxSide = min(limits.maxSide, orMost(adjustment.maxSide)),
            maxBytes = min(limits.maxBytes, orMost(adjustment.maxFrameBytes)),
        )
    }

    /** Notes how often the last frame was scaled down: a size that goes up and down looks like two cameras. */
    fun keepShrunk(shrunk: Int) {
        limits = limits.copy(shrunk = max(limits.shrunk, shrunk))
    }

    /** Whether a frame exceeds the highest useful rate. Such a frame counts as never captured. */
    fun tooEarly(captureTimeUs: Long): Boolean {
        if (rate.isInfinite()) return false
        val interval = 1_000_000 / rate
        if (captureTimeUs < dueUs - interval * EARLY_SHARE) return true
        dueUs = max(dueUs, captureTimeUs - interval) + interval
        return false
    }

    /**
     * Whether the budget has room for a frame.
     *
     * @param frames Frames of the attempt so far.
     * @param scanBytes Bytes of the scan's frames so far.
     */
    fun hasRoom(size: Int, frames: Int, scanBytes: Long): Boolean =
        frames < orMost(budget.maxFramesPerAttempt) && scanBytes + size <= orMost(budget.maxScanBytes)
}

private fun orMost(limit: Int): Int = if (limit > 0) limit else Int.MAX_VALUE

private fun orInfinite(rate: Float): Double = if (rate > 0) rate.toDouble() else Double.POSITIVE_INFINITY

/**
 * The frames a second that a device could have sent, if the connection had carried all of them. If these are too few,
 * the device is too busy or its camera too slow, whatever the connection is like.
 */
internal class CapturePace {
    private var ready = 0
    private var lastUs: Long? = null

    /** The seconds that were counted. */
    var seconds = 0.0
        private set

    /** Counts the time up to a frame of the camera. */
    fun pass(captureTimeUs: Long) {
        lastUs?.let { seconds += (captureTimeUs - it) / 1e6 }
        lastUs = captureTimeUs
    }

    /** Counts a frame that the device sends, or would send if the connection had room. */
    fun count() {
        ready += 1
    }

    /** Leaves out the time up to the next frame, in which the server wants none. */
    fun pause() {
        lastUs = null
    }

    /** Whether the device was ready for fewer than `least` frames a second. */
    fun isBelow(least: Float): Boolean = ready < least * seconds
}

/** Reconnects of a scan; servers allow no more. */
internal const val MOST_RECONNECTS = 10

/** Retries before the server's first answer, so that a wrong address is reported soon. */
internal const val MOST_FIRST_RETRIES = 2

private const val FIRST_MS = 250.0
private const val LONGEST_MS = 8000.0
private const val LONGEST_ASKED_MS = 30_000L

/**
 * The wait before a reconnect, milliseconds.
 *
 * @param reconnect Number of the reconnect since the last result, from 1.
 * @param askedMs The wait that the server asks for.
 * @param random So that devices do not return together.
 */
internal fun backoffMs(reconnect: Int, askedMs: Long, random: Random): Long {
    val own = min(LONGEST_MS, FIRST_MS * 2.0.pow(reconnect - 1)) * (0.5 + random.nextDouble() / 2)
    return max(ceil(own).toLong(), min(askedMs, LONGEST_ASKED_MS))
}

private const val BROADEST_FIELD = 4.0 / 5

/** Width of the field in which a face that fills the smallest oval of a movement is large enough, pixels. */
private const val MOVEMENT_FIELD = 480

/** Shorter side of a frame from which more pixels do not help, pixels; a movement follows finer points. */
private const val USEFUL_SIDE = 480

/** The oval at rest, until the server states one, in fractions of the field. */
private val REST = org.facegate.v1.Oval.newBuilder()
    .setCenterX(0.5f).setCenterY(0.46f).setWidth(0.62f).setHeight(0.66f).build()

/** Width of the field in which ovals are stated: the middle of a frame that is wider than 4:5. */
private val Size.fieldWidth: Double get() = min(width.toDouble(), BROADEST_FIELD * height)

/** Whether a camera's upright frames are large enough to follow the movement of a face. */
internal fun showsMovement(upright: Size): Boolean = upright.fieldWidth >= MOVEMENT_FIELD

/** The shorter side above which a frame is scaled down before it is sent. */
internal fun usefulSide(upright: Size, plan: Plan): Int =
    if (plan == Plan.MOVEMENT) {
        ceil(MOVEMENT_FIELD * min(upright.width, upright.height) / upright.fieldWidth).toInt()
    } else {
        USEFUL_SIDE
    }

/** A part of something; 0 for no number. */
internal fun share(value: Float): Float = if (value.isNaN()) 0f else value.coerceIn(0f, 1f)

private const val LEAST_OVAL = 0.05f

/** The oval of a message, in fractions of the upright frame instead of the field. */
internal fun ovalIn(upright: Size, oval: org.facegate.v1.Oval?): org.facegate.core.Oval {
    val stated = oval ?: REST
    val field = (upright.fieldWidth / upright.width).toFloat()
    return org.facegate.core.Oval(
        centerX = (1 - field) / 2 + share(stated.centerX) * field,
        centerY = share(stated.centerY),
        width = maxOf(LEAST_OVAL, share(stated.width)) * field,
        height = maxOf(LEAST_OVAL, share(stated.height)),
    )
}
