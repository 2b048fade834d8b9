package org.facegate.core.internal

import com.google.protobuf.Duration
import com.google.protobuf.Timestamp

/** 0 if it is absent. */
internal val Duration.milliseconds: Long get() = seconds * 1000 + nanos / 1_000_000

internal val Timestamp.milliseconds: Long get() = seconds * 1000 + nanos / 1_000_000
