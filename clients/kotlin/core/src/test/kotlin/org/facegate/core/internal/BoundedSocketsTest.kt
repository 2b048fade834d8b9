package org.facegate.core.internal

import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.facegate.core.ProtocolViolatedException
import org.facegate.core.ScanOptions
import org.facegate.core.ScanTicket
import org.facegate.core.ServerAddress
import org.facegate.v1.Feedback
import org.facegate.v1.ScanFaceResponse
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Timeout
import org.junit.jupiter.api.io.TempDir
import java.io.ByteArrayOutputStream
import java.io.IOException
import java.io.OutputStream
import java.net.InetAddress
import java.net.ServerSocket
import java.nio.file.Path
import java.security.KeyStore
import java.security.MessageDigest
import java.util.Base64
import java.util.concurrent.atomic.AtomicLong
import java.util.zip.Deflater
import javax.net.ServerSocketFactory
import javax.net.ssl.KeyManagerFactory
import javax.net.ssl.SSLContext
import javax.net.ssl.TrustManagerFactory
import javax.net.ssl.X509TrustManager
import kotlin.concurrent.thread

private const val MANY = 256L * 1024 * 1024

/** A server by WebSocket that sends too much. */
@Timeout(90)
class BoundedSocketsTest {
    private val written = AtomicLong()

    @Test
    fun `a message that is too long is not kept in memory`() = refuses { out ->
        out.write(byteArrayOf(0x82.toByte(), 127, 0, 0, 0, 0, 0x40, 0, 0, 0))
        flood(out, ByteArray(65_536))
    }

    @Test
    fun `nor one in many pieces`() = refuses { out ->
        out.write(byteArrayOf(0x02, 0))
        flood(out, byteArrayOf(0, 126, 0x40, 0) + ByteArray(0x4000))
    }

    @Test
    fun `nor one that was compressed`() = refuses("Sec-WebSocket-Extensions: permessage-deflate\r\n") { out ->
        val packed = ByteArray(400_000)
        val deflater = Deflater(9, true).apply { setInput(ByteArray(300_000_000)) }
        val size = deflater.deflate(packed, 0, packed.size, Deflater.SYNC_FLUSH)
        out.write(byteArrayOf(0xc2.toByte(), 127, 0, 0, 0, 0, 0, (size shr 16).toByte(), (size shr 8).toByte(), size.toByte()))
        out.write(packed, 0, size)
    }

    @Test
    fun `nor one through TLS`(@TempDir folder: Path) {
        val store = folder.resolve("keys.p12")
        val tool = ProcessBuilder(
            "${System.getProperty("java.home")}/bin/keytool", "-genkeypair", "-alias", "a", "-keyalg", "EC", "-keystore", "$store",
            "-storepass", "secret", "-dname", "CN=localhost", "-ext", "san=dns:localhost", "-validity", "2",
        ).redirectErrorStream(true).start()
        tool.inputStream.readBytes()
        assertEquals(0, tool.waitFor())
        val keys = KeyStore.getInstance("PKCS12")
        store.toFile().inputStream().use { keys.load(it, "secret".toCharArray()) }
        val own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm()).apply { init(keys, "secret".toCharArray()) }
        val trusted = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm()).apply { init(keys) }
        val tls = SSLContext.getInstance("TLS").apply { init(own.keyManagers, trusted.trustManagers, null) }
        refuses(tls = tls, trust = trusted.trustManagers.single() as X509TrustManager) { out ->
            out.write(byteArrayOf(0x82.toByte(), 127, 0, 0, 0, 0, 0x40, 0, 0, 0))
            flood(out, ByteArray(65_536))
        }
    }

    private fun flood(out: OutputStream, piece: ByteArray) {
        while (written.get() < MANY) {
            out.write(piece)
            written.addAndGet(piece.size.toLong())
        }
    }

    /** Sends a good message, then these, which the device has to refuse soon. */
    private fun refuses(
        header: String = "",
        tls: SSLContext? = null,
        trust: X509TrustManager? = null,
        send: (OutputStream) -> Unit,
    ) {
        val factory = tls?.serverSocketFactory ?: ServerSocketFactory.getDefault()
        factory.createServerSocket(0, 1, InetAddress.getLoopbackAddress()).use { server ->
            val serving = thread { serve(server, header, send) }
            val address = "${if (tls == null) "ws" else "wss"}://localhost:${server.localPort}"
            val options = ScanOptions(
                ServerAddress.WebSocket(address, "http://localhost"),
                ScanTicket("token", ByteArray(32)),
                tls = tls?.socketFactory,
                trust = trust,
            )
            val wire = WebSocketWire(options.server as ServerAddress.WebSocket, options)
            val error = runBlocking {
                withTimeout(60_000) {
                    wire.open()
                    assertTrue(checkNotNull(wire.receive()).hasFeedback())
                    runCatching { wire.receive() }.exceptionOrNull()
                }
            }
            wire.drop()
            if (header.isEmpty()) assertThrows(ProtocolViolatedException::class.java) { throw checkNotNull(error) }
            checkNotNull(error)
            serving.join()
            assertTrue(written.get() < 32 * 1024 * 1024, "${written.get()} bytes were taken")
        }
    }

    private fun serve(server: ServerSocket, header: String, send: (OutputStream) -> Unit) = try {
        server.accept().use { socket ->
            val request = ByteArrayOutputStream()
            while (!request.toString().endsWith("\r\n\r\n")) request.write(socket.inputStream.read())
            val key = Regex("Sec-WebSocket-Key: (.*)\r\n").find(request.toString())!!.groupValues[1]
            val accept = MessageDigest.getInstance("SHA-1").digest("${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".toByteArray())
            val out = socket.outputStream
            out.write(
                ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n$header" +
                    "Sec-WebSocket-Accept: ${Base64.getEncoder().encodeToString(accept)}\r\n\r\n").toByteArray(),
            )
            val good = ScanFaceResponse.newBuilder().setFeedback(Feedback.newBuilder().setFrameIndex(1)).build().toByteArray()
            out.write(byteArrayOf(0x82.toByte(), good.size.toByte()) + good)
            send(out)
            out.flush()
            while (socket.inputStream.read() >= 0) continue
        }
    } catch (_: IOException) {
        // The device left, as it has to.
    }
}
