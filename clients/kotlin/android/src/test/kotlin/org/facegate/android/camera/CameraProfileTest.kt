package org.facegate.android.camera

import org.facegate.v1.CameraFacing
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test

class CameraProfileTest {
    private val camera = CameraFacts(
        id = "1",
        direction = Direction.FRONT,
        sensorTurn = 270,
        hardwareLevel = "LEVEL_3",
        takesPictures = true,
        colourless = false,
        sizes = emptyList(),
        rates = emptyList(),
        focalLengthsMm = List(9) { 2.5f },
        label = "é".repeat(200),
    )

    @Test
    fun `a camera is described in Android's words, within the protocol's limits`() {
        val profile = profileOf(camera, Resolution(640, 480), RateRange(15, 30), "boottime")
        assertEquals(CameraFacing.CAMERA_FACING_FRONT, profile.facing)
        assertEquals(640 to 480, profile.width to profile.height)
        assertEquals(30f, profile.framesPerSecond)
        assertEquals(270, profile.sensorOrientationDegrees)
        assertEquals("LEVEL_3", profile.hardwareLevel)
        assertEquals("boottime", profile.timestampSource)
        assertEquals(8, profile.focalLengthsMmCount)
        assertEquals(256, profile.label.toByteArray().size)
    }

    @Test
    fun `a text is cut between its characters`() {
        assertEquals("ab", atMost("abc", 2))
        assertEquals("aé", atMost("aéé", 4))
        assertEquals("", atMost("\uD83D\uDE00", 3))
        assertEquals("\uD83D\uDE00", atMost("\uD83D\uDE00x", 4))
        assertEquals("√", atMost("√√", 5))
    }

    @Test
    fun `an exposure is stated as it was, and not at all if nothing is known`() {
        assertNull(Exposure().message())
        val message = Exposure(timeNs = 8_000_000, iso = 200, rollingShutterSkewNs = 9, locked = true).message()!!
        assertEquals(8_000_000, message.exposureTimeNs)
        assertEquals(200, message.iso)
        assertEquals(9, message.rollingShutterSkewNs)
        assertEquals(true, message.exposureLocked)
    }
}
