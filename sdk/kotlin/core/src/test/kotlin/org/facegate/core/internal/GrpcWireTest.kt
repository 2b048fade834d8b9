package org.facegate.core.internal

import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeoutOrNull
import org.facegate.core.ScanOptions
import org.facegate.core.ScanTicket
import org.facegate.core.ServerAddress
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Timeout
import java.net.InetAddress
import java.net.ServerSocket

@Timeout(180)
class GrpcWireTest {
    @Test
    fun `a connection whose TLS is never completed is closed with its stream`() {
        ServerSocket(0, 1, InetAddress.getLoopbackAddress()).use { server ->
            val address = ServerAddress.Grpc("localhost", server.localPort)
            val wire = GrpcWire(address, ScanOptions(address, ScanTicket("token", ByteArray(32))))
            server.accept().use { connection ->
                connection.soTimeout = 60_000
                assertTrue(connection.inputStream.read() >= 0)
                assertNull(runBlocking { withTimeoutOrNull(200) { wire.open() } })
                wire.drop()
                while (connection.inputStream.read() >= 0) continue
            }
            awaitNoThread("grpc-okhttp")
        }
    }

    private fun awaitNoThread(name: String) {
        val busy = { Thread.getAllStackTraces().filter { (it, at) -> it.name.startsWith(name) && at.any { it.className.startsWith("io.grpc") } } }
        for (wait in 1..600) if (busy().isNotEmpty()) Thread.sleep(100)
        assertEquals(emptyMap<Thread, Any>(), busy())
    }
}
