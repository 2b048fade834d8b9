package org.facegate.android.camera

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class CaptureClockTest {
    /** The phone slept for an hour since its boot. */
    private val monotonic = 7_200_000_000_000
    private val boot = monotonic + 3_600_000_000_000
    private val age = 30_000_000

    @Test
    fun `the clock is the one that the time stamps are on`() {
        assertEquals(CaptureClock.BOOT, CaptureClock.of(true, boot - age, monotonic, boot))
        assertEquals(CaptureClock.MONOTONIC, CaptureClock.of(false, monotonic - age, monotonic, boot))
        // Cameras that state the one and use the other.
        assertEquals(CaptureClock.MONOTONIC, CaptureClock.of(true, monotonic - age, monotonic, boot))
        assertEquals(CaptureClock.BOOT, CaptureClock.of(false, boot - age, monotonic, boot))
        assertEquals(CaptureClock.ARRIVAL, CaptureClock.of(false, 5, monotonic, boot))
    }

    @Test
    fun `times of the screen are on the camera's clock`() {
        val shown = monotonic + 16_000_000
        assertEquals(shown / 1000, CaptureClock.MONOTONIC.ofScreenUs(shown, monotonic, boot))
        assertEquals((boot + 16_000_000) / 1000, CaptureClock.BOOT.ofScreenUs(shown, monotonic, boot))
        assertEquals(shown / 1000, CaptureClock.ARRIVAL.ofScreenUs(shown, monotonic, boot))
    }

    @Test
    fun `without a clock to compare with, a frame has the time at which it came`() {
        assertEquals(5, CaptureClock.BOOT.captureUs(5_000, 9_000))
        assertEquals(9, CaptureClock.ARRIVAL.captureUs(5_000, 9_000))
    }
}
