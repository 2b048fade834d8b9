package org.facegate.android.picture

import java.nio.ByteBuffer
import kotlin.random.Random
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertSame
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class YuvTest {
    @Test
    fun `planes with padded rows become one picture`() {
        val picture = picture(6, 4, rowPadding = 10, pixelStride = 1)
        assertEquals(expected(0, 0, 6, 4), picture.toNv21().bytes.toList())
    }

    @Test
    fun `chroma samples that lie apart are found, though the last row ends early`() {
        // As phones give it: V and U interleaved in one buffer, without padding behind the last sample.
        val picture = picture(6, 4, rowPadding = 2, pixelStride = 2)
        assertEquals(expected(0, 0, 6, 4), picture.toNv21().bytes.toList())
    }

    @Test
    fun `the valid part is cut out, from an even pixel, without an odd row or column`() {
        val picture = picture(10, 8, rowPadding = 0, pixelStride = 2, area = Area(3, 2, 5, 5))
        val cut = picture.toNv21()
        assertEquals(4 to 4, cut.width to cut.height)
        assertEquals(expected(2, 2, 4, 4), cut.bytes.toList())
    }

    @Test
    fun `a buffer is used again if it is large enough`() {
        val buffer = ByteArray(100)
        assertSame(buffer, picture(6, 4, 0, 1).toNv21(buffer).bytes)
        assertEquals(36, picture(6, 4, 0, 1).toNv21(ByteArray(10)).bytes.size)
    }

    @Test
    fun `the position of the camera's buffers is not changed`() {
        val picture = picture(6, 4, 4, 2)
        picture.toNv21()
        assertEquals(0, picture.y.bytes.position())
        assertArrayEquals(picture.toNv21().bytes, picture.toNv21().bytes)
    }

    @Test
    fun `a covered camera is black, a dark room is not`() {
        val covered = Nv21(64, 48, ByteArray(Nv21.size(64, 48)) { if (it < 64 * 48) (it % 7).toByte() else 127 })
        assertTrue(covered.isBlack())
        val dark = covered.bytes.copyOf().also { bytes -> for (index in 0 until 64 * 24) bytes[index] = 20 }
        assertFalse(Nv21(64, 48, dark).isBlack())
    }

    private val luma = { x: Int, y: Int -> (16 * y + x).toByte() }
    private val blue = { x: Int, y: Int -> (100 + 16 * y + x).toByte() }
    private val red = { x: Int, y: Int -> (180 + 8 * y + x).toByte() }

    private fun picture(width: Int, height: Int, rowPadding: Int, pixelStride: Int, area: Area = Area(0, 0, width, height)) =
        YuvPicture(
            area,
            plane(width, height, rowPadding, 1, luma),
            plane(width / 2, height / 2, rowPadding, pixelStride, blue),
            plane(width / 2, height / 2, rowPadding, pixelStride, red),
        )

    private fun plane(width: Int, height: Int, padding: Int, pixelStride: Int, value: (Int, Int) -> Byte): Plane {
        val rowStride = width * pixelStride + padding
        val bytes = Random(7).nextBytes((height - 1) * rowStride + (width - 1) * pixelStride + 1)
        for (y in 0 until height) for (x in 0 until width) bytes[y * rowStride + x * pixelStride] = value(x, y)
        return Plane(ByteBuffer.allocateDirect(bytes.size).put(bytes).also { it.rewind() }, rowStride, pixelStride)
    }

    private fun expected(left: Int, top: Int, width: Int, height: Int): List<Byte> = buildList {
        for (y in 0 until height) for (x in 0 until width) add(luma(left + x, top + y))
        for (y in 0 until height / 2) {
            for (x in 0 until width / 2) {
                add(red(left / 2 + x, top / 2 + y))
                add(blue(left / 2 + x, top / 2 + y))
            }
        }
    }
}
