package org.facegate.android.evidence

import com.google.protobuf.ByteString
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.async
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.withTimeoutOrNull
import org.facegate.core.Attestor
import org.facegate.core.EvidenceUnavailableException
import org.facegate.core.SessionKey
import org.facegate.core.SoftwareKeyStore
import org.facegate.v1.AndroidKeyAttestation
import org.facegate.v1.Attestation
import org.facegate.v1.AttestationUnavailable.Reason

/** A key of the hardware that states, by its certificates, for which challenge it was made. */
internal interface AttestedKey {
    /** DER certificates, the key's own first, the root last. */
    val chain: List<ByteArray>

    /** ECDSA with SHA-256, ASN.1 DER. */
    fun sign(message: ByteArray): ByteArray

    fun delete()
}

/** Makes keys of the hardware. */
internal fun interface AttestedKeys {
    /**
     * @param strongBox in a chip of its own.
     * @throws StrongBoxMissingException there is none.
     */
    fun make(challenge: ByteArray, strongBox: Boolean): AttestedKey
}

/** The phone has no StrongBox, or it is out of order. */
internal class StrongBoxMissingException(cause: Throwable? = null) : Exception(cause)

/**
 * Android key attestation: a new P-256 key in each scan whose challenge is the scan's, in StrongBox if the phone has one.
 * The key signs once and is deleted.
 */
internal class KeyAttestor(
    private val keys: AttestedKeys,
    private val context: CoroutineDispatcher,
    private val limitMs: Long = LIMIT_MS,
) : Attestor {
    override suspend fun attest(challenge: ByteArray, message: ByteArray): Attestation = try {
        // A StrongBox takes seconds, and some never answer: the thread that waits for it is left behind.
        val made = CoroutineScope(context).async { make(challenge, message) }
        withTimeout(limitMs) { made.await() }
    } catch (late: TimeoutCancellationException) {
        throw unavailable(Reason.REASON_TIMED_OUT, late)
    }

    private fun make(challenge: ByteArray, message: ByteArray): Attestation {
        val key = try {
            try {
                keys.make(challenge, strongBox = true)
            } catch (_: StrongBoxMissingException) {
                keys.make(challenge, strongBox = false)
            }
        } catch (problem: Exception) {
            throw unavailable(Reason.REASON_REFUSED, problem)
        }
        try {
            val chain = key.chain
            // A phone that does not attest gives the key's own certificate only.
            if (chain.size !in CERTIFICATES || chain.any { it.size > LONGEST_CERTIFICATE }) {
                throw EvidenceUnavailableException(Reason.REASON_NOT_SUPPORTED, "a chain of ${chain.size} certificates")
            }
            val evidence = AndroidKeyAttestation.newBuilder()
                .addAllCertificateChain(chain.map(ByteString::copyFrom))
                .setSignature(ByteString.copyFrom(key.sign(message)))
            return Attestation.newBuilder().setAndroidKey(evidence).build()
        } catch (problem: EvidenceUnavailableException) {
            throw problem
        } catch (problem: Exception) {
            throw unavailable(Reason.REASON_REFUSED, problem)
        } finally {
            runCatching(key::delete)
        }
    }

    private fun unavailable(reason: Reason, problem: Exception): EvidenceUnavailableException {
        val name = generateSequence<Throwable>(problem) { it.cause }.last().javaClass.simpleName
        return EvidenceUnavailableException(reason, name.take(LONGEST_NAME))
    }

    private companion object {
        const val LIMIT_MS = 15_000L
        const val LONGEST_CERTIFICATE = 8192
        const val LONGEST_NAME = 64
        val CERTIFICATES = 3..10
    }
}

/** Less than a scan waits for a key. */
private const val HARDWARE_MS = 8000L

/**
 * A session key that is made on a thread that may be blocked. If that fails or takes too long, as where a key store is out of
 * order, a key in memory; the other one is deleted when it comes.
 */
internal suspend fun hardwareOrSoftwareKey(threads: CoroutineDispatcher, make: () -> SessionKey): SessionKey {
    val answer = CompletableDeferred<SessionKey?>()
    CoroutineScope(threads).launch {
        val made = runCatching(make).getOrNull()
        if (!answer.complete(made)) made?.delete()
    }
    return try {
        withTimeoutOrNull(HARDWARE_MS) { answer.await() } ?: SoftwareKeyStore().newSessionKey()
    } finally {
        answer.cancel()
    }
}
