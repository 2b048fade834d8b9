package org.facegate.core.internal

import com.google.protobuf.Duration
import kotlinx.coroutines.delay
import kotlinx.coroutines.test.currentTime
import kotlinx.coroutines.test.runTest
import org.facegate.core.Advice
import org.facegate.core.ProtocolViolatedException
import org.facegate.core.Refusal
import org.facegate.core.ScanEndedException
import org.facegate.core.ScanState
import org.facegate.core.ServerRefusedException
import org.facegate.v1.AttemptEndBody.Cause
import org.facegate.v1.AttestationDemand
import org.facegate.v1.CaptureBudget
import org.facegate.v1.Feedback
import org.facegate.v1.FeedbackCode
import org.facegate.v1.Oval
import org.facegate.v1.OvalChange
import org.facegate.v1.Plan
import org.facegate.v1.ScanResult
import org.facegate.v1.ScanStatus
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

private val ENDLESS = Duration.newBuilder().setSeconds(100_000_000_000_000).build()

/** A server that holds the pinned key and breaks every other rule. */
@OptIn(kotlinx.coroutines.ExperimentalCoroutinesApi::class)
class HostileServerTest {
    @Test
    fun `the deadline ends a capture, and then the scan`() = runTest {
        val trial = Trial(this) {
            shakeHands { setBudget(CaptureBudget.newBuilder().setMaxAttemptDuration(ENDLESS)) }
            begin(1, frames = 100_000, bytes = Int.MAX_VALUE)
            check(checkNotNull(end()).cause == Cause.CAUSE_TIMED_OUT)
            endedMs = currentTime
            while (next() != null) continue
        }
        trial.server.deadlineMs = 12_000
        assertEquals("DEADLINE", trial.fails<ScanEndedException>().reason)
        assertTrue(endedMs in 11_000..12_200, "$endedMs")
        assertTrue(currentTime <= 18_000)
    }

    private var endedMs = 0L

    @Test
    fun `a verdict that waits for evidence may come after the deadline`() = runTest {
        val trial = Trial(this) {
            shakeHands { setAttestation(AttestationDemand.newBuilder().setGrace(duration(20_000))) }
            begin(1, frames = 100_000, bytes = Int.MAX_VALUE)
            end()
            delay(20_000)
            decide(ScanStatus.SCAN_STATUS_SUCCESS)
            left()
        }
        trial.server.deadlineMs = 6_000
        trial.run()
    }

    @Test
    fun `no attempt is endless, whatever the server allows`() = runTest {
        val trial = Trial(this, frameBytes = { 100 }) {
            shakeHands {
                clearScanDeadline()
                setBudget(CaptureBudget.newBuilder().setMaxAttemptDuration(ENDLESS))
            }
            begin(1, frames = 100_000, bytes = Int.MAX_VALUE)
            check(checkNotNull(end()).cause == Cause.CAUSE_TIMED_OUT)
            decide(ScanStatus.SCAN_STATUS_FAILURE)
            left()
        }
        trial.run()
        assertTrue(currentTime <= 301_000)
    }

    @Test
    fun `attempts are not endless`() = runTest {
        var attempts = 0
        val trial = Trial(this, waitsForPerson = false) {
            shakeHands { clearScanDeadline() }
            while (!over) {
                begin(++attempts, frames = 1)
                delay(20)
                say {
                    scanResult = ScanResult.newBuilder().setAttempt(attempts).setStatus(ScanStatus.SCAN_STATUS_RETRY)
                        .setAnotherAttempt(true).build()
                }
                delay(20)
            }
        }
        trial.fails<ProtocolViolatedException>()
        assertTrue(attempts in 61..65, "$attempts")
    }

    @Test
    fun `colours are not endless`() = runTest {
        val trial = Trial(this) {
            shakeHands()
            begin(1, Plan.PLAN_FLASH, frames = 0)
            while (!over) {
                show()
                delay(500)
            }
        }
        trial.fails<ProtocolViolatedException>()
        assertTrue(trial.screen.changes.size <= 17)
    }

    @Test
    fun `values that make no sense do not reach the app`() = runTest {
        val trial = Trial(this) {
            shakeHands { setOval(Oval.newBuilder().setCenterX(Float.NaN).setWidth(1e30f).setHeight(-1f)) }
            begin(1, Plan.PLAN_MOVEMENT, frames = 100, bytes = 10_000_000)
            for (duration in listOf(ENDLESS, duration(-5000))) {
                say {
                    ovalChange = OvalChange.newBuilder().setTransitionDuration(duration)
                        .setOval(Oval.newBuilder().setCenterX(Float.POSITIVE_INFINITY).setCenterY(-9f).setWidth(Float.NaN)).build()
                }
                say {
                    feedback = Feedback.newBuilder().setCode(FeedbackCode.FEEDBACK_CODE_GOOD).setProgress(Float.NaN).build()
                }
                delay(50)
            }
            succeed()
        }
        trial.run()
        val ovals = trial.seen<ScanState.Capturing>().map { it.oval } + trial.seen<ScanState.Connected>().map { it.oval }
        assertTrue(ovals.all { oval -> listOf(oval.centerX, oval.centerY, oval.width, oval.height).all { it in 0f..1f } }, "$ovals")
        assertTrue(ovals.all { it.width > 0 && it.height > 0 })
        assertTrue(trial.seen<ScanState.Capturing>().all { it.progress in 0f..1f && it.ovalMs in 0..10_000 })
    }

    @Test
    fun `the result of another attempt is no result`() = runTest {
        val trial = Trial(this) {
            shakeHands()
            begin(1, frames = 100)
            say { scanResult = ScanResult.newBuilder().setAttempt(77).setStatus(ScanStatus.SCAN_STATUS_SUCCESS).build() }
        }
        trial.fails<ProtocolViolatedException>()
    }

    @Test
    fun `bytes that are no message break the protocol`() = runTest {
        val trial = Trial(this) {
            shakeHands()
            sayBytes(ByteArray(9) { -1 })
        }
        assertEquals(Advice.REPORT, trial.fails<ProtocolViolatedException>().advice)
        val large = Trial(this) {
            shakeHands()
            sayBytes(ByteArray(MOST_MESSAGE_BYTES + 1))
        }
        large.fails<ProtocolViolatedException>()
    }

    @Test
    fun `many large messages do not wait in memory`() = runTest {
        val trial = Trial(this) {
            shakeHands()
            repeat(20) { sayBytes(byteArrayOf(0x7a, 0x80.toByte(), 0x80.toByte(), 0x20) + ByteArray(524_288)) }
        }
        trial.fails<ProtocolViolatedException>()
    }

    @Test
    fun `the words of a refusal are plain and short`() {
        val words = "evil\n2026-01-01 INFO all is well \u202egnp.exe\u0000" + "x".repeat(100_000)
        val told = ServerRefusedException(refusal(9, words, words, mapOf(words to words), -5)).message.orEmpty()
        assertTrue(told.length < 400)
        assertTrue(told.none { it.isISOControl() || it == '\u202e' })
        val json = """{"code":9,"message":"a\nb","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo",
            "domain":"facegate.org","reason":"R\nS"}]}"""
        assertEquals(Refusal(9, "R S", "a b", emptyMap(), 0), refusalOf(json))
    }
}
