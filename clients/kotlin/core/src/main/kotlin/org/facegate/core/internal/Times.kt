package org.facegate.core.internal

import com.google.protobuf.Duration
import com.google.protobuf.Timestamp

/** No time is further away; so sums of them do not overflow, also as microseconds. */
private const val MOST_SECONDS = 1_000_000_000_000L

/** 0 if it is absent. */
internal val Duration.milliseconds: Long get() = milliseconds(seconds, nanos)

internal val Timestamp.milliseconds: Long get() = milliseconds(seconds, nanos)

private fun milliseconds(seconds: Long, nanos: Int): Long =
    seconds.coerceIn(-MOST_SECONDS, MOST_SECONDS) * 1000 + nanos / 1_000_000
