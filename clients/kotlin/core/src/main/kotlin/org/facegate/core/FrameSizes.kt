package org.facegate.core

import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min
import kotlin.math.pow
import kotlin.math.sqrt

private val QUALITIES = intArrayOf(85, 70, 55, 40)
private const val SHRINK = 0.8

/** The sizes and qualities with which a frame is made small enough. */
public object FrameSizes {
    /**
     * Makes a JPEG within limits: the picture is scaled down to the longest side, then compressed more, then scaled
     * down further.
     *
     * @param size Of the picture.
     * @param jpeg Makes a JPEG of a size, and of a quality of 1 to 100.
     * @return Null if no quality makes it small enough.
     */
    public fun encode(size: Size, limits: FrameLimits, jpeg: (Size, Int) -> ByteArray): EncodedFrame? {
        val shorter = min(size.width, size.height)
        val longer = max(size.width, size.height)
        val least = min(limits.minSide, shorter)
        val within = minOf(
            1.0,
            limits.usefulSide.toDouble() / shorter,
            limits.maxSide.toDouble() / longer,
            sqrt(limits.maxPixels.toDouble() / (size.width.toLong() * size.height)),
        )
        // A frame in another format than 4:3 may have a shorter side that is too short.
        val first = min(1.0, max(within, least.toDouble() / shorter))
        var shrunk = limits.shrunk
        while (true) {
            val scale = first * SHRINK.pow(shrunk)
            val scaled = Size(floor(size.width * scale).toInt(), floor(size.height * scale).toInt())
            if (min(scaled.width, scaled.height) < least) return null
            for (quality in QUALITIES) {
                val made = jpeg(scaled, quality)
                if (made.size <= limits.maxBytes) return EncodedFrame(made, scaled.width, scaled.height, shrunk)
            }
            shrunk += 1
        }
    }
}
