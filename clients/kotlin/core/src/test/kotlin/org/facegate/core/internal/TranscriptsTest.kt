package org.facegate.core.internal

import com.google.gson.JsonObject
import kotlinx.coroutines.test.runTest
import org.facegate.core.ProtocolViolatedException
import org.facegate.core.ScanTicket
import org.facegate.core.ServerNotTrustedException
import org.facegate.core.SessionKey
import org.facegate.v1.AttemptEndBody
import org.facegate.v1.ScanFaceRequest
import org.facegate.v1.ScanFaceRequest.MessageCase as Sent
import org.facegate.v1.ScanFaceResponse
import org.facegate.v1.ScanFaceResponse.MessageCase as Received
import org.facegate.v1.ScanStart
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.TestFactory
import org.junit.jupiter.api.assertThrows

/** The recorded scans, `protos/conformance/transcripts.json`. */
class TranscriptsTest {
    private val recorded = json("protos/conformance/transcripts.json")

    @TestFactory
    fun accepted(): List<DynamicTest> = recorded.getAsJsonArray("accepted").map { it.asJsonObject }.map { scan ->
        dynamicTest(scan["name"].asString) {
            runTest { for (stream in scan.getAsJsonArray("streams")) replay(scan, stream.asJsonObject) }
        }
    }

    /** Opens the stream with the recorded keys, and repeats what the device sent. */
    private suspend fun replay(scan: JsonObject, recorded: JsonObject) {
        val (wire, stream) = opened(scan, recorded)
        assertEquals(recorded["binding_hash"].asString, hex(stream.binding))
        for (message in recorded.getAsJsonArray("messages").map { it.asJsonObject }.drop(2)) {
            val content = bytes(message["bytes"].asString)
            if (message["from"].asString == "server") {
                val response = ScanFaceResponse.parseFrom(content)
                if (response.messageCase == Received.ATTEMPT_START) stream.markAttempt(response.attemptStart)
                continue
            }
            val request = ScanFaceRequest.parseFrom(content)
            when (request.messageCase) {
                Sent.FRAME -> {
                    stream.sendFrame(request.frame.header.toByteArray(), request.frame.image.toByteArray())
                    assertEquals(request, wire.sent.last())
                }
                Sent.ATTEMPT_END -> {
                    val body = AttemptEndBody.parseFrom(request.attemptEnd.body)
                    assertEquals(hex(body.lastMac.toByteArray()), hex(stream.lastMac))
                    val key = ScanStart.parseFrom(wire.sent.first().start).sessionPublicKey.toByteArray()
                    val signed = Transcript.attemptEnd(stream.binding, request.attemptEnd.body.toByteArray())
                    assertTrue(isSignedBy(key, signed, request.attemptEnd.signature.toByteArray()))
                }
                Sent.ATTEMPT_READY -> {
                    stream.sendReady(request.attemptReady.afterAttempt)
                    assertEquals(request, wire.sent.last())
                }
                Sent.RESUME_PROOF -> {
                    val key = ScanStart.parseFrom(wire.sent.first().start).sessionPublicKey.toByteArray()
                    val signature = request.resumeProof.signature.toByteArray()
                    assertTrue(isSignedBy(key, Transcript.resume(stream.binding), signature))
                }
                else -> Unit
            }
        }
    }

    @TestFactory
    fun refused(): List<DynamicTest> = recorded.getAsJsonArray("refused").map { it.asJsonObject }
        .filter { it["refused_by"].asString == "device" }
        .map { scan ->
            dynamicTest(scan["name"].asString) {
                runTest {
                    val stream = scan.getAsJsonArray("streams")[scan["stream"].asInt].asJsonObject
                    val broken = when (scan["reason"].asString) {
                        "PINNED_KEY", "CHALLENGE_SIGNATURE" -> ServerNotTrustedException::class.java
                        else -> ProtocolViolatedException::class.java
                    }
                    val error = assertThrows<Exception> { opened(scan, stream) }
                    assertEquals(broken, error.javaClass)
                }
            }
        }

    private suspend fun opened(scan: JsonObject, recorded: JsonObject): Pair<RecordedWire, ScanStream> {
        val keys = scan.getAsJsonObject("keys")
        val messages = recorded.getAsJsonArray("messages").map { bytes(it.asJsonObject["bytes"].asString) }
        val start = ScanFaceRequest.parseFrom(messages[0]).start
        val profile = ScanStart.parseFrom(start)
        val ticket = ScanTicket(keys["token"].asString, bytes(keys["challenge_key_sha256"].asString))
        val session = object : SessionKey {
            override val publicDer = profile.sessionPublicKey.toByteArray()

            override suspend fun sign(message: ByteArray) = ByteArray(0)

            override fun delete() = Unit
        }
        val wire = RecordedWire(profile.serverSpkiSha256.toByteArray(), ScanFaceResponse.parseFrom(messages[1]))
        val share = PlainShare(bytes(recorded["device_x25519_private"].asString))
        val stream = ScanStream.open({ wire }, ticket, session, profile, share, ScanStart::toByteArray)
        assertArrayEquals(start.toByteArray(), wire.sent.first().start.toByteArray())
        return Pair(wire, stream)
    }

    private class RecordedWire(override val serverSpkiSha256: ByteArray, first: ScanFaceResponse) : Wire() {
        val sent = ArrayList<ScanFaceRequest>()
        override val busy = false

        init {
            opened.complete(Unit)
            take(first.toByteArray())
        }

        override fun send(message: ScanFaceRequest) {
            sent += message
        }

        override fun halfClose() = Unit

        override fun drop() = finish(StreamLost("dropped"))
    }
}
