package org.facegate.android.picture

import java.awt.image.BufferedImage
import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import javax.imageio.IIOImage
import javax.imageio.ImageIO
import javax.imageio.ImageWriteParam
import kotlin.random.Random
import org.facegate.core.FrameLimits
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class PhoneFrameTest {
    private val returned = mutableListOf<ByteArray>()
    private val limits = FrameLimits(
        maxSide = Int.MAX_VALUE,
        usefulSide = 480,
        maxPixels = Int.MAX_VALUE,
        maxBytes = 524_288,
        minSide = 240,
        shrunk = 0,
    )

    @Test
    fun `a frame is encoded in the size that it states`() {
        for (side in listOf(640, 500, 401, 367, 333)) {
            val made = frame(640, 480).encode(limits.copy(maxSide = side))!!
            val decoded = ImageIO.read(ByteArrayInputStream(made.jpeg))
            assertEquals(decoded.width to decoded.height, made.width to made.height)
            assertTrue(made.width <= side && made.width % 2 == 0 && made.height % 2 == 0)
            assertTrue(minOf(made.width, made.height) >= 240)
        }
    }

    @Test
    fun `a side is never rounded below the least`() {
        val made = frame(642, 482).encode(limits.copy(maxSide = 321, minSide = 241))!!
        assertEquals(242, made.height)
    }

    @Test
    fun `bytes are saved by quality first, then by size, for all frames after it`() {
        val plain = frame(640, 480).encode(limits)!!
        val less = frame(640, 480).encode(limits.copy(maxBytes = plain.jpeg.size * 2 / 3))!!
        assertEquals(640, less.width)
        val small = frame(640, 480).encode(limits.copy(maxBytes = plain.jpeg.size / 5))!!
        assertTrue(small.width < 640 && small.shrunk > 0)
        assertTrue(small.jpeg.size <= plain.jpeg.size / 5)
        assertNull(frame(640, 480).encode(limits.copy(maxBytes = 100)))
    }

    @Test
    fun `a closed frame gives its buffer back once, and cannot be encoded`() {
        val frame = frame(64, 48)
        frame.close()
        frame.close()
        assertEquals(1, returned.size)
        assertThrows(IllegalStateException::class.java) { frame.encode(limits) }
    }

    @Test
    fun `buffers are kept for later frames, but not more than a few`() {
        val pool = BufferPool(2)
        assertNull(pool.take())
        repeat(5) { pool.give(ByteArray(it)) }
        assertEquals(listOf(1, 0, null), List(3) { pool.take()?.size })
    }

    @Test
    fun `a camera's buffers are not mirrored`() = assertFalse(frame(64, 48).mirrored)

    private fun frame(width: Int, height: Int): PhoneFrame {
        val bytes = Random(1).nextBytes(Nv21.size(width, height))
        return PhoneFrame(Nv21(width, height, bytes), 5, 270, null, 0, ::jpeg) { returned += it }
    }

    private fun jpeg(picture: Nv21, quality: Int): ByteArray {
        val image = BufferedImage(picture.width, picture.height, BufferedImage.TYPE_INT_RGB)
        for (y in 0 until picture.height) {
            for (x in 0 until picture.width) {
                val light = picture.bytes[y * picture.width + x].toInt() and 0xff
                image.setRGB(x, y, light * 0x010101)
            }
        }
        val writer = ImageIO.getImageWritersByFormatName("jpeg").next()
        val bytes = ByteArrayOutputStream()
        writer.output = ImageIO.createImageOutputStream(bytes)
        val parameters = writer.defaultWriteParam.apply {
            compressionMode = ImageWriteParam.MODE_EXPLICIT
            compressionQuality = quality / 100f
        }
        writer.write(null, IIOImage(image, null, null), parameters)
        (writer.output as AutoCloseable).close()
        writer.dispose()
        return bytes.toByteArray()
    }
}
