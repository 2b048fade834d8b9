package org.facegate.core.internal

import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.async
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.currentTime
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.withTimeoutOrNull
import org.facegate.core.FacegateException
import org.facegate.core.InternalErrorException
import org.facegate.core.Interruption
import org.facegate.core.ProtocolViolatedException
import org.facegate.core.Refusal
import org.facegate.core.ScanState
import org.facegate.v1.CaptureAdjustment
import org.facegate.v1.Feedback
import org.facegate.v1.FeedbackCode
import org.facegate.v1.Goodbye
import org.facegate.v1.Plan
import org.facegate.v1.ScanFaceRequest.MessageCase
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.TestFactory
import kotlin.random.Random
import org.facegate.v1.ScanStatus as Status

private const val SCANS = 100
private val PLANS = listOf(Plan.PLAN_EXPRESS, Plan.PLAN_FLASH, Plan.PLAN_MOVEMENT)
private val CODES = FeedbackCode.entries.filter { it != FeedbackCode.UNRECOGNIZED }

/** Whatever a server and a person do, in any order: the device keeps the rules of [FakeStream], and each scan ends. */
@OptIn(ExperimentalCoroutinesApi::class)
class RandomScansTest {
    @TestFactory
    fun `a scan keeps the rules and ends`(): List<DynamicTest> = List(SCANS) { seed ->
        dynamicTest("seed $seed") { scan(seed) }
    }

    private fun scan(seed: Int) = runTest {
        val random = Random(seed)
        var attempts = 0
        val trial = Trial(this, frameBytes = { random.nextInt(5_000, 60_000) }, seed = seed) {
            when (random.nextInt(12)) {
                0 -> breakLine()
                1 -> delay(15_000)
                2 -> refuse(refused(Refusal(14, "NOT_SERVING", "", emptyMap(), 500)))
                else -> if (shakeHands()) while (attempt(random, ++attempts)) continue
            }
        }
        backgroundScope.launch { disturb(trial, random) }
        val end = async {
            try {
                trial.scan.run()
                null
            } catch (error: FacegateException) {
                error
            }
        }
        val error = withTimeoutOrNull(600_000) { end.await() }
        assertTrue(end.isCompleted, "the scan did not end: ${trial.scan.state.value}")
        assertFalse(error is InternalErrorException || error is ProtocolViolatedException, "$error")
        trial.assertClean()
        val last = trial.scan.state.value
        assertTrue(last is ScanState.Finished || last is ScanState.Failed)
        assertTrue(trial.server.scanBytes <= 20_000_000)
        assertTrue(currentTime < 400_000)
    }

    /** What a person and a phone do. */
    private suspend fun disturb(trial: Trial, random: Random) {
        while (true) {
            delay(random.nextLong(500, 20_000))
            when (random.nextInt(8)) {
                0 -> trial.scan.cancel()
                1 -> trial.scan.declineFlash()
                2 -> trial.scan.interrupt(Interruption.entries.random(random))
                3 -> if (trial.camera.openings > 0) trial.camera.lose()
                4 -> trial.scan.ready()
                5 -> trial.camera.periodMs = random.nextLong(20, 200)
            }
        }
    }

    /** Plays an attempt. Returns whether another follows in this stream. */
    private suspend fun FakeStream.attempt(random: Random, number: Int): Boolean {
        val plan = PLANS.random(random)
        // Between attempts the device may leave at any time.
        begin(number, if (plan == Plan.PLAN_FLASH && CAPABLE !in start.capabilitiesList) Plan.PLAN_EXPRESS else plan, 8, 400_000)
        var complete = false
        var lastStepMs = 0L
        var waited = 0L
        while (true) {
            val stepMs = random.nextLong(10, 400)
            val message = withTimeoutOrNull(stepMs) { next() }
            waited += stepMs
            if (message != null) {
                if (message.messageCase == MessageCase.ATTEMPT_END) {
                    checkEnd(message)
                    break
                }
                check(message.messageCase == MessageCase.FRAME) { "in an attempt came ${message.messageCase}" }
                checkFrame(message)
                if (random.nextInt(3) > 0) give(1, message.frame.image.size())
            } else if (over) {
                return false
            }
            when (random.nextInt(40)) {
                0 -> give(random.nextInt(4), random.nextInt(100_000))
                1, 2 -> say {
                    feedback = Feedback.newBuilder().setCode(CODES.random(random)).setFrameIndex(random.nextInt(20))
                        .setProgress(random.nextFloat()).build()
                }
                3 -> pause(!paused)
                4 -> say {
                    captureAdjustment = CaptureAdjustment.newBuilder().setMaxFramesPerSecond(random.nextInt(30).toFloat())
                        .setMaxFrameBytes(random.nextInt(8_000, 100_000)).build()
                }
                5, 6, 7 -> if (plan == Plan.PLAN_FLASH && CAPABLE in start.capabilitiesList && waited - lastStepMs > 500) {
                    show()
                    lastStepMs = waited
                }
                8 -> say { }
                9 -> if (!complete) complete().also { complete = true }
                10 -> busy = !busy
                11 -> if (random.nextInt(4) == 0) return false.also { breakLine() }
                12 -> if (random.nextInt(6) == 0) {
                    say {
                        goodbye = Goodbye.newBuilder().setReason(Goodbye.Reason.REASON_DRAINING)
                            .setReconnectAfter(duration(1000)).build()
                    }
                    return false
                }
                13 -> if (waited > 15_000) decide(Status.SCAN_STATUS_FAILURE).also { return false }
            }
        }
        delay(random.nextLong(2_000))
        val another = random.nextInt(3) > 0 && number < 8
        decide(if (another) Status.SCAN_STATUS_RETRY else Status.entries[random.nextInt(1, 4)], another)
        return another && ready()
    }
}

private val CAPABLE = org.facegate.v1.Capability.CAPABILITY_FLASH
