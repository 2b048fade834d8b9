package org.facegate.android.evidence

import java.util.Base64
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.withTimeout
import org.facegate.core.Attestor
import org.facegate.core.EvidenceUnavailableException
import org.facegate.v1.Attestation
import org.facegate.v1.AttestationUnavailable.Reason
import org.facegate.v1.PlayIntegrityToken

/**
 * Gets tokens of Google's Play Integrity API. This package does not depend on Google's library; the README has the
 * adapter.
 */
public interface PlayIntegrity {
    /** Whether [token] makes a standard request (`requestHash`) or a classic one (`nonce`). */
    public val standard: Boolean

    /** Gets a token whose `requestHash` or `nonce` is [bound]; throws if Google gives none. */
    public suspend fun token(bound: String): String
}

internal class PlayAttestor(private val play: PlayIntegrity, private val limitMs: Long = LIMIT_MS) : Attestor {
    override suspend fun attest(challenge: ByteArray, message: ByteArray): Attestation {
        val bound = Base64.getUrlEncoder().withoutPadding().encodeToString(challenge)
        val token = try {
            withTimeout(limitMs) { play.token(bound) }
        } catch (_: TimeoutCancellationException) {
            throw EvidenceUnavailableException(Reason.REASON_TIMED_OUT, "play integrity")
        } catch (cancelled: CancellationException) {
            throw cancelled
        } catch (problem: Exception) {
            throw EvidenceUnavailableException(Reason.REASON_SERVICE_UNREACHABLE, problem.javaClass.simpleName.take(64))
        }
        val kind = if (play.standard) PlayIntegrityToken.Kind.KIND_STANDARD else PlayIntegrityToken.Kind.KIND_CLASSIC
        val evidence = PlayIntegrityToken.newBuilder().setKind(kind).setToken(token)
        return Attestation.newBuilder().setPlayIntegrity(evidence).build()
    }

    private companion object {
        const val LIMIT_MS = 15_000L
    }
}
