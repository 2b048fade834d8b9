package org.facegate.android.camera

/** The exposure of one frame, as Camera2 reports it; 0 for what it does not report. */
internal data class Exposure(
    val timeNs: Long = 0,
    val iso: Int = 0,
    val focusDioptres: Float = 0f,
    val rollingShutterSkewNs: Long = 0,
    val locked: Boolean = false,
    val whiteBalanceLocked: Boolean = false,
)

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
