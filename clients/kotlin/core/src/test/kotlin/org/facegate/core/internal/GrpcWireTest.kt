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
import java.io.IOException
import java.net.InetAddress
import java.net.Proxy
import java.net.ProxySelector
import java.net.ServerSocket
import java.net.SocketAddress
import java.net.URI
import java.util.concurrent.CopyOnWriteArrayList

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

    @Test
    fun `a server on this device is asked for no proxy`() {
        val asked = CopyOnWriteArrayList<URI>()
        val before = ProxySelector.getDefault()
        ProxySelector.setDefault(object : ProxySelector() {
            override fun select(uri: URI): List<Proxy> = listOf(Proxy.NO_PROXY).also { asked += uri }

            override fun connectFailed(uri: URI, address: SocketAddress, error: IOException) = Unit
        })
        try {
            ServerSocket(0, 2, InetAddress.getLoopbackAddress()).use { server ->
                val grpc = ServerAddress.Grpc("127.0.0.1", server.localPort, plaintext = true)
                val web = ServerAddress.WebSocket("ws://127.0.0.1:${server.localPort}", "https://bank.example")
                val ticket = ScanTicket("token", ByteArray(32))
                for (open in listOf({ GrpcWire(grpc, ScanOptions(grpc, ticket)) }, { WebSocketWire(web, ScanOptions(web, ticket)) })) {
                    val wire = open()
                    server.accept().use { assertTrue(it.inputStream.read() >= 0) }
                    wire.drop()
                }
            }
        } finally {
            ProxySelector.setDefault(before)
        }
        // Java itself asks at each socket, for SOCKS.
        assertEquals(emptyList<URI>(), asked.filter { it.scheme != "socket" })
    }

    private fun awaitNoThread(name: String) {
        val busy = { Thread.getAllStackTraces().filter { (it, at) -> it.name.startsWith(name) && at.any { it.className.startsWith("io.grpc") } } }
        for (wait in 1..600) if (busy().isNotEmpty()) Thread.sleep(100)
        assertEquals(emptyMap<Thread, Any>(), busy())
    }
}
