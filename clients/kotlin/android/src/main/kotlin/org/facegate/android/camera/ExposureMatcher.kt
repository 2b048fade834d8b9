package org.facegate.android.camera

import org.facegate.v1.ExposureMetadata

/** The exposure of one frame, as Camera2 reports it; 0 for what it does not report. */
internal data class Exposure(
    val timeNs: Long = 0,
    val iso: Int = 0,
    val focusDioptres: Float = 0f,
    val rollingShutterSkewNs: Long = 0,
    val locked: Boolean = false,
    val whiteBalanceLocked: Boolean = false,
)

/** Null if the camera reported nothing of this frame. */
internal fun Exposure.message(): ExposureMetadata? = if (this == Exposure()) {
    null
} else {
    ExposureMetadata.newBuilder()
        .setExposureTimeNs(timeNs)
        .setIso(iso)
        .setFocusDiopters(focusDioptres)
        .setRollingShutterSkewNs(rollingShutterSkewNs)
        .setExposureLocked(locked)
        .setWhiteBalanceLocked(whiteBalanceLocked)
        .build()
}

/**
 * Brings frames and their exposures together, which come from two callbacks in any order. A frame waits for its exposure
 * until the next frame comes, and then goes without: an exposure of another frame would count as a forgery.
 */
internal class ExposureMatcher<F : Any> {
    private val exposures = LinkedHashMap<Long, Exposure>()
    private var waiting: Pair<Long, F>? = null

    /** A frame came. Returns the frames that can go on, in their order. */
    fun frame(timestampNs: Long, frame: F): List<Pair<F, Exposure>> {
        val before = waiting?.let { (_, earlier) -> earlier to Exposure() }
        waiting = null
        val exposure = exposures.remove(timestampNs)
        if (exposure == null) waiting = timestampNs to frame
        return listOfNotNull(before, exposure?.let { frame to it })
    }

    /** An exposure came. Returns the frame that waited for it. */
    fun exposure(timestampNs: Long, exposure: Exposure): Pair<F, Exposure>? {
        val (timestamp, frame) = waiting ?: (null to null)
        if (frame != null && timestamp == timestampNs) {
            waiting = null
            return frame to exposure
        }
        exposures[timestampNs] = exposure
        if (exposures.size > KEPT) exposures.remove(exposures.keys.first())
        return null
    }

    /** Forgets everything; returns the frame that waited, which has to be released. */
    fun clear(): F? {
        exposures.clear()
        return waiting?.second.also { waiting = null }
    }

    private companion object {
        /** Exposures of frames that were dropped never meet theirs. */
        const val KEPT = 16
    }
}

/** When the camera's exposure is held: during colours, after it could settle under the first one, a grey. */
internal class ExposureHold {
    private var sinceMs: Long? = null
    private var held = false

    /** A colour is on the screen. */
    fun begin(nowMs: Long) {
        if (sinceMs == null) sinceMs = nowMs
    }

    /** Whether to hold it from now on, as a frame came whose exposure is [settled]. */
    fun due(settled: Boolean, nowMs: Long): Boolean {
        val since = sinceMs ?: return false
        if (held || !settled || nowMs - since < SETTLE_MS) return false
        held = true
        return true
    }

    /** The colours are over. Returns whether it was held. */
    fun end(): Boolean = held.also {
        held = false
        sinceMs = null
    }

    private companion object {
        const val SETTLE_MS = 1000L
    }
}
