package org.facegate.core.internal

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Delay
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.InternalCoroutinesApi
import kotlinx.coroutines.Runnable
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.StandardTestDispatcher
import kotlinx.coroutines.test.TestDispatcher
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.currentTime
import kotlinx.coroutines.test.runTest
import org.facegate.core.Advice
import org.facegate.core.CameraException
import org.facegate.core.CameraProblem
import org.facegate.core.Clock
import org.facegate.core.ConnectionFailedException
import org.facegate.core.DeviceEvidence
import org.facegate.core.KeyStore
import org.facegate.core.FacegateException
import org.facegate.core.Interruption
import org.facegate.core.Phone
import org.facegate.core.ProtocolViolatedException
import org.facegate.core.Refusal
import org.facegate.core.ScanCancelledException
import org.facegate.core.ScanEndedException
import org.facegate.core.ScanOptions
import org.facegate.core.ScanOutcome
import org.facegate.core.ScanState
import org.facegate.core.ScanStatus
import org.facegate.core.ScanTicket
import org.facegate.core.ServerAddress
import org.facegate.core.ServerNotTrustedException
import org.facegate.core.ServerRefusedException
import org.facegate.core.Size
import org.facegate.core.SoftwareKeyStore
import org.facegate.core.runner.TestEvidence
import org.facegate.v1.AttemptEndBody.Cause
import org.facegate.v1.Capability
import org.facegate.v1.CaptureAdjustment
import org.facegate.v1.Feedback
import org.facegate.v1.FeedbackCode
import org.facegate.v1.Goodbye
import org.facegate.v1.Oval
import org.facegate.v1.OvalChange
import org.facegate.v1.Plan
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import kotlin.coroutines.CoroutineContext
import kotlin.random.Random
import org.facegate.v1.ScanStatus as Status

/** Threads for the app's code, in virtual time. */
@OptIn(InternalCoroutinesApi::class)
internal class Workers(private val thread: TestDispatcher) : CoroutineDispatcher(), Delay by thread {
    /** Whether they are blocked for good from now on. */
    var blocked = false

    override fun dispatch(context: CoroutineContext, block: Runnable) {
        if (!blocked) thread.dispatch(context, block)
    }
}

/** One scan in virtual time, with what the app sees of it. */
@OptIn(ExperimentalCoroutinesApi::class)
internal class Trial(
    private val scope: TestScope,
    flashes: Boolean = true,
    frameBytes: () -> Int = { 20_000 },
    waitsForPerson: Boolean = true,
    seed: Int = 1,
    keys: KeyStore = SoftwareKeyStore(),
    evidence: DeviceEvidence = TestEvidence(),
    script: suspend FakeStream.() -> Unit,
) {
    val clock = Clock { scope.currentTime * 1000 }
    val camera = FakeCamera(scope.backgroundScope, clock, frameBytes = frameBytes)
    val screen = FakeScreen(clock, flashes)
    val server = FakeServer(scope.backgroundScope) { script() }
    val states = ArrayList<Pair<Long, ScanState>>()
    val workers = Workers(StandardTestDispatcher(scope.testScheduler))
    val scan = Scan(
        ScanOptions(
            ServerAddress.Grpc("localhost", 1, plaintext = true),
            ScanTicket("token", server.fingerprint),
            waitsForPerson = waitsForPerson,
        ),
        Phone(camera, screen, evidence, keys, clock),
        Environment(StandardTestDispatcher(scope.testScheduler), workers, Random(seed)) { server.connect() },
    )

    init {
        scope.backgroundScope.launch {
            scan.state.collect { states += scope.currentTime to it }
        }
        // A person who is ready soon.
        scope.backgroundScope.launch {
            while (true) {
                scan.state.first { it is ScanState.Waiting }
                delay(700)
                scan.ready()
                scan.state.first { it !is ScanState.Waiting }
            }
        }
    }

    suspend fun run(): ScanOutcome = try {
        scan.run().also { assertClean() }
    } catch (error: FacegateException) {
        throw server.failure ?: error
    }

    suspend inline fun <reified T : FacegateException> fails(): T {
        val error = try {
            val outcome = scan.run()
            throw AssertionError("the scan ended with $outcome")
        } catch (error: FacegateException) {
            error
        }
        assertClean()
        assertEquals(ScanState.Failed(error), scan.state.value)
        return assertInstanceOf(T::class.java, error)
    }

    /** Nothing is left, and the app always heard something. */
    fun assertClean() {
        server.failure?.let { throw it }
        assertEquals(0, camera.held)
        assertFalse(screen.coloured)
        val moments = states.map { it.first } + scope.currentTime
        val longest = moments.zipWithNext { before, after -> after - before }.drop(1).maxOrNull() ?: 0
        assertTrue(longest <= 1000, "nothing was said for $longest ms")
    }

    inline fun <reified T : ScanState> seen(): List<T> = states.map { it.second }.filterIsInstance<T>()
}

