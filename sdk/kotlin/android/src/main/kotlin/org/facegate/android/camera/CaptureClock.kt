package org.facegate.android.camera

/**
 * The clock of a camera's time stamps. Camera2 states whether they count from the boot (`elapsedRealtimeNanos`, with deep
 * sleep); the others are on the clock of the screen (`System.nanoTime`, without), or, on some phones, on a clock of their
 * own, which nothing else can be compared with.
 */
internal enum class CaptureClock(
    /** `CameraProfile.timestamp_source`. */
    val source: String,
) {
    BOOT("boottime"),
    MONOTONIC("monotonic"),
    /** The time at which the app gets the frame, which the protocol also accepts. */
    ARRIVAL("unknown");

    /** The time of a frame, microseconds. */
    fun captureUs(timestampNs: Long, arrivalNs: Long): Long =
        (if (this == ARRIVAL) arrivalNs else timestampNs) / NS_IN_US

    /** A time of the screen, on this clock, microseconds. */
    fun ofScreenUs(screenNs: Long, monotonicNs: Long, bootNs: Long): Long =
        (if (this == BOOT) screenNs - monotonicNs + bootNs else screenNs) / NS_IN_US

    companion object {
        private const val NS_IN_US = 1000L
        /** A frame reaches the app within this time, nanoseconds. */
        private const val LATEST_NS = 1_000_000_000L

        /** The clock of a frame that came now, if its camera states [realTime]. */
        fun of(realTime: Boolean, timestampNs: Long, monotonicNs: Long, bootNs: Long): CaptureClock = when {
            realTime && bootNs - timestampNs in 0..LATEST_NS -> BOOT
            monotonicNs - timestampNs in 0..LATEST_NS -> MONOTONIC
            bootNs - timestampNs in 0..LATEST_NS -> BOOT
            else -> ARRIVAL
        }
    }
}
