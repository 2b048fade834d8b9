package org.facegate.android.camera

/** The clocks of Android that time stamps of cameras are on, and moments on both, nanoseconds. */
internal data class Moment(
    /** `System.nanoTime`: the screen's clock, which stands still while the phone sleeps deeply. */
    val monotonicNs: Long,
    /** `SystemClock.elapsedRealtimeNanos`: goes on. */
    val bootNs: Long,
)

/** The clock of a scan: the one that its camera states to use, `SENSOR_INFO_TIMESTAMP_SOURCE`. */
internal enum class CaptureClock(
    /** `CameraProfile.timestamp_source`. */
    val source: String,
) {
    BOOT("boottime"),
    MONOTONIC("monotonic");

    fun at(moment: Moment): Long = if (this == BOOT) moment.bootNs else moment.monotonicNs

    /** A time of the screen on this clock. */
    fun ofScreen(screenNs: Long, now: Moment): Long = screenNs - now.monotonicNs + at(now)

    /**
     * What to add to the time stamps of a camera whose frame came now: 0, or the distance of the two clocks if the camera
     * uses another than it states. Null if its time stamps are on neither; then frames have the time at which they came,
     * which the protocol accepts.
     */
    fun correction(timestampNs: Long, now: Moment): Long? {
        val other = if (this == BOOT) MONOTONIC else BOOT
        return when {
            at(now) - timestampNs in 0..LATEST_NS -> 0
            other.at(now) - timestampNs in 0..LATEST_NS -> at(now) - other.at(now)
            else -> null
        }
    }

    private companion object {
        /** A frame reaches the app within this time. */
        const val LATEST_NS = 1_000_000_000L
    }
}
