package org.facegate.android.camera

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test

class CaptureClockTest {
    /** The phone slept for an hour since its boot. */
    private val hour = 3_600_000_000_000
    private val now = Moment(monotonicNs = 2 * hour, bootNs = 3 * hour)
    private val age = 30_000_000

    @Test
    fun `a camera on the clock that it states needs no correction`() {
        assertEquals(0, CaptureClock.BOOT.correction(now.bootNs - age, now))
        assertEquals(0, CaptureClock.MONOTONIC.correction(now.monotonicNs - age, now))
    }

    @Test
    fun `a camera on the other clock is corrected by the distance`() {
        assertEquals(hour, CaptureClock.BOOT.correction(now.monotonicNs - age, now))
        assertEquals(-hour, CaptureClock.MONOTONIC.correction(now.bootNs - age, now))
    }

    @Test
    fun `a camera on a clock of its own has no time stamps of use`() {
        assertNull(CaptureClock.BOOT.correction(5, now))
        assertNull(CaptureClock.MONOTONIC.correction(now.monotonicNs + 5, now))
    }

    @Test
    fun `times of the screen are on the scan's clock`() {
        val shown = now.monotonicNs + 16_000_000
        assertEquals(shown, CaptureClock.MONOTONIC.ofScreen(shown, now))
        assertEquals(now.bootNs + 16_000_000, CaptureClock.BOOT.ofScreen(shown, now))
    }
}