/** The states of a scan, in virtual time. */
@OptIn(ExperimentalCoroutinesApi::class)
class ScanTest {
    private fun trial(
        flashes: Boolean = true,
        frameBytes: () -> Int = { 20_000 },
        waitsForPerson: Boolean = true,
        script: suspend FakeStream.() -> Unit,
        test: suspend Trial.() -> Unit,
    ) = runTest { Trial(this, flashes, frameBytes, waitsForPerson, script = script).test() }

    @Test
    fun `a scan succeeds`() = trial(script = {
        shakeHands()
        if (capture(1)) succeed()
    }) {
        assertEquals(ScanOutcome(ScanStatus.SUCCESS, emptyList(), null, 1, 1, 5, scan.run().dropped), (scan.state.value as ScanState.Finished).outcome)
        assertClean()
        val kinds = states.map { it.second.javaClass.simpleName }.distinct()
        assertEquals(
            listOf("Idle", "OpeningCamera", "Connecting", "Connected", "Capturing", "Deciding", "Finished").filter { it in kinds },
            kinds,
        )
        assertTrue(server.streams.single().halfClosed)
    }

    @Test
    fun `a server that says nothing is left, and the app hears so`() = trial(script = { accept() }) {
        val error = fails<ConnectionFailedException>()
        assertEquals(Advice.TRY_AGAIN, error.advice)
        // Twice more, each for ten seconds.
        assertEquals(3, server.streams.size)
        assertEquals("unreachable", seen<ScanState.Reconnecting>().first().text)
    }

    @Test
    fun `a line that does not open is left`() = trial(script = { }) {
        fails<ConnectionFailedException>()
        assertEquals(3, server.streams.size)
    }

    @Test
    fun `a busy server is asked ten times`() = trial(script = {
        refuse(refused(Refusal(8, "OVERLOADED", "", emptyMap(), 2000)))
    }) {
        val error = fails<ServerRefusedException>()
        assertEquals(Advice.TRY_LATER, error.advice)
        assertEquals(11, server.streams.size)
        assertTrue(seen<ScanState.Reconnecting>().all { it.waitMs >= 2000 })
    }

    @Test
    fun `a server that refused once is asked ten times, however the line breaks then`() = trial(script = {
        if (index == 0) refuse(refused(Refusal(8, "OVERLOADED", "", emptyMap(), 2000))) else breakLine()
    }) {
        fails<ConnectionFailedException>()
        assertEquals(11, server.streams.size)
    }

    @Test
    fun `a lost line is resumed, and the wait grows`() = trial(script = {
        if (shakeHands()) {
            if (index < 4) {
                capture(index + 1, 3)
                breakLine()
            } else if (capture(index + 1)) {
                succeed()
            }
        }
    }) {
        assertEquals(5, run().streams)
        val waits = seen<ScanState.Reconnecting>().filter { it.forMs == 0L }.map { it.waitMs }
        assertEquals(4, waits.size)
        for ((number, wait) in waits.withIndex()) assertTrue(wait in (125 shl number)..(251 shl number), "$waits")
    }

    @Test
    fun `a scan decided while the line was lost is complete`() = trial(script = {
        if (index == 0) {
            shakeHands()
            capture(1)
            complete()
            end()
            breakLine()
        } else {
            refuse(refused(Refusal(9, "CHECK_CLOSED", "", mapOf("decidedByAttempt" to "1"), 0)))
        }
    }) { assertEquals(ScanStatus.COMPLETED, run().status) }

    @Test
    fun `a lost line that used up the last attempt is named`() = trial(script = {
        if (index == 0) {
            shakeHands()
            capture(1)
            breakLine()
        } else {
            refuse(refused(Refusal(9, "CHECK_CLOSED", "", mapOf("maxAttempts" to "1"), 0)))
        }
    }) { fails<ConnectionFailedException>() }

    @Test
    fun `after the deadline no line is opened`() = trial(script = {
        shakeHands()
        capture(1)
        say { goodbye = Goodbye.newBuilder().setReconnectAfter(duration(8000)).setReason(Goodbye.Reason.REASON_DRAINING).build() }
    }) {
        server.deadlineMs = 5_000
        fails<FacegateException>()
        assertEquals(1, server.streams.size)
    }

