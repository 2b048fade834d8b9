package org.facegate.android.evidence

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class NameListsTest {
    private val lists = NameLists.packaged()

    @Test
    fun `the server's own lists are packaged, and find emulators`() {
        assertEquals("sdk gphone", lists.emulatorIn("sdk_gphone64_x86_64"))
        assertEquals("ranchu", lists.emulatorIn("ranchu"))
        assertEquals("genymotion", lists.emulatorIn("Genymotion"))
        assertEquals("android sdk built for", lists.emulatorIn("Android SDK built for x86"))
    }

    @Test
    fun `real phones have no such name`() {
        for (name in listOf("Pixel 9 Pro", "SM-S921B", "samsung/e1sxxx/e1s:15/AP3A:user/release-keys", "Nokia X10", "Nothing Phone (2a)", "qcom", "exynos2400", "")) {
            assertNull(lists.emulatorIn(name), name)
        }
    }

    @Test
    fun `virtual and emulated cameras are found`() {
        assertTrue(lists.isUnreal("OBS Virtual Camera"))
        assertTrue(lists.isUnreal("VCamera 2"))
        assertTrue(lists.isUnreal("virtualscene"))
        assertTrue(lists.isUnreal("webcam0"))
        for (real in listOf("0", "1", "Camouflage", "", "IMX586 rev 2")) assertFalse(lists.isUnreal(real), real)
    }

    @Test
    fun `a name is a run of whole words, or written as one word, or begins with a starred one`() {
        val some = NameLists.parse(
            """
            [camera] # a comment
            hard = [
              "obs camera", "vcam*",
              # "not this",
            ]
            [emulator]
            hard = ["nox"]
            camera_ids = ["webcam0"]
            """.trimIndent(),
        )
        for (found in listOf("OBS Camera", "obs-camera2", "OBSCamera", "my VCamSample")) assertTrue(some.isUnreal(found), found)
        for (other in listOf("jobs camera", "obs", "not this", "camera obs", "V5 Cam")) assertFalse(some.isUnreal(other), other)
        assertNull(some.emulatorIn("equinox"))
    }
}
