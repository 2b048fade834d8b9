package org.facegate.android.camera

import kotlin.random.Random
import org.facegate.android.camera.CameraTask.Close
import org.facegate.android.camera.CameraTask.Configure
import org.facegate.android.camera.CameraTask.Failed
import org.facegate.android.camera.CameraTask.Open
import org.facegate.android.camera.CameraTask.Started
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class CameraMachineTest {
    private val machine = CameraMachine()

    @Test
    fun `a camera that opens, gives pictures and closes`() {
        assertEquals(listOf(Open(1)), machine.open(0))
        assertEquals(listOf(Configure(1)), machine.opened(1, 100))
        assertEquals(emptyList<CameraTask>(), machine.configured(1))
        assertEquals(listOf(Started), machine.picture(1, black = false, 300))
        assertEquals(emptyList<CameraTask>(), machine.picture(1, black = false, 330))
        assertEquals(listOf(Close(1)), machine.close(400))
        assertTrue(machine.atRest)
        assertEquals(emptyList<CameraTask>(), machine.closed(1, 450))
        assertNull(machine.deadlineMs)
    }

    @Test
    fun `a camera that is closed while it opens is closed as soon as it is open`() {
        machine.open(0)
        assertEquals(listOf(Close(1)), machine.close(50))
        assertEquals(listOf(Close(1)), machine.opened(1, 200))
    }

    @Test
    fun `a camera is opened again only when the earlier one is closed`() {
        start()
        machine.close(1000)
        assertEquals(emptyList<CameraTask>(), machine.open(1010))
        assertEquals(listOf(Open(2)), machine.closed(1, 1100))
        // A late answer of the first opening changes nothing.
        assertEquals(listOf(Close(1)), machine.opened(1, 1200))
        assertEquals(listOf(Configure(2)), machine.opened(2, 1300))
    }

    @Test
    fun `a camera that never answers its closing is given up`() {
        start()
        machine.close(1000)
        machine.open(1010)
        assertEquals(listOf(Open(2)), machine.tick(1000 + CameraMachine.CLOSE_MS))
    }

    @Test
    fun `a camera that is in use is tried again, and then reported`() {
        machine.open(0)
        var now = 10L
        for (number in 1 until CameraMachine.TRIES) {
            assertEquals(listOf(Close(number)), machine.failed(number, Trouble.BUSY, now))
            now += CameraMachine.RETRY_MS * number
            assertEquals(listOf(Open(number + 1)), machine.tick(now))
        }
        val last = CameraMachine.TRIES
        assertEquals(listOf(Close(last), Failed(Trouble.BUSY)), machine.failed(last, Trouble.BUSY, now))
        assertTrue(now < CameraMachine.START_MS)
    }

    @Test
    fun `a forbidden camera is not tried again`() {
        machine.open(0)
        assertEquals(listOf(Close(1), Failed(Trouble.DENIED)), machine.failed(1, Trouble.DENIED, 10))
    }

    @Test
    fun `a covered camera is reported as one without a picture`() {
        machine.open(0)
        machine.opened(1, 100)
        machine.configured(1)
        for (now in 200L until CameraMachine.START_MS step 33) {
            assertEquals(emptyList<CameraTask>(), machine.picture(1, black = true, now) + machine.tick(now))
        }
        assertEquals(listOf(Close(1), Failed(Trouble.NO_PICTURE)), machine.tick(CameraMachine.START_MS))
    }

    @Test
    fun `a running camera that another app takes is lost at once`() {
        start()
        assertEquals(listOf(Close(1), Failed(Trouble.BUSY)), machine.failed(1, Trouble.BUSY, 900))
    }

    @Test
    fun `a running camera that falls silent or dark is lost within three seconds`() {
        start()
        machine.picture(1, black = false, 1000)
        machine.picture(1, black = true, 2000)
        assertEquals(listOf(Close(1), Failed(Trouble.NO_PICTURE)), machine.tick(1000 + CameraMachine.GAP_MS))
        assertTrue(CameraMachine.GAP_MS < 3000)
    }

    @Test
    fun `whatever happens, a scan hears of its camera in time and every camera is closed`() {
        repeat(3000) { seed -> World(Random(seed)).live() }
    }

    private fun start() {
        machine.open(0)
        machine.opened(1, 100)
        machine.configured(1)
        machine.picture(1, black = false, 200)
    }

    /** A camera service that answers at any time, any number of times, or not at all. */
    private class World(private val random: Random) {
        private val machine = CameraMachine()
        private var now = 0L
        private val opened = mutableSetOf<Int>()
        private val open = mutableSetOf<Int>()
        private var asked: Long? = null

        fun live() {
            repeat(200) {
                now += random.nextLong(0, 400)
                machine.deadlineMs?.let { if (it <= now) act(machine.tick(now)) }
                val number = (opened.maxOrNull() ?: 0) - if (random.nextInt(6) == 0) 1 else 0
                when (random.nextInt(9)) {
                    0 -> {
                        if (machine.atRest) asked = now
                        act(machine.open(now))
                    }
                    1 -> {
                        asked = null
                        act(machine.close(now))
                    }
                    2, 3 -> {
                        if (number in opened) open += number
                        act(machine.opened(number, now))
                    }
                    4 -> act(machine.configured(number))
                    5, 6 -> act(machine.picture(number, random.nextInt(4) == 0, now))
                    7 -> {
                        open -= number
                        act(machine.failed(number, Trouble.entries.random(random), now))
                    }
                    8 -> {
                        open -= number
                        act(machine.closed(number, now))
                    }
                }
                asked?.let { assertTrue(now - it <= LONGEST_MS, "nothing was heard for ${now - it} ms") }
                if (!machine.atRest) assertNotNull(machine.deadlineMs)
            }
            act(machine.close(now))
            while (true) {
                now = machine.deadlineMs ?: break
                act(machine.tick(now))
            }
            for (number in opened.toList()) act(machine.opened(number, now))
            assertTrue(open.isEmpty(), "$open stay open")
        }

        private fun act(tasks: List<CameraTask>) {
            for (task in tasks) {
                when (task) {
                    is Open -> {
                        assertFalse(open.any { it == task.number })
                        opened += task.number
                    }
                    is Configure -> assertTrue(task.number in opened)
                    is Close -> open -= task.number
                    Started, is Failed -> asked = null
                }
            }
        }

        private companion object {
            /** The closing of an earlier camera, the start, and a tick that comes late. */
            const val LONGEST_MS = CameraMachine.CLOSE_MS + CameraMachine.START_MS + 800
        }
    }
}