    @Test
    fun `another server's key is not trusted`() = runTest {
        val other = Trial(this) { shakeHands() }
        val scan = Scan(
            ScanOptions(ServerAddress.Grpc("localhost", 1, true), ScanTicket("token", ByteArray(32))),
            Phone(other.camera, other.screen, TestEvidence(), SoftwareKeyStore(), other.clock),
            StandardTestDispatcher(testScheduler).let { Environment(it, it, Random(1)) { other.server.connect() } },
        )
        val error = runCatching { scan.run() }.exceptionOrNull()
        assertInstanceOf(ServerNotTrustedException::class.java, error)
        assertEquals(1, other.server.streams.size)
        assertEquals(0, other.camera.held)
    }

    @Test
    fun `the person is waited for before the next attempt`() = trial(script = {
        shakeHands()
        capture(1)
        complete()
        end()
        decide(Status.SCAN_STATUS_RETRY, another = true)
        if (ready() && capture(2)) succeed()
    }) {
        assertEquals(2, run().attempts)
        val waiting = seen<ScanState.Waiting>()
        assertEquals(60_000, waiting.first().leftMs)
    }

    @Test
    fun `a person who takes too long resumes when ready`() = trial(script = {
        shakeHands()
        if (index == 0) {
            capture(1)
            complete()
            end()
            decide(Status.SCAN_STATUS_RETRY, another = true, readyMs = 300)
            delay(300)
            refuse(refused(Refusal(4, "STREAM_IDLE", "", emptyMap(), 0)))
        } else if (capture(2)) {
            succeed()
        }
    }) {
        assertEquals(2, run().streams)
        // The new stream was not opened before.
        val ready = states.indexOfLast { it.second is ScanState.Waiting }
        assertTrue(states.indexOfLast { it.second is ScanState.Connecting } > ready)
    }

    @Test
    fun `without a person to wait for the next attempt begins at once`() = trial(waitsForPerson = false, script = {
        shakeHands()
        capture(1)
        complete()
        end()
        decide(Status.SCAN_STATUS_RETRY, another = true)
        if (ready() && capture(2)) succeed()
    }) { assertEquals(ScanStatus.SUCCESS, run().status) }

    @Test
    fun `a person may leave at any time`() {
        for (afterMs in listOf(0L, 50, 150, 300, 600, 900, 1500, 5000, 12_000)) {
            runTest {
                Trial(this) {
                    delay(200)
                    shakeHands()
                    begin(1, frames = 1000, bytes = 100_000_000)
                    delay(1000)
                    complete()
                    end() ?: return@Trial
                    decide(Status.SCAN_STATUS_RETRY, another = true)
                    while (next() != null) continue
                }.run {
                    backgroundScope.launch {
                        delay(afterMs)
                        scan.cancel()
                    }
                    // Else the person is ready, and the server says nothing more.
                    fails<ScanCancelledException>()
                    assertTrue(currentTimeMs() <= afterMs + 3000, "left after $afterMs ms, over at ${currentTimeMs()}")
                }
            }
        }
    }

    @Test
    fun `a server that decides nothing does not keep a person who leaves`() = runTest {
        val trial = Trial(this) {
            shakeHands()
            capture(1)
            complete()
            end()
        }
        backgroundScope.launch {
            trial.scan.state.first { it is ScanState.Deciding }
            trial.scan.cancel()
        }
        trial.fails<ScanCancelledException>()
        assertTrue(currentTime < 10_000)
    }

    @Test
    fun `a cancelled coroutine drops the line`() = runTest {
        val left = CompletableDeferred<Boolean>()
        val trial = Trial(this) {
            shakeHands()
            begin(1, Plan.PLAN_FLASH, frames = 1000, bytes = 100_000_000)
            show()
            show()
            while (next() != null) continue
            left.complete(halfClosed)
        }
        val running = backgroundScope.async { trial.scan.run() }
        delay(3000)
        assertTrue(trial.screen.coloured)
        running.cancelAndJoin()
        assertFalse(left.await())
        trial.assertClean()
        assertInstanceOf(ScanState.Failed::class.java, trial.scan.state.value)
    }

    @Test
    fun `credit is kept`() = trial(script = {
        shakeHands()
        begin(1, frames = 3, bytes = 60_000)
        repeat(3) { checkFrame(checkNotNull(next())) }
        delay(1000)
        give(2, 30_000)
        checkFrame(checkNotNull(next()))
        // Bytes are left for half a frame.
        delay(1000)
        succeed()
    }) {
        val outcome = run()
        assertEquals(4, outcome.frames)
        assertTrue(outcome.dropped >= 38)
    }

