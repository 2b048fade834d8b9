package org.facegate.core

import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.ValueSource

class ServerAddressTest {
    @ParameterizedTest
    @ValueSource(strings = ["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"])
    fun `this device may be plaintext`(host: String) {
        ServerAddress.Grpc(host, 8443, plaintext = true)
        if (host != "::1") ServerAddress.WebSocket("ws://$host:8446", "https://example.com")
    }

    @ParameterizedTest
    @ValueSource(strings = ["scan.example.com", "10.0.2.2", "127.0.0.1.example.com", "localhost.example.com", "1127.0.0.1"])
    fun `other hosts need TLS`(host: String) {
        assertThrows(IllegalArgumentException::class.java) { ServerAddress.Grpc(host, 8443, plaintext = true) }
        assertThrows(IllegalArgumentException::class.java) { ServerAddress.WebSocket("ws://$host", "https://example.com") }
        ServerAddress.Grpc(host, 8443)
        ServerAddress.WebSocket("wss://$host:8446/", "https://example.com")
    }

    @ParameterizedTest
    @ValueSource(
        strings = [
            "https://scan.example.com", "wss://scan.example.com/path", "wss://", "ws://localhost@scan.example.com",
            "ws://localhost\\@scan.example.com", "ws://localhost?x", "ws://localhost#x",
        ],
    )
    fun `a WebSocket has an address without a path`(url: String) {
        assertThrows(IllegalArgumentException::class.java) { ServerAddress.WebSocket(url, "https://example.com") }
    }
}
