package org.facegate.core.internal

import com.google.protobuf.ByteString
import com.google.protobuf.InvalidProtocolBufferException
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.withTimeout
import org.facegate.core.ProtocolViolatedException
import org.facegate.core.ScanTicket
import org.facegate.core.ServerNotTrustedException
import org.facegate.core.SessionKey
import org.facegate.v1.Attestation
import org.facegate.v1.AttemptEnd
import org.facegate.v1.AttemptEndBody
import org.facegate.v1.AttemptReady
import org.facegate.v1.AttemptStart
import org.facegate.v1.Challenge
import org.facegate.v1.ChallengeBody
import org.facegate.v1.Frame
import org.facegate.v1.ResumeProof
import org.facegate.v1.ScanFaceRequest
import org.facegate.v1.ScanFaceResponse
import org.facegate.v1.ScanStart
import java.security.GeneralSecurityException

private const val PROTOCOL_VERSION = 1
private const val HANDSHAKE_MS = 10_000L
private const val CLOSE_MS = 5_000L
private const val NONCE_BYTES = 32

/** A stream with a verified challenge. One reader at a time. */
internal class ScanStream private constructor(
    private val wire: Wire,
    private val session: SessionKey,
    private val chain: MacChain,
    /** The server's parameters. */
    val challenge: ChallengeBody,
    /** The binding hash H, 32 bytes. */
    val binding: ByteArray,
) {
    /** The last MAC of the chain, 32 bytes. */
    val lastMac: ByteArray get() = chain.value

    /** Whether an earlier message has not left the device yet. */
    val busy: Boolean get() = wire.busy

    /** Waits for the next message; null at the end of the stream with OK. */
    suspend fun receive(): ScanFaceResponse? = wire.receive()

    /** Enters the marker of an attempt into the chain. */
    fun markAttempt(start: AttemptStart) {
        chain.markAttempt(start.attempt, start.nonce.toByteArray())
    }

    fun sendFrame(header: ByteArray, image: ByteArray) {
        val mac = chain.addFrame(header, image)
        send {
            frame = Frame.newBuilder()
                .setHeader(ByteString.copyFrom(header))
                .setImage(ByteString.copyFrom(image))
                .setMac(ByteString.copyFrom(mac))
                .build()
        }
    }

    /** Sends the end of an attempt with the session key's signature. */
    suspend fun sendAttemptEnd(end: AttemptEndBody) {
        val body = end.toByteArray()
        val signature = session.sign(Transcript.attemptEnd(binding, body))
        send {
            attemptEnd = AttemptEnd.newBuilder()
                .setBody(ByteString.copyFrom(body))
                .setSignature(ByteString.copyFrom(signature))
                .build()
        }
    }

    /** Reports that the person is ready for the next attempt. */
    fun sendReady(afterAttempt: Int) = send {
        attemptReady = AttemptReady.newBuilder().setAfterAttempt(afterAttempt).build()
    }

    /** Proves the session key on a reconnect. */
    suspend fun sendResumeProof() {
        val signature = session.sign(Transcript.resume(binding))
        send { resumeProof = ResumeProof.newBuilder().setSignature(ByteString.copyFrom(signature)).build() }
    }

    fun sendAttestation(attestation: Attestation) = send { this.attestation = attestation }

    /** Half-closes, which ends the scan for good, and waits for the server's end. */
    suspend fun close() {
        wire.halfClose()
        try {
            withTimeout(CLOSE_MS) { while (wire.receive() != null) continue }
        } catch (_: TimeoutCancellationException) {
            // The scan is decided; how the connection ends does not matter.
        } catch (error: kotlinx.coroutines.CancellationException) {
            throw error
        } catch (_: Exception) {
            // As above.
        } finally {
            drop()
        }
    }

    /** Drops the connection. The scan may continue in another stream. */
    fun drop() {
        wire.drop()
        chain.wipe()
    }

    private inline fun send(message: ScanFaceRequest.Builder.() -> Unit) =
        wire.send(ScanFaceRequest.newBuilder().apply(message).build())

    companion object {
        /**
         * Opens a stream and verifies the server's challenge.
         *
         * @param profile ScanStart with everything but token, keys and version.
         */
        suspend fun open(
            connect: () -> Wire,
            ticket: ScanTicket,
            session: SessionKey,
            profile: ScanStart,
            share: KeyShare = KeyShare.generate(),
            serialise: (ScanStart) -> ByteArray = ::tokenLast,
        ): ScanStream {
            val wire = connect()
            try {
                within("the server was not reached") { wire.open() }
                val opening = profile.toBuilder()
                    .setProtocolVersion(PROTOCOL_VERSION)
                    .setToken(ticket.token)
                    .setKeyShare(ByteString.copyFrom(share.public))
                    .setSessionPublicKey(ByteString.copyFrom(session.publicDer))
                    .setServerSpkiSha256(ByteString.copyFrom(wire.serverSpkiSha256))
                    .build()
                val start = serialise(opening)
                wire.send(ScanFaceRequest.newBuilder().setStart(ByteString.copyFrom(start)).build())
                // As long again for the Challenge, however long it took to connect.
                val first = within("no Challenge came") { wire.receive() }
                    ?: throw StreamLost("the server closed the stream without a Challenge")
                if (!first.hasChallenge()) throw ProtocolViolatedException("the first message is not a Challenge")
                val body = verified(first.challenge, start, ticket.challengeKeySha256)
                val nonce = body.nonce.toByteArray()
                val serverShare = body.keyShare.toByteArray()
                val binding = Transcript.bindingHash(
                    ticket.token,
                    nonce,
                    share.public,
                    serverShare,
                    session.publicDer,
                    wire.serverSpkiSha256,
                    start,
                )
                val secret = try {
                    share.secretWith(serverShare)
                } catch (_: GeneralSecurityException) {
                    throw ProtocolViolatedException("the server's key share cannot be used")
                }
                val key = Transcript.macKey(secret, nonce, binding)
                secret.fill(0)
                return ScanStream(wire, session, MacChain(key, binding), body, binding)
            } catch (error: Throwable) {
                wire.drop()
                throw error
            } finally {
                share.wipe()
            }
        }
    }
}

