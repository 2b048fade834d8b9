package org.facegate.android.camera

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test

class CameraChoiceTest {
    @Test
    fun `the first front camera with colours is taken, not an infra-red one beside it`() {
        val cameras = listOf(
            camera("0", Direction.BACK),
            camera("1", Direction.FRONT).copy(colourless = true),
            camera("2", Direction.FRONT).copy(takesPictures = false),
            camera("3", Direction.FRONT),
            camera("4", Direction.FRONT),
        )
        assertEquals("3", chooseCamera(cameras, external = false)?.id)
    }

    @Test
    fun `a camera at a cable serves kiosks only, and only without a built-in one`() {
        val kiosk = listOf(camera("0", Direction.BACK), camera("7", Direction.EXTERNAL))
        assertNull(chooseCamera(kiosk, external = false))
        assertEquals("7", chooseCamera(kiosk, external = true)?.id)
        assertEquals("1", chooseCamera(kiosk + camera("1", Direction.FRONT), external = true)?.id)
    }

    @Test
    fun `the smallest size that is enough is taken, in the sensor's shape`() {
        val sizes = sizes("4000x3000 1920x1080 1280x960 960x720 800x600 720x480 640x480 320x240")
        assertEquals(Resolution(640, 480), chooseSize(sizes, lying = false))
        assertEquals(Resolution(800, 600), chooseSize(sizes, lying = true))
    }

    @Test
    fun `a camera without that shape or size gives what it has`() {
        assertEquals(Resolution(1280, 720), chooseSize(sizes("1920x1080 1280x720 320x180"), lying = false))
        assertEquals(Resolution(352, 288), chooseSize(sizes("352x288 320x240 176x144"), lying = false))
        assertNull(chooseSize(emptyList(), lying = false))
    }

    @Test
    fun `the rate may fall in the dark, but not below 15`() {
        assertEquals(RateRange(15, 30), chooseRate(listOf(RateRange(7, 30), RateRange(15, 30), RateRange(30, 30))))
        assertEquals(RateRange(30, 30), chooseRate(listOf(RateRange(7, 30), RateRange(30, 30), RateRange(60, 60))))
        assertEquals(RateRange(15, 24), chooseRate(listOf(RateRange(15, 15), RateRange(15, 24))))
        assertEquals(RateRange(7, 30), chooseRate(listOf(RateRange(7, 30))))
        assertEquals(RateRange(60, 60), chooseRate(listOf(RateRange(60, 60))))
        assertNull(chooseRate(emptyList()))
    }

    private fun sizes(text: String) =
        text.split(' ').map { size -> size.split('x').let { Resolution(it[0].toInt(), it[1].toInt()) } }

    private fun camera(id: String, direction: Direction) = CameraFacts(
        id = id,
        direction = direction,
        sensorTurn = 270,
        hardwareLevel = "LIMITED",
        takesPictures = true,
        colourless = false,
        sizes = listOf(Resolution(640, 480)),
        rates = listOf(RateRange(15, 30)),
        focalLengthsMm = listOf(2.7f),
    )
}
