package org.facegate.android.picture

import kotlin.math.abs
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertSame
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class ScalingTest {
    @Test
    fun `a picture of one colour keeps it`() {
        val picture = picture(640, 480) { _, _ -> Triple(200, 90, 160) }
        for ((width, height) in listOf(512 to 384, 320 to 240, 306 to 230, 160 to 120, 640 to 240)) {
            val scaled = picture.scaledTo(width, height)
            assertEquals(width to height, scaled.width to scaled.height)
            assertTrue(scaled.bytes.take(width * height).all { it == 200.toByte() })
            assertTrue((width * height until Nv21.size(width, height) step 2).all { scaled.bytes[it] == 160.toByte() })
            assertTrue((width * height + 1 until Nv21.size(width, height) step 2).all { scaled.bytes[it] == 90.toByte() })
        }
    }

    @Test
    fun `a slope keeps its place at any scale`() {
        val picture = picture(640, 480) { x, y -> Triple(x * 255 / 639, y * 255 / 479, x * 255 / 639) }
        for ((width, height) in listOf(512 to 384, 320 to 240, 250 to 188, 130 to 98)) {
            val scaled = picture.scaledTo(width, height)
            for (y in 0 until height step 7) {
                for (x in 0 until width step 7) {
                    val wanted = (x + 0.5) / width * 255
                    assertTrue(abs((scaled.bytes[y * width + x].toInt() and 0xff) - wanted) < 2, "$width: $x, $y")
                }
            }
            val blue = scaled.bytes[width * height + (height / 4) * width + 1].toInt() and 0xff
            assertTrue(abs(blue - 127) < 4, "$width: $blue")
        }
    }

    @Test
    fun `fine patterns become their mean and not some of their pixels`() {
        val picture = picture(640, 480) { x, y -> Triple(if ((x + y) % 2 == 0) 0 else 255, 128, 128) }
        val scaled = picture.scaledTo(160, 120)
        assertTrue(scaled.bytes.take(160 * 120).all { abs((it.toInt() and 0xff) - 128) <= 1 })
    }

    @Test
    fun `the same size is the same picture, and none is enlarged`() {
        val picture = picture(64, 48) { _, _ -> Triple(1, 2, 3) }
        assertSame(picture, picture.scaledTo(64, 48))
        assertThrows(IllegalArgumentException::class.java) { picture.scaledTo(66, 48) }
    }

    private fun picture(width: Int, height: Int, colour: (Int, Int) -> Triple<Int, Int, Int>): Nv21 {
        val bytes = ByteArray(Nv21.size(width, height))
        for (y in 0 until height) for (x in 0 until width) bytes[y * width + x] = colour(x, y).first.toByte()
        for (y in 0 until height / 2) {
            for (x in 0 until width / 2) {
                val (_, blue, red) = colour(2 * x, 2 * y)
                bytes[width * height + y * width + 2 * x] = red.toByte()
                bytes[width * height + y * width + 2 * x + 1] = blue.toByte()
            }
        }
        return Nv21(width, height, bytes)
    }
}
