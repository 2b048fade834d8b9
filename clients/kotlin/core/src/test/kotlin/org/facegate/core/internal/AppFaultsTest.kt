package org.facegate.core.internal

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.currentTime
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.withContext
import org.facegate.core.Attestor
import org.facegate.core.CameraException
import org.facegate.core.FaceScan
import org.facegate.core.InternalErrorException
import org.facegate.core.KeyStore
import org.facegate.core.Phone
import org.facegate.core.ScanCancelledException
import org.facegate.core.ScanOptions
import org.facegate.core.ScanState
import org.facegate.core.ScanStatus
import org.facegate.core.ScanTicket
import org.facegate.core.ServerAddress
import org.facegate.core.SessionKey
import org.facegate.core.SoftwareKeyStore
import org.facegate.core.UnsupportedDeviceException
import org.facegate.core.runner.TestEvidence
import org.facegate.v1.Attestation
import org.facegate.v1.AttemptEndBody.Cause
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Timeout
import org.facegate.v1.ScanStatus as Status

/** Whatever the app's own code does, the scan goes on or ends, says so, and keeps a verdict. */
@OptIn(kotlinx.coroutines.ExperimentalCoroutinesApi::class)
class AppFaultsTest {
    private var deleted = 0
    private val happy: suspend FakeStream.() -> Unit = {
        shakeHands()
        if (capture(1)) succeed()
    }

    /** A key store with these calls; the key counts how often it is deleted. */
    private fun keys(making: suspend () -> Unit = {}, signing: suspend () -> Unit = {}, deleting: () -> Unit = {}) =
        KeyStore {
            making()
            val key = SoftwareKeyStore().newSessionKey()
            object : SessionKey by key {
                override suspend fun sign(message: ByteArray): ByteArray {
                    signing()
                    return key.sign(message)
                }

                override fun delete() {
                    deleted += 1
                    deleting()
                }
            }
        }

    private suspend fun forever(): Unit = withContext(NonCancellable) { awaitCancellation() }

    private fun TestScope.cancelAfter(trial: Trial, ms: Long) = backgroundScope.launch {
        delay(ms)
        trial.scan.cancel()
    }

    @Test
    fun `a key that is never made ends the scan, which says so meanwhile`() = runTest {
        val trial = Trial(this, keys = keys(making = ::forever), script = happy)
        trial.fails<UnsupportedDeviceException>()
        assertTrue(currentTime in 10_000..17_000)
        assertTrue(trial.seen<ScanState.OpeningCamera>().last().forMs >= 10_000)
    }

    @Test
    fun `a person leaves a scan without a key at once, and a key that comes late is deleted`() = runTest {
        val trial = Trial(this, keys = keys(making = { withContext(NonCancellable) { delay(8000) } }), script = happy)
        cancelAfter(trial, 2000)
        trial.fails<ScanCancelledException>()
        assertEquals(2000, currentTime)
        delay(10_000)
        assertEquals(1, deleted)
    }

    @Test
    fun `a camera that never opens ends the scan, and is closed if it opens at last`() = runTest {
        val trial = Trial(this, script = happy)
        var closings = 0
        trial.camera.onOpen = { withContext(NonCancellable) { delay(60_000) } }
        trial.camera.onClose = { closings += 1 }
        trial.fails<CameraException>()
        assertTrue(currentTime in 20_000..33_000)
        val before = closings
        delay(60_000)
        assertEquals(before + 1, closings)
        assertEquals(1, trial.camera.openings)
        assertEquals(0, trial.camera.held)
    }

    @Test
    fun `a key that never signs ends the scan`() = runTest {
        val trial = Trial(this, keys = keys(signing = ::forever), script = happy)
        trial.fails<UnsupportedDeviceException>()
        assertTrue(currentTime < 10_000)
        assertEquals(1, deleted)
    }

    @Test
    fun `a verdict outlives what goes wrong after it, and each step of the end is made`() {
        val faults = listOf({ error("broken") }, { throw StackOverflowError() }, { throw CancellationException("mine") })
        for (fault in faults) {
            runTest {
                deleted = 0
                val trial = Trial(this, keys = keys(deleting = { fault() }), script = happy)
                var steps = 0
                trial.camera.onFrameClose = { fault() }
                trial.camera.onClose = {
                    steps += 1
                    fault()
                }
                trial.screen.onRestore = {
                    steps += 10
                    fault()
                }
                assertEquals(ScanStatus.SUCCESS, trial.run().status)
                assertTrue(steps >= 11)
                assertEquals(1, deleted)
            }
        }
    }

