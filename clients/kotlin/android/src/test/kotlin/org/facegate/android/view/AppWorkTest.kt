package org.facegate.android.view

import java.io.IOException
import java.util.concurrent.Executors
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.StandardTestDispatcher
import kotlinx.coroutines.test.currentTime
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.withContext
import org.facegate.android.TicketSource
import org.facegate.android.evidence.hardwareOrSoftwareKey
import org.facegate.core.ScanTicket
import org.facegate.core.SessionKey
import org.facegate.core.SoftwareKeyStore
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertSame
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

@OptIn(ExperimentalCoroutinesApi::class)
class AppWorkTest {
    private val ticket = ScanTicket("token", ByteArray(32))

    @Test
    fun `a ticket that never comes is not awaited, whatever its source does`() = runTest {
        val threads = StandardTestDispatcher(testScheduler)
        val never = TicketSource { withContext(NonCancellable) { awaitCancellation() } }
        val error = runCatching { never.soon(threads) }.exceptionOrNull()
        assertInstanceOf(IOException::class.java, error)
        assertEquals(20_000, currentTime)
        assertSame(ticket, TicketSource { ticket }.soon(threads))
    }

    @Test
    fun `what a ticket's source throws is told, and no cancellation or Error`() = runTest {
        val threads = StandardTestDispatcher(testScheduler)
        val mine = IllegalArgumentException("mine")
        for (thrown in listOf(mine, CancellationException("mine"), StackOverflowError())) {
            val error = runCatching { TicketSource { throw thrown }.soon(threads) }.exceptionOrNull()
            assertTrue(error is Exception && error !is CancellationException, "$error")
            if (thrown === mine) assertInstanceOf(IllegalArgumentException::class.java, error)
        }
    }

    @Test
    fun `a flood of states does not reach the main thread`() = runTest {
        val states = MutableStateFlow(0)
        val posted = ArrayDeque<() -> Unit>()
        val taken = ArrayList<Int>()
        backgroundScope.launch { states.handOver(posted::addLast, taken::add) }
        repeat(1000) {
            states.value = it
            delay(1)
        }
        assertEquals(1, posted.size)
        posted.removeFirst()()
        delay(1)
        posted.removeFirst()()
        assertEquals(listOf(0, 999), taken)
    }

    @Test
    fun `a key store that does not answer is replaced, and its key deleted`() {
        val thread = Executors.newSingleThreadExecutor()
        val answer = java.util.concurrent.CountDownLatch(1)
        val deleted = java.util.concurrent.CountDownLatch(1)
        runTest {
            val soft = SoftwareKeyStore().newSessionKey()
            val late = object : SessionKey by soft {
                override fun delete() = deleted.countDown()
            }
            val key = hardwareOrSoftwareKey(thread.asCoroutineDispatcher()) {
                answer.await()
                late
            }
            assertFalse(key === late)
            answer.countDown()
            withContext(Dispatchers.IO) { deleted.await() }
            assertSame(late, hardwareOrSoftwareKey(StandardTestDispatcher(testScheduler)) { late })
            assertFalse(hardwareOrSoftwareKey(StandardTestDispatcher(testScheduler)) { error("out of order") } === late)
        }
        thread.shutdown()
    }
}
