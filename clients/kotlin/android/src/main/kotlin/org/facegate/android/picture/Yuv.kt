package org.facegate.android.picture

import java.nio.Buffer
import java.nio.ByteBuffer

/** A plane of a YUV 4:2:0 picture, as Camera2 gives it. Its last row may be shorter than [rowStride]. */
internal class Plane(val bytes: ByteBuffer, val rowStride: Int, val pixelStride: Int)

/** The valid part of a picture, pixels. */
internal class Area(val left: Int, val top: Int, val width: Int, val height: Int)

/** A picture whose planes belong to the camera, and are valid until it is closed. */
internal class YuvPicture(val area: Area, val y: Plane, val u: Plane, val v: Plane)

/** A picture of its own: all of Y, then V and U in turns. Width and height are even. */
internal class Nv21(val width: Int, val height: Int, val bytes: ByteArray) {
    init {
        require(width > 0 && height > 0 && width % 2 == 0 && height % 2 == 0) { "$width x $height is not even" }
        require(bytes.size >= size(width, height)) { "${bytes.size} bytes are too few" }
    }

    companion object {
        /** Bytes of a picture. */
        fun size(width: Int, height: Int): Int = width * height * 3 / 2
    }
}

/** Copies the valid part, without an odd last row or column. [reuse] is taken if it is large enough. */
internal fun YuvPicture.toNv21(reuse: ByteArray? = null): Nv21 {
    // Chroma samples cover two pixels each.
    val left = area.left and 1.inv()
    val top = area.top and 1.inv()
    val width = area.width and 1.inv()
    val height = area.height and 1.inv()
    val size = Nv21.size(width, height)
    val into = if (reuse != null && reuse.size >= size) reuse else ByteArray(size)
    y.copy(left, top, width, height, into, 0, 1)
    v.copy(left / 2, top / 2, width / 2, height / 2, into, width * height, 2)
    u.copy(left / 2, top / 2, width / 2, height / 2, into, width * height + 1, 2)
    return Nv21(width, height, into)
}

private fun Plane.copy(left: Int, top: Int, width: Int, height: Int, into: ByteArray, from: Int, step: Int) {
    val source = bytes.duplicate()
    val row = ByteArray((width - 1) * pixelStride + 1)
    var to = from
    for (line in 0 until height) {
        // As a Buffer: the method of ByteBuffer itself is newer than Android 8.
        (source as Buffer).position((top + line) * rowStride + left * pixelStride)
        if (step == 1 && pixelStride == 1) {
            source.get(into, to, width)
            to += width
            continue
        }
        source.get(row)
        for (column in 0 until width) {
            into[to] = row[column * pixelStride]
            to += step
        }
    }
}

private const val BLACK = 24
private const val BLACK_SPREAD = 8
private const val SAMPLES = 32

/** Whether nothing is to be seen, as with a closed cover or a camera that a switch turned off: no room is that dark. */
internal fun Nv21.isBlack(): Boolean {
    var darkest = 255
    var brightest = 0
    for (line in 0 until SAMPLES) {
        val row = (height * line / SAMPLES) * width
        for (column in 0 until SAMPLES) {
            val light = bytes[row + width * column / SAMPLES].toInt() and 0xff
            darkest = minOf(darkest, light)
            brightest = maxOf(brightest, light)
        }
    }
    return brightest <= BLACK && brightest - darkest <= BLACK_SPREAD
}