    @Test
    fun `a verdict outlives code that does not return`() = runTest {
        val trial = Trial(this) {
            shakeHands()
            capture(1)
            complete()
            end()
            blockedAt?.invoke()
            decide(Status.SCAN_STATUS_SUCCESS)
            left()
        }
        blockedAt = { trial.workers.blocked = true }
        assertEquals(ScanStatus.SUCCESS, trial.scan.run().status)
        assertInstanceOf(ScanState.Finished::class.java, trial.scan.state.value)
        assertTrue(currentTime < 5000)
    }

    private var blockedAt: (() -> Unit)? = null

    @Test
    fun `a person can leave whenever code stops returning`() {
        for (blockedMs in listOf(0L, 50, 120, 300, 700, 1500, 3000)) {
            runTest {
                val trial = Trial(this) {
                    delay(200)
                    shakeHands()
                    begin(1, frames = 1000, bytes = 100_000_000)
                    delay(1500)
                    complete()
                    while (next() != null) continue
                }
                backgroundScope.launch {
                    delay(blockedMs)
                    trial.workers.blocked = true
                }
                cancelAfter(trial, 4000)
                val error = runCatching { trial.scan.run() }.exceptionOrNull()
                assertInstanceOf(ScanState.Failed::class.java, trial.scan.state.value)
                assertTrue(currentTime <= 9100, "blocked at $blockedMs ms, over at $currentTime ms: $error")
            }
        }
    }

    @Test
    fun `a cancelled coroutine ends though code does not return`() = runTest {
        val trial = Trial(this) {
            shakeHands()
            begin(1, frames = 1000, bytes = 100_000_000)
            while (next() != null) continue
        }
        val running = backgroundScope.async { trial.scan.run() }
        delay(2000)
        trial.workers.blocked = true
        delay(500)
        running.cancel()
        running.join()
        assertTrue(currentTime <= 4500)
        assertInstanceOf(ScanState.Failed::class.java, trial.scan.state.value)
    }

    @Test
    fun `a picture that is never encoded ends the attempt`() = runTest {
        val trial = Trial(this) {
            shakeHands()
            begin(1, frames = 1000, bytes = 100_000_000)
            check(checkNotNull(end()).cause == Cause.CAUSE_CAMERA_FAILED)
            decide(Status.SCAN_STATUS_FAILURE)
            left()
        }
        backgroundScope.launch {
            trial.scan.state.first { it is ScanState.Capturing }
            delay(400)
            trial.workers.blocked = true
            delay(200)
            trial.workers.blocked = false
        }
        assertEquals(ScanStatus.FAILURE, trial.scan.run().status)
    }

    @Test
    fun `what is thrown ends the scan with a state that says so`() {
        val thrown = listOf(OutOfMemoryError(), StackOverflowError(), CancellationException("mine"), IllegalStateException())
        for (error in thrown) {
            runTest {
                val trial = Trial(this, script = happy)
                trial.camera.onEncode = { throw error }
                trial.fails<InternalErrorException>()
            }
            if (error is IllegalStateException && error !is CancellationException) continue
            runTest {
                val trial = Trial(this, script = happy)
                trial.camera.onOpen = { throw error }
                trial.fails<InternalErrorException>()
            }
        }
    }

    @Test
    fun `evidence that never comes does not keep the scan`() = runTest {
        val never = object : Attestor {
            override suspend fun attest(challenge: ByteArray, message: ByteArray): Attestation {
                forever()
                error("never")
            }
        }
        val trial = Trial(this, evidence = TestEvidence(listOf(never)), script = happy)
        assertEquals(ScanStatus.SUCCESS, trial.run().status)
        assertTrue(currentTime < 10_000)
    }

    @Test
    fun `a camera that states nonsense about lost pictures is not believed`() = runTest {
        val trial = Trial(this, script = happy)
        trial.camera.lost = Int.MIN_VALUE
        assertTrue(trial.run().dropped >= 0)
    }

    @Test
    @Timeout(60)
    fun `threads that are blocked do not keep a person`() {
        runTest {
            val other = Trial(this, script = happy)
            val options = ScanOptions(ServerAddress.Grpc("localhost", 1, true), ScanTicket("token", ByteArray(32)))
            val keys = KeyStore { throw InterruptedException().also { Thread.sleep(60_000) } }
            val scan = FaceScan(options, Phone(other.camera, other.screen, TestEvidence(), keys, other.clock))
            val began = System.nanoTime()
            Thread {
                Thread.sleep(300)
                scan.cancel()
            }.start()
            assertInstanceOf(ScanCancelledException::class.java, runCatching { scan.run() }.exceptionOrNull())
            assertTrue(System.nanoTime() - began < 45e9)
        }
    }
}