    @Test
    fun `a busy line takes no frame`() = trial(script = {
        shakeHands()
        begin(1, frames = 100, bytes = 10_000_000)
        checkFrame(checkNotNull(next()))
        busy = true
        delay(1000)
        busy = false
        check(checkFrame(checkNotNull(next())).droppedBefore in 18..21)
        succeed()
    }) { assertEquals(ScanStatus.SUCCESS, run().status) }

    @Test
    fun `frames keep the asked rate and size`() = trial(script = {
        shakeHands()
        begin(1, frames = 1000, bytes = 100_000_000)
        repeat(3) { checkFrame(checkNotNull(next())) }
        say { captureAdjustment = CaptureAdjustment.newBuilder().setMaxFramesPerSecond(10f).setMaxFrameBytes(5000).build() }
        delay(200)
        val times = ArrayList<Long>()
        repeat(30) {
            val request = checkNotNull(next())
            val header = checkFrame(request)
            if (it > 4) {
                check(request.frame.image.size() <= 5000)
                times += header.captureTimeUs
            }
        }
        val spanUs = times.last() - times.first()
        check(spanUs >= (times.size - 1) * 100_000 - 25_000) { "frames come too fast: $times" }
        succeed()
    }) { assertEquals(ScanStatus.SUCCESS, run().status) }

    @Test
    fun `in a pause no frame is sent`() = trial(script = {
        shakeHands()
        capture(1, 3)
        pause(true)
        delay(100)
        while (true) {
            val early = kotlinx.coroutines.withTimeoutOrNull(2000) { next() } ?: break
            checkFrame(early)
        }
        pause(false)
        val after = checkFrame(checkNotNull(next()))
        check(after.droppedBefore == 0) { "frames of a pause were counted" }
        succeed()
    }) {
        run()
        assertTrue(seen<ScanState.Capturing>().any { it.paused })
    }

    @Test
    fun `colours stay for as long as they have to`() = trial(script = {
        shakeHands()
        capture(1, 3, Plan.PLAN_FLASH)
        val first = show(holdMs = 10)
        show(holdMs = 10)
        show(holdMs = 10)
        while (checkFrame(checkNotNull(next())).flashStep < first + 2) continue
        succeed()
    }) {
        run()
        val times = screen.changes.map { it.atUs / 1000 }
        assertEquals(1, screen.prepared)
        assertEquals(4, times.size)
        assertTrue(times[1] - times[0] >= 350 && times[2] - times[1] >= 350, "$times")
        assertEquals(null, screen.changes.last().colour)
    }

    @Test
    fun `too many colours at once break the protocol`() = trial(script = {
        shakeHands()
        capture(1, 3, Plan.PLAN_FLASH)
        repeat(4) { show() }
    }) { fails<ProtocolViolatedException>() }

    @Test
    fun `who wants no colours gets none`() = trial(script = {
        shakeHands()
        begin(1, Plan.PLAN_FLASH, frames = 100)
        check(checkNotNull(end()).cause == Cause.CAUSE_CANCELLED)
        decide(Status.SCAN_STATUS_RETRY, another = true)
        ready()
        if (capture(2)) succeed()
    }) {
        scan.declineFlash()
        assertEquals(ScanStatus.SUCCESS, run().status)
        assertTrue(screen.changes.isEmpty())
        assertFalse(Capability.CAPABILITY_FLASH in server.streams.single().start.capabilitiesList)
    }

    @Test
    fun `who stops the colours leaves`() = runTest {
        val trial = Trial(this) {
            shakeHands()
            capture(1, 3, Plan.PLAN_FLASH)
            show()
            show()
            check(checkNotNull(end()).cause == Cause.CAUSE_CANCELLED)
            decide(Status.SCAN_STATUS_RETRY, another = true)
            left()
        }
        backgroundScope.launch {
            while (trial.screen.changes.size < 2) delay(10)
            trial.scan.declineFlash()
        }
        trial.fails<ScanCancelledException>()
    }

