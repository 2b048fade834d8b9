package org.facegate.core.internal

import com.google.protobuf.ByteString
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.delay
import org.facegate.core.Attestor
import org.facegate.core.DeviceEvidence
import org.facegate.core.EvidenceUnavailableException
import org.facegate.v1.Attestation
import org.facegate.v1.AttestationUnavailable
import org.facegate.v1.RuntimeFindings

private const val MOST_ATTESTATIONS = 4
private const val LOOK_AGAIN_MS = 4000L
private const val LONGEST_ERROR = 64

/** The time of one kind of evidence, and of one look for traces. */
private const val EVIDENCE_MS = 30_000L

private val NOTHING: Pair<List<Attestor>, Boolean> = Pair(emptyList(), false)

/** The evidence of one scan, with the run-time findings. */
internal class ScanEvidence(private val device: DeviceEvidence, private val app: AppCalls) {
    private var sent = 0

    /** Makes evidence for a stream and sends it. The binding hash differs in every stream, so it is made anew. */
    suspend fun send(stream: ScanStream) {
        val (attestors, reported) = try {
            app.call(EVIDENCE_MS, late = { NOTHING }) { Pair(device.attestors, device.reportsFindings) }
        } catch (error: CancellationException) {
            throw error
        } catch (_: Exception) {
            NOTHING
        }
        val reports = reported && stream.challenge.attestation.runtimeFindings
        val findings = if (reports) findings() else RuntimeFindings.getDefaultInstance()
        val bytes = if (reports) findings.toByteString() else ByteString.EMPTY
        val challenge = Transcript.evidenceChallenge(stream.binding, bytes.toByteArray())
        var count = 0
        var problem: EvidenceUnavailableException? = null
        for (attestor in attestors) {
            if (sent >= MOST_ATTESTATIONS) return
            val made = try {
                app.call(
                    EVIDENCE_MS,
                    late = { throw EvidenceUnavailableException(AttestationUnavailable.Reason.REASON_TIMED_OUT) },
                ) { attestor.attest(challenge.copyOf(), Transcript.attestation(challenge)) }
            } catch (error: CancellationException) {
                throw error
            } catch (error: EvidenceUnavailableException) {
                problem = error
                continue
            } catch (error: Exception) {
                problem = EvidenceUnavailableException(
                    AttestationUnavailable.Reason.REASON_UNSPECIFIED,
                    error.javaClass.simpleName,
                )
                continue
            }
            count += 1
            send(stream, made.toBuilder().setRuntimeFindings(bytes))
        }
        if (count == 0) send(stream, unavailable(problem).setRuntimeFindings(bytes))
        if (reports) lookAgain(stream, findings)
    }

    /** Looks again while frames are captured, and sends what was not found before. */
    private suspend fun lookAgain(stream: ScanStream, before: RuntimeFindings) {
        delay(LOOK_AGAIN_MS)
        val now = findings()
        if (before.findingsList.containsAll(now.findingsList)) return
        send(stream, Attestation.newBuilder().setRuntimeFindings(now.toByteString()))
    }

    private fun send(stream: ScanStream, attestation: Attestation.Builder) {
        if (sent >= MOST_ATTESTATIONS) return
        sent += 1
        stream.sendAttestation(attestation.build())
    }

    private suspend fun findings(): RuntimeFindings = try {
        app.call(EVIDENCE_MS, late = { RuntimeFindings.getDefaultInstance() }) { device.findings() }
    } catch (error: CancellationException) {
        throw error
    } catch (_: Exception) {
        RuntimeFindings.getDefaultInstance()
    }
}

private fun unavailable(problem: EvidenceUnavailableException?): Attestation.Builder =
    Attestation.newBuilder().setUnavailable(
        AttestationUnavailable.newBuilder()
            .setReason(problem?.reason ?: AttestationUnavailable.Reason.REASON_NOT_SUPPORTED)
            .setPlatformError(problem?.platformError.orEmpty().take(LONGEST_ERROR)),
    )
