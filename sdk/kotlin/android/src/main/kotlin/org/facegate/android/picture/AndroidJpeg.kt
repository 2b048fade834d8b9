package org.facegate.android.picture

import android.graphics.ImageFormat
import android.graphics.Rect
import android.graphics.YuvImage
import android.media.Image
import java.io.ByteArrayOutputStream
import java.io.IOException

/** Android's encoder in software, which every phone has. It writes no EXIF. */
internal object AndroidJpeg : JpegMaker {
    override fun make(picture: Nv21, quality: Int): ByteArray {
        val image = YuvImage(picture.bytes, ImageFormat.NV21, picture.width, picture.height, null)
        val jpeg = ByteArrayOutputStream(picture.width * picture.height / 4)
        if (!image.compressToJpeg(Rect(0, 0, picture.width, picture.height), quality, jpeg)) {
            throw IOException("Android cannot encode a picture of ${picture.width} x ${picture.height}")
        }
        return jpeg.toByteArray()
    }
}

/** The planes of a camera's picture, valid until it is closed. */
internal fun Image.yuv(): YuvPicture {
    val (y, u, v) = planes.map { Plane(it.buffer, it.rowStride, it.pixelStride) }
    return YuvPicture(cropRect.run { Area(left, top, width(), height()) }, y, u, v)
}
