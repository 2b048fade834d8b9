package org.facegate.core.internal

import java.io.FilterInputStream
import java.io.IOException
import java.io.InputStream
import java.io.OutputStream
import java.net.InetAddress
import java.net.InetSocketAddress
import java.net.Socket
import java.net.SocketAddress
import java.util.concurrent.atomic.AtomicInteger
import javax.net.SocketFactory
import javax.net.ssl.HandshakeCompletedListener
import javax.net.ssl.SSLParameters
import javax.net.ssl.SSLSession
import javax.net.ssl.SSLSocket
import javax.net.ssl.SSLSocketFactory

/**
 * Counts what comes through a connection from one message to the next, because OkHttp keeps a message of a WebSocket of any
 * length in memory before it hands it over.
 */
internal class Inflow(private val most: Int, private val onExcess: () -> Unit) {
    private val bytes = AtomicInteger()

    /** A message is complete. */
    fun begin() = bytes.set(0)

    fun counted(stream: InputStream): InputStream = object : FilterInputStream(stream) {
        override fun read(): Int = super.read().also { if (it >= 0) count(1) }

        override fun read(buffer: ByteArray, offset: Int, length: Int): Int =
            super.read(buffer, offset, length).also(::count)
    }

    private fun count(read: Int) {
        if (read <= 0 || bytes.addAndGet(read) <= most) return
        onExcess()
        throw IOException("a message of the server is too long")
    }
}

/**
 * Makes the sockets of one channel of gRPC, which by itself waits without end, with two threads, for a server that does not
 * accept or does not complete TLS, also after it was shut down.
 */
internal class ClosableSockets(private val connectMs: Int) : SocketFactory() {
    private val made = ArrayList<Socket>()
    private var closed = false

    /** Closes all sockets, also later ones. */
    fun close() {
        val open = synchronized(made) {
            closed = true
            made.toList()
        }
        for (socket in open) {
            try {
                socket.close()
            } catch (_: IOException) {
                // It is given up in any case.
            }
        }
    }

    override fun createSocket(): Socket = Socket().also {
        synchronized(made) {
            if (closed) throw IOException("the connection was dropped")
            made += it
        }
    }

    override fun createSocket(host: String, port: Int): Socket = connected(InetSocketAddress(host, port))

    override fun createSocket(host: InetAddress, port: Int): Socket = connected(InetSocketAddress(host, port))

    private fun connected(address: InetSocketAddress) = createSocket().apply {
        try {
            connect(address, connectMs)
        } catch (error: IOException) {
            close()
            throw error
        }
    }

    // gRPC binds no sockets.
    override fun createSocket(host: String, port: Int, localHost: InetAddress, localPort: Int): Socket =
        throw UnsupportedOperationException()

    override fun createSocket(host: InetAddress, port: Int, localHost: InetAddress, localPort: Int): Socket =
        throw UnsupportedOperationException()
}

/** Makes sockets without TLS whose bytes are counted. */
internal class BoundedSockets(private val inflow: Inflow) : SocketFactory() {
    override fun createSocket(): Socket = object : Socket() {
        override fun getInputStream(): InputStream = inflow.counted(super.getInputStream())
    }

    // OkHttp connects its sockets itself.
    override fun createSocket(host: String, port: Int): Socket = throw UnsupportedOperationException()

    override fun createSocket(host: String, port: Int, localHost: InetAddress, localPort: Int): Socket =
        throw UnsupportedOperationException()

    override fun createSocket(host: InetAddress, port: Int): Socket = throw UnsupportedOperationException()

    override fun createSocket(host: InetAddress, port: Int, localHost: InetAddress, localPort: Int): Socket =
        throw UnsupportedOperationException()
}

/** Makes sockets with TLS whose bytes are counted. */
internal class BoundedTls(private val factory: SSLSocketFactory, private val inflow: Inflow) : SSLSocketFactory() {
    override fun createSocket(socket: Socket, host: String, port: Int, autoClose: Boolean): Socket =
        BoundedTlsSocket(factory.createSocket(socket, host, port, autoClose) as SSLSocket, inflow)

    // OkHttp has connected its sockets before.
    override fun createSocket(host: String, port: Int): Socket = throw UnsupportedOperationException()

