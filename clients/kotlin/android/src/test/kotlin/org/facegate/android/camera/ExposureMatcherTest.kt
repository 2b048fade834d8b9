package org.facegate.android.camera

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class ExposureMatcherTest {
    private val matcher = ExposureMatcher<String>()
    private val bright = Exposure(timeNs = 10_000_000, iso = 100)

    @Test
    fun `an exposure that comes first waits for its frame`() {
        assertNull(matcher.exposure(1, bright))
        assertEquals(listOf("one" to bright), matcher.frame(1, "one"))
    }

    @Test
    fun `a frame that comes first waits for its exposure`() {
        assertEquals(emptyList<Any>(), matcher.frame(1, "one"))
        assertNull(matcher.exposure(0, Exposure(iso = 7)))
        assertEquals("one" to bright, matcher.exposure(1, bright))
        assertNull(matcher.clear())
    }

    @Test
    fun `a frame without an exposure goes on without one when the next comes, in order`() {
        matcher.frame(1, "one")
        matcher.exposure(2, bright)
        assertEquals(listOf("one" to Exposure(), "two" to bright), matcher.frame(2, "two"))
    }

    @Test
    fun `exposures of lost frames are forgotten, and a frame that waits is given back`() {
        for (time in 1L..100) matcher.exposure(time, bright)
        assertEquals(emptyList<Any>(), matcher.frame(1, "one"))
        assertEquals("one", matcher.clear())
        assertEquals(emptyList<Any>(), matcher.frame(100, "late"))
    }

    @Test
    fun `exposure is held once it settled, a second after the first colour, until the colours are over`() {
        val hold = ExposureHold()
        assertFalse(hold.due(settled = true, nowMs = 0))
        hold.begin(1000)
        hold.begin(1800)
        assertFalse(hold.due(settled = true, nowMs = 1999))
        assertFalse(hold.due(settled = false, nowMs = 2100))
        assertTrue(hold.due(settled = true, nowMs = 2200))
        assertFalse(hold.due(settled = true, nowMs = 2300))
        assertTrue(hold.end())
        assertFalse(hold.end())
        assertFalse(hold.due(settled = true, nowMs = 9000))
    }
}