/** The token comes last, because gRPC's finest log shows the first 64 bytes of a message. */
private fun tokenLast(start: ScanStart): ByteArray =
    start.toBuilder().clearToken().build().toByteArray() +
        ScanStart.newBuilder().setToken(start.token).build().toByteArray()

private suspend fun <T> within(otherwise: String, block: suspend () -> T): T = try {
    withTimeout(HANDSHAKE_MS) { block() }
} catch (_: TimeoutCancellationException) {
    throw StreamLost("$otherwise within ${HANDSHAKE_MS / 1000} seconds")
}

/** The body of a challenge for the ScanStart, signed by the pinned key. */
internal fun verified(challenge: Challenge, start: ByteArray, pinned: ByteArray): ChallengeBody {
    val key = challenge.signingPublicKey.toByteArray()
    if (!sha256(key).contentEquals(pinned)) {
        throw ServerNotTrustedException("the challenge is signed with a key other than the pinned one")
    }
    val body = challenge.body.toByteArray()
    if (!isSignedBy(key, Transcript.challenge(start, body), challenge.signature.toByteArray())) {
        throw ServerNotTrustedException("the signature of the challenge is wrong")
    }
    val read = try {
        ChallengeBody.parseFrom(body)
    } catch (_: InvalidProtocolBufferException) {
        throw ProtocolViolatedException("the body of the challenge cannot be read")
    }
    if (read.protocolVersion != PROTOCOL_VERSION || read.nonce.size() != NONCE_BYTES) {
        throw ProtocolViolatedException("the challenge is of another version of the protocol")
    }
    return read
}
