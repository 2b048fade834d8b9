package org.facegate.android.view

import java.io.IOException
import java.util.concurrent.CancellationException
import kotlin.random.Random
import org.facegate.android.FacegateResult
import org.facegate.core.AttemptResult
import org.facegate.core.CameraException
import org.facegate.core.CameraProblem
import org.facegate.core.Interruption
import org.facegate.core.Oval
import org.facegate.core.Plan
import org.facegate.core.ScanOutcome
import org.facegate.core.ScanState
import org.facegate.core.ScanStatus
import org.facegate.core.Texts
import org.facegate.core.UnsupportedDeviceException
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class ScanFlowTest {
    private val texts = Texts.of("en")
    private val oval = Oval(0.5f, 0.5f, 0.5f, 0.6f)
    private val capturing = ScanState.Capturing(attempt = 1, plan = Plan.EXPRESS, oval = oval)

    @Test
    fun `a scan begins with a card, asks for the camera and shows the hints`() {
        val flow = flow()
        assertEquals(emptyList<Task>(), flow.begin())
        assertEquals(texts.screen("title"), card(flow).title)
        assertEquals(listOf(Task.AskPermission), flow.act(Deed.START))
        assertEquals(texts.screen("camera"), capture(flow).hint)
        assertEquals(listOf(Task.Scan(flashes = false)), flow.permission(true))
        flow.scan(ScanState.Connecting())
        assertTrue(capture(flow).waiting)
        flow.scan(capturing.copy(hint = "MOVE_CLOSER", progress = 0.5f, ovalMs = 300))
        assertEquals(
            Screen.Capture("Move closer.", oval, ovalMs = 300, progress = 0.5f, plan = Plan.EXPRESS),
            flow.screen,
        )
        flow.scan(ScanState.Deciding(1))
        assertEquals(texts.screen("deciding"), capture(flow).hint)
        assertEquals(oval, capture(flow).oval)
    }

    @Test
    fun `without an introduction it begins with the camera`() {
        assertEquals(listOf(Task.AskPermission), flow(intro = false).begin())
    }

    @Test
    fun `before colours comes a notice with two ways of equal rank`() {
        val flow = flow(flash = true)
        assertEquals(emptyList<Task>(), flow.act(Deed.START))
        val notice = card(flow)
        assertEquals(listOf(texts.screen("flashNotice")), notice.texts)
        assertEquals(listOf(Deed.WITH_COLOURS, Deed.WITHOUT_COLOURS), notice.actions.filter { it.primary }.map { it.deed })
        flow.act(Deed.WITHOUT_COLOURS)
        assertEquals(listOf(Task.Scan(flashes = false)), flow.permission(true))
    }

    @Test
    fun `the notice also comes when the screen begins without an introduction`() {
        val flow = flow(flash = true, intro = false)
        assertEquals(emptyList<Task>(), flow.begin())
        flow.act(Deed.WITH_COLOURS)
        assertEquals(listOf(Task.Scan(flashes = true)), flow.permission(true))
    }

    @Test
    fun `who asked Android for less motion sees no colours and no notice`() {
        val flow = flow(flash = true, calm = true)
        assertEquals(listOf(Task.AskPermission), flow.act(Deed.START))
        assertEquals(listOf(Task.Scan(flashes = false)), flow.permission(true))
    }

    @Test
    fun `a tap stops colours, and nothing else`() {
        val flow = scanning()
        assertEquals(emptyList<Task>(), flow.tapped())
        flow.scan(capturing.copy(plan = Plan.FLASH))
        assertEquals(listOf(Task.DeclineFlash), flow.tapped())
        flow.scan(ScanState.Deciding(1))
        assertEquals(emptyList<Task>(), flow.tapped())
    }

    @Test
    fun `a camera that is not permitted is told, and can be tried again`() {
        val flow = flow()
        flow.act(Deed.START)
        val failed = reported(flow.permission(false)) as FacegateResult.Failed
        assertEquals(CameraProblem.DENIED, (failed.error as CameraException).problem)
        assertEquals(listOf(Deed.START, Deed.CLOSE), card(flow).actions.map { it.deed })
        assertEquals(listOf(Task.AskPermission), flow.act(Deed.START))
        assertEquals(listOf(Task.Scan(flashes = false)), flow.permission(true))
    }

    @Test
    fun `an activity that is resumed without a question changes nothing`() {
        assertEquals(emptyList<Task>(), flow().permission(true))
        assertEquals(emptyList<Task>(), scanning().permission(true))
    }

    @Test
    fun `from the third second on a wait shows how long it lasts`() {
        val flow = scanning()
        flow.scan(ScanState.Connecting(forMs = 2_900))
        assertNull(capture(flow).seconds)
        flow.scan(ScanState.Connecting(forMs = 3_100))
        assertEquals(3, capture(flow).seconds)
        flow.scan(ScanState.Reconnecting(1, 500, reached = true, forMs = 7_000))
        assertEquals(7, capture(flow).seconds)
        assertEquals(texts.screen("reconnecting"), capture(flow).hint)
    }

    @Test
    fun `another attempt waits for the person, with the reasons of the last`() {
        val flow = scanning()
        flow.scan(ScanState.Waiting(result(listOf("TOO_DARK", "HOLD_STILL")), leftMs = 60_000))
        assertEquals(listOf(texts.hint("TOO_DARK"), texts.hint("HOLD_STILL")), card(flow).texts)
        assertEquals(listOf(Task.Ready), flow.act(Deed.READY))
        assertEquals(emptyList<Task>(), flow.act(Deed.READY))
    }

    @Test
    fun `a wait that goes on does not ask again what was answered`() {
        val flow = scanning()
        val waiting = ScanState.Waiting(result(listOf("TOO_DARK")), leftMs = 60_000)
        flow.scan(waiting)
        flow.act(Deed.READY)
        flow.scan(waiting.copy(leftMs = 59_000, forMs = 1_000))
        assertInstanceOf(Screen.Capture::class.java, flow.screen)
        flow.scan(capturing.copy(attempt = 2))
        flow.scan(ScanState.Waiting(result(listOf("TOO_DARK")), leftMs = 60_000))
        assertInstanceOf(Screen.Card::class.java, flow.screen)
    }

    @Test
    fun `an app that was hidden or turned says so`() {
        for ((interruption, text) in mapOf(
            Interruption.HIDDEN to texts.screen("hidden"),
            Interruption.TURNED to texts.hint("WRONG_ROTATION"),
            Interruption.CAMERA to texts.screen("cameraLost"),
        )) {
            val flow = scanning()
            assertEquals(emptyList<Task>(), flow.interrupted(interruption))
            flow.scan(capturing)
            assertEquals(listOf(Task.Interrupt(interruption)), flow.interrupted(interruption))
            flow.scan(ScanState.Waiting(result(listOf("FACE_LOST")).copy(interruption = interruption), leftMs = 1))
            assertEquals(listOf(text), card(flow).texts)
        }
    }

    @Test
    fun `a success is told to the app and the person`() {
        val flow = scanning()
        val outcome = outcome(ScanStatus.SUCCESS)
        assertEquals(FacegateResult.Finished(outcome), reported(flow.scan(ScanState.Finished(outcome))))
        assertEquals(Screen.Card("Done. It is you.", emptyList(), listOf(Action("OK", Deed.CLOSE, primary = true))), flow.screen)
        assertEquals(listOf(Task.Close), flow.act(Deed.CLOSE))
    }

    @Test
    fun `a failure names its cause only if the device knows it, and offers no other scan`() {
        val flow = scanning()
        flow.scan(ScanState.Finished(outcome(ScanStatus.FAILURE, "FAILED", "NETWORK_TOO_SLOW", "MOVE_CLOSER")))
        assertEquals(listOf(texts.hint("NETWORK_TOO_SLOW")), card(flow).texts)
        assertEquals(listOf(Deed.CLOSE), card(flow).actions.map { it.deed })
    }

    @Test
    fun `a scan without a good attempt can be made again`() {
        val flow = scanning()
        flow.scan(ScanState.Finished(outcome(ScanStatus.RETRY, "FAILED", "TOO_DARK")))
        assertEquals(listOf(texts.hint("TOO_DARK")), card(flow).texts)
        assertEquals(listOf(Task.AskPermission), flow.act(Deed.START))
        assertEquals(listOf(Task.Scan(flashes = false)), flow.permission(true))
        flow.scan(capturing)
        assertInstanceOf(Screen.Capture::class.java, flow.screen)
    }

    @Test
    fun `an error says what happened and what to do`() {
        val flow = scanning()
        flow.scan(ScanState.Failed(CameraException(CameraProblem.BUSY, "taken")))
        assertEquals("Another app uses the camera.", card(flow).title)
        assertEquals(listOf("Close it and start again."), card(flow).texts)
    }

    @Test
    fun `a device that cannot scan is not asked to try again`() {
        val flow = scanning()
        flow.scan(ScanState.Failed(UnsupportedDeviceException("no P-256")))
        assertEquals(listOf(Deed.CLOSE), card(flow).actions.map { it.deed })
    }

    @Test
    fun `a backend that cannot be reached is told as the network`() {
        val flow = scanning()
        flow.failed(IOException("no route"))
        assertEquals("The server cannot be reached.", card(flow).title)
    }

    @Test
    fun `a scan that failed is reported once`() {
        val flow = scanning()
        assertEquals(1, flow.scan(ScanState.Failed(UnsupportedDeviceException("no"))).size)
        assertEquals(emptyList<Task>(), flow.failed(UnsupportedDeviceException("no")))
        assertEquals(emptyList<Task>(), flow.scan(ScanState.Finished(outcome(ScanStatus.SUCCESS))))
    }

    @Test
    fun `the person can leave at any time`() {
        assertEquals(listOf(Task.Close), flow().back())
        assertEquals(listOf(Task.Cancel), scanning().back())
        assertEquals(listOf(Task.Cancel), scanning().act(Deed.CANCEL))
        val asked = flow().also { it.act(Deed.START) }
        assertEquals(listOf(Task.Close), asked.back())
        asked.closed()
        assertEquals(emptyList<Task>(), asked.permission(true))
    }

    @Test
    fun `a start that has no result when the screen is closed gets one, and no other`() {
        assertEquals(emptyList<Task>(), flow().closed())
        val running = scanning()
        assertInstanceOf(CancellationException::class.java, (reported(running.closed()) as FacegateResult.Failed).error)
        assertEquals(emptyList<Task>(), running.scan(ScanState.Finished(outcome(ScanStatus.SUCCESS))))
        val finished = scanning().also { it.scan(ScanState.Finished(outcome(ScanStatus.SUCCESS))) }
        assertEquals(emptyList<Task>(), finished.closed())
    }

    @Test
    fun `seconds are counted while a ticket, a permission or the next attempt is awaited`() {
        val asked = flow().also { it.act(Deed.START) }
        asked.paused()
        repeat(5) { asked.tick(false) }
        assertEquals(5, capture(asked).seconds)
        asked.permission(true)
        assertEquals(null, capture(asked).seconds)
        repeat(4) { asked.tick(true) }
        assertEquals(4, capture(asked).seconds)
        asked.scan(ScanState.Waiting(result(emptyList()), leftMs = 0))
        asked.tick(true)
        assertInstanceOf(Screen.Card::class.java, asked.screen)
        asked.act(Deed.READY)
        repeat(3) { asked.tick(true) }
        assertEquals(3, capture(asked).seconds)
        asked.scan(capturing)
        val shown = asked.screen
        asked.tick(true)
        assertEquals(shown, asked.screen)
    }

    @Test
    fun `the person answers Android's question, however long it takes`() {
        for (granted in listOf(true, false)) {
            val flow = flow().also { it.act(Deed.START) }
            // An activity that is just created is resumed before the question covers it.
            assertEquals(emptyList<Task>(), flow.resumed(false))
            flow.paused()
            repeat(30) { assertEquals(emptyList<Task>(), flow.tick(false)) }
            val tasks = flow.resumed(granted)
            if (granted) assertEquals(listOf(Task.Scan(flashes = false)), tasks) else assertInstanceOf(Task.Report::class.java, tasks.single())
        }
    }

    @Test
    fun `a permission that comes without a question starts the scan once`() {
        val flow = flow().also { it.act(Deed.START) }
        assertEquals(listOf(Task.Scan(flashes = false)), flow.resumed(true))
        flow.paused()
        assertEquals(emptyList<Task>(), flow.resumed(true) + flow.tick(true) + flow.permission(true))
    }

    @Test
    fun `an answer to an earlier question is none to the next`() {
        val flow = flow().also { it.act(Deed.START) }
        flow.paused()
        reported(flow.resumed(false))
        assertEquals(listOf(Task.AskPermission), flow.act(Deed.START))
        assertEquals(emptyList<Task>(), flow.resumed(false))
    }

    @Test
    fun `a permission that Android does not ask for is not awaited`() {
        val flow = flow().also { it.act(Deed.START) }
        assertEquals(emptyList<Task>(), flow.tick(false) + flow.tick(false))
        val error = (reported(flow.tick(false)) as FacegateResult.Failed).error
        assertEquals(CameraProblem.DENIED, (error as CameraException).problem)
    }

    @Test
    fun `whatever happens, something is shown, and each scan is reported once`() {
        repeat(2000) { seed -> live(Random(seed)) }
    }

    private fun live(random: Random) {
        val flow = flow(flash = random.nextBoolean(), calm = random.nextBoolean(), intro = random.nextBoolean())
        var running = 0
        fun note(tasks: List<Task>) {
            for (task in tasks) {
                if (task is Task.Scan) running += 1
                if (task is Task.Report) {
                    // Without a permission, there is no scan that ends.
                    if (!isDenied(task)) running -= 1
                }
            }
            assertTrue(running in 0..1, "$running scans at a time")
            when (val shown = flow.screen) {
                is Screen.Card -> assertTrue(shown.title.isNotEmpty() && shown.actions.isNotEmpty())
                is Screen.Capture -> assertTrue(shown.hint.isNotEmpty())
            }
        }
        note(flow.begin())
        repeat(60) {
            val tasks = when (random.nextInt(9)) {
                6 -> flow.tick(random.nextBoolean())
                7 -> flow.resumed(random.nextBoolean())
                8 -> emptyList<Task>().also { flow.paused() }
                0, 1 -> flow.act(Deed.entries.random(random))
                2 -> flow.permission(random.nextInt(4) > 0)
                3 -> flow.interrupted(Interruption.entries.random(random))
                4 -> flow.tapped()
                else -> flow.scan(states.random(random))
            }
            note(tasks)
            if (Task.Close in tasks) {
                assertFalse(running > 0 && flow.screen is Screen.Capture, "a scan goes on behind a closed screen")
                return
            }
        }
    }

    private val states = listOf(
        ScanState.Idle,
        ScanState.OpeningCamera(),
        ScanState.Connecting(4_000),
        ScanState.Reconnecting(1, 250, reached = false),
        ScanState.Connected(oval),
        capturing,
        capturing.copy(plan = Plan.FLASH, hint = "A_LATER_CODE"),
        ScanState.Deciding(1),
        ScanState.Waiting(result(emptyList()), leftMs = 0),
        ScanState.Finished(outcome(ScanStatus.RETRY)),
        ScanState.Failed(CameraException(CameraProblem.FAILED, "broken")),
    )

    private fun isDenied(task: Task.Report): Boolean {
        val error = (task.result as? FacegateResult.Failed)?.error as? CameraException
        return error?.problem == CameraProblem.DENIED
    }

    private fun flow(flash: Boolean = false, calm: Boolean = false, intro: Boolean = true) =
        ScanFlow(texts, flash, calm, intro, closeLabel = "OK")

    private fun scanning() = flow().also {
        it.act(Deed.START)
        it.permission(true)
    }

    private fun card(flow: ScanFlow) = flow.screen as Screen.Card
    private fun capture(flow: ScanFlow) = flow.screen as Screen.Capture
    private fun reported(tasks: List<Task>) = (tasks.single() as Task.Report).result

    private fun result(feedback: List<String>) = AttemptResult(
        attempt = 1,
        status = ScanStatus.RETRY,
        feedback = feedback,
        anotherAttempt = true,
        interruption = null,
        readyWithinMs = 60_000,
    )

    private fun outcome(status: ScanStatus, vararg feedback: String) = ScanOutcome(
        status = status,
        feedback = feedback.toList(),
        interruption = null,
        attempts = 1,
        streams = 1,
        frames = 40,
        dropped = 0,
    )
}