    @Test
    fun `ovals move, hints are shown, and stale ones are not`() = trial(script = {
        shakeHands { setOval(Oval.newBuilder().setCenterX(0.5f).setCenterY(0.5f).setWidth(0.5f).setHeight(0.6f)) }
        capture(1, 3, Plan.PLAN_MOVEMENT)
        fun hint(code: FeedbackCode, frame: Int) = say {
            feedback = Feedback.newBuilder().setCode(code).setFrameIndex(frame).setProgress(0.5f).build()
        }
        say {
            ovalChange = OvalChange.newBuilder().setTransitionDuration(duration(300)).setChange(1)
                .setOval(Oval.newBuilder().setCenterX(0.5f).setCenterY(0.5f).setWidth(0.4f).setHeight(0.4f)).build()
        }
        delay(10)
        hint(FeedbackCode.FEEDBACK_CODE_MOVE_CLOSER, 5)
        delay(10)
        hint(FeedbackCode.FEEDBACK_CODE_MOVE_BACK, 3)
        delay(10)
        hint(FeedbackCode.FEEDBACK_CODE_OPEN_MOUTH, 0)
        delay(100)
        succeed()
    }) {
        run()
        val capturing = seen<ScanState.Capturing>()
        assertTrue(capturing.any { it.oval.width in 0.39f..0.41f && it.ovalMs == 300L })
        assertEquals(listOf(null, "MOVE_CLOSER", "OPEN_MOUTH"), capturing.map { it.hint }.distinct())
    }

    @Test
    fun `an interrupted attempt is followed by another`() = runTest {
        val trial = Trial(this) {
            shakeHands()
            begin(1, frames = 100, bytes = 10_000_000)
            check(checkNotNull(end()).cause == Cause.CAUSE_CAMERA_FAILED)
            decide(Status.SCAN_STATUS_RETRY, another = true)
            ready()
            if (capture(2)) succeed()
        }
        backgroundScope.launch {
            trial.scan.state.first { it is ScanState.Capturing }
            delay(400)
            trial.scan.interrupt(Interruption.HIDDEN)
        }
        assertEquals(ScanStatus.SUCCESS, trial.run().status)
        assertEquals(Interruption.HIDDEN, trial.seen<ScanState.Waiting>().first().last.interruption)
    }

    @Test
    fun `a camera that is lost, silent or turned ends the attempt`() {
        val acts = mapOf<Interruption, suspend Trial.() -> Unit>(
            Interruption.CAMERA to { camera.lose() },
            Interruption.CAMERA to { camera.freeze() },
            Interruption.TURNED to { camera.size = Size(640, 480) },
        )
        for ((interruption, act) in acts) {
            runTest {
                val trial = Trial(this) {
                    shakeHands()
                    begin(1, frames = 100, bytes = 10_000_000)
                    check(checkNotNull(end()).cause == Cause.CAUSE_CAMERA_FAILED)
                    decide(Status.SCAN_STATUS_FAILURE)
                    left()
                }
                backgroundScope.launch {
                    trial.scan.state.first { it is ScanState.Capturing }
                    delay(400)
                    trial.act()
                }
                assertEquals(interruption, trial.run().interruption)
            }
        }
    }

    @Test
    fun `a lost camera is opened again before the next attempt`() = runTest {
        val trial = Trial(this) {
            shakeHands()
            begin(1, frames = 100, bytes = 10_000_000)
            end()
            decide(Status.SCAN_STATUS_RETRY, another = true)
            ready()
            if (capture(2)) succeed()
        }
        backgroundScope.launch {
            trial.scan.state.first { it is ScanState.Capturing }
            delay(400)
            trial.camera.lose()
        }
        trial.run()
        assertEquals(2, trial.camera.openings)
    }

    @Test
    fun `a camera that does not open says why`() = trial(script = { }) {
        camera.refuses = CameraProblem.DENIED
        assertEquals(CameraProblem.DENIED, fails<CameraException>().problem)
        assertTrue(server.streams.isEmpty())
    }

    @Test
    fun `an attempt ends before its limits`() = trial(frameBytes = { 150_000 }, script = {
        shakeHands()
        begin(1, frames = 100_000, bytes = Int.MAX_VALUE)
        check(checkNotNull(end()).cause == Cause.CAUSE_TIMED_OUT)
        decide(Status.SCAN_STATUS_FAILURE)
        left()
    }) {
        run()
        assertTrue(server.scanBytes <= 20_000_000)
    }

    @Test
    fun `a slow camera is not a slow network`() = trial(script = {
        shakeHands()
        begin(1, frames = 1000, bytes = 100_000_000)
        end()
        decide(Status.SCAN_STATUS_FAILURE)
        left()
    }) {
        camera.periodMs = 400
        assertEquals(listOf("CAPTURE_TOO_SLOW"), run().feedback)
    }

    @Test
    fun `a Goodbye is final unless it says when to come back`() = trial(script = {
        shakeHands()
        capture(1)
        say { goodbye = Goodbye.newBuilder().setReason(Goodbye.Reason.REASON_SUPERSEDED).build() }
    }) {
        val error = fails<ScanEndedException>()
        assertEquals("SUPERSEDED", error.reason)
        assertEquals(Advice.NEW_CHECK, error.advice)
    }

    private fun Trial.currentTimeMs() = clock.nowUs() / 1000

}
