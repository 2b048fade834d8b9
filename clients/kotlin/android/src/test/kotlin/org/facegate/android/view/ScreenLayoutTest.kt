package org.facegate.android.view

import org.facegate.core.Oval
import org.facegate.core.Size
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class ScreenLayoutTest {
    private val upright = Size(480, 640)
    private val lying = Size(800, 600)

    @Test
    fun `the whole picture is shown, in the middle`() {
        assertEquals(Place(0f, 480f, 1080f, 1920f), stage(1080f, 2400f, upright))
        assertEquals(Place(480f, 0f, 1920f, 1080f), stage(2400f, 1080f, lying))
        // A foldable's inner screen.
        assertEquals(Place(150f, 0f, 1650f, 2000f), stage(1800f, 2000f, upright))
    }

    @Test
    fun `an oval is where the server means it, mirrored`() {
        val place = Place(0f, 100f, 480f, 740f).around(Oval(0.25f, 0.5f, 0.5f, 0.5f))
        assertEquals(Place(240f, 260f, 480f, 580f), place)
    }

    @Test
    fun `in a broad picture ovals are in fractions of its middle`() {
        // The field of 800 x 600 is 480 wide.
        val middle = Place(0f, 0f, 800f, 600f).around(Oval(0.5f, 0.5f, 0.5f, 0.6f))
        assertEquals(Place(280f, 120f, 520f, 480f), middle)
        val side = Place(0f, 0f, 800f, 600f).around(Oval(0f, 0.5f, 0f, 0f))
        assertEquals(640f, side.left)
    }

    @Test
    fun `an oval moves in a straight line`() {
        val from = Place(0f, 0f, 10f, 20f)
        val to = Place(10f, 20f, 40f, 60f)
        assertEquals(from, from.towards(to, 0f))
        assertEquals(Place(5f, 10f, 25f, 40f), from.towards(to, 0.5f))
        assertEquals(to, from.towards(to, 1f))
    }

    @Test
    fun `on a low and broad screen the texts stand beside the oval`() {
        assertTrue(standsBeside(800f, 360f))
        assertFalse(standsBeside(360f, 800f))
        assertFalse(standsBeside(1280f, 800f))
        assertFalse(standsBeside(500f, 400f))
    }
}