    override fun createSocket(host: String, port: Int, localHost: InetAddress, localPort: Int): Socket =
        throw UnsupportedOperationException()

    override fun createSocket(host: InetAddress, port: Int): Socket = throw UnsupportedOperationException()

    override fun createSocket(host: InetAddress, port: Int, localHost: InetAddress, localPort: Int): Socket =
        throw UnsupportedOperationException()

    override fun getDefaultCipherSuites(): Array<String> = factory.defaultCipherSuites

    override fun getSupportedCipherSuites(): Array<String> = factory.supportedCipherSuites
}

private class BoundedTlsSocket(private val socket: SSLSocket, private val inflow: Inflow) : SSLSocket() {
    override fun getInputStream(): InputStream = inflow.counted(socket.inputStream)

    override fun getOutputStream(): OutputStream = socket.outputStream

    override fun close() = socket.close()

    override fun connect(endpoint: SocketAddress?) = socket.connect(endpoint)

    override fun connect(endpoint: SocketAddress?, timeout: Int) = socket.connect(endpoint, timeout)

    override fun isConnected(): Boolean = socket.isConnected

    override fun isClosed(): Boolean = socket.isClosed

    override fun isBound(): Boolean = socket.isBound

    override fun isInputShutdown(): Boolean = socket.isInputShutdown

    override fun isOutputShutdown(): Boolean = socket.isOutputShutdown

    override fun getInetAddress(): InetAddress? = socket.inetAddress

    override fun getPort(): Int = socket.port

    override fun getLocalAddress(): InetAddress? = socket.localAddress

    override fun getLocalPort(): Int = socket.localPort

    override fun getRemoteSocketAddress(): SocketAddress? = socket.remoteSocketAddress

    override fun getLocalSocketAddress(): SocketAddress? = socket.localSocketAddress

    override fun setSoTimeout(timeout: Int) {
        socket.soTimeout = timeout
    }

    override fun getSoTimeout(): Int = socket.soTimeout

    override fun setTcpNoDelay(on: Boolean) {
        socket.tcpNoDelay = on
    }

    override fun getTcpNoDelay(): Boolean = socket.tcpNoDelay

    override fun getSupportedCipherSuites(): Array<String> = socket.supportedCipherSuites

    override fun getEnabledCipherSuites(): Array<String> = socket.enabledCipherSuites

    override fun setEnabledCipherSuites(suites: Array<String>?) {
        socket.enabledCipherSuites = suites
    }

    override fun getSupportedProtocols(): Array<String> = socket.supportedProtocols

    override fun getEnabledProtocols(): Array<String> = socket.enabledProtocols

    override fun setEnabledProtocols(protocols: Array<String>?) {
        socket.enabledProtocols = protocols
    }

    override fun getSSLParameters(): SSLParameters = socket.sslParameters

    override fun setSSLParameters(parameters: SSLParameters?) {
        socket.sslParameters = parameters
    }

    override fun getSession(): SSLSession = socket.session

    override fun getHandshakeSession(): SSLSession? = socket.handshakeSession

    override fun addHandshakeCompletedListener(listener: HandshakeCompletedListener?) =
        socket.addHandshakeCompletedListener(listener)

    override fun removeHandshakeCompletedListener(listener: HandshakeCompletedListener?) =
        socket.removeHandshakeCompletedListener(listener)

    override fun startHandshake() = socket.startHandshake()

    override fun setUseClientMode(mode: Boolean) {
        socket.useClientMode = mode
    }

    override fun getUseClientMode(): Boolean = socket.useClientMode

    override fun setNeedClientAuth(need: Boolean) {
        socket.needClientAuth = need
    }

    override fun getNeedClientAuth(): Boolean = socket.needClientAuth

    override fun setWantClientAuth(want: Boolean) {
        socket.wantClientAuth = want
    }

    override fun getWantClientAuth(): Boolean = socket.wantClientAuth

    override fun setEnableSessionCreation(flag: Boolean) {
        socket.enableSessionCreation = flag
    }

    override fun getEnableSessionCreation(): Boolean = socket.enableSessionCreation
}
