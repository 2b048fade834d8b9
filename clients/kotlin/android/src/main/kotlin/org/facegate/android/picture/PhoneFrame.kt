package org.facegate.android.picture

import org.facegate.core.CapturedFrame
import org.facegate.core.EncodedFrame
import org.facegate.core.FrameLimits
import org.facegate.core.FrameSizes
import org.facegate.core.Size
import org.facegate.v1.ExposureMetadata

/** Makes a baseline JPEG, without EXIF, of a quality of 1 to 100. */
internal fun interface JpegMaker {
    fun make(picture: Nv21, quality: Int): ByteArray
}

/** A frame of its own, in the sensor's orientation. */
internal class PhoneFrame(
    private val picture: Nv21,
    override val captureTimeUs: Long,
    override val rotationDegrees: Int,
    override val exposure: ExposureMetadata?,
    override val lost: Int,
    private val jpeg: JpegMaker,
    private val release: (ByteArray) -> Unit,
) : CapturedFrame {
    private var closed = false
    override val size: Size get() = Size(picture.width, picture.height)

    /** Android mirrors the preview of a front camera, and never the buffers that an app reads. */
    override val mirrored: Boolean get() = false

    override fun encode(limits: FrameLimits): EncodedFrame? {
        check(!closed) { "the frame was closed" }
        var scaled = picture
        val made = FrameSizes.encode(size, limits) { asked, quality ->
            val (width, height) = evenSize(asked, limits.minSide)
            if (scaled.width != width || scaled.height != height) scaled = picture.scaledTo(width, height)
            jpeg.make(scaled, quality)
        }
        return made?.let { EncodedFrame(it.jpeg, scaled.width, scaled.height, it.shrunk) }
    }

    override fun close() {
        if (closed) return
        closed = true
        release(picture.bytes)
    }
}

/** Chroma samples cover two pixels each, so that a side is even; it is rounded down if that is not too short. */
private fun evenSize(size: Size, least: Int): Size {
    fun even(side: Int) = (side and 1.inv()).let { if (it < least) it + 2 else it }
    return if (size.width % 2 == 0 && size.height % 2 == 0) size else Size(even(size.width), even(size.height))
}

/** Buffers of frames that were closed, for later ones. */
internal class BufferPool(private val most: Int) {
    private val free = ArrayDeque<ByteArray>()

    @Synchronized
    fun take(): ByteArray? = free.removeLastOrNull()

    @Synchronized
    fun give(buffer: ByteArray) {
        if (free.size < most) free += buffer
    }
}
