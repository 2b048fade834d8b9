package org.facegate.core.internal

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.security.GeneralSecurityException

/** The published vectors, `protos/conformance/vectors.json`. */
class VectorsTest {
    private val vectors = json("protos/conformance/vectors.json")

    private fun text(part: String, name: String) = vectors.getAsJsonObject(part)[name].asString

    private fun value(part: String, name: String) = bytes(text(part, name))

    private val binding = value("derivations", "binding_hash_h")
    private val start = value("handshake", "scan_start_bytes")
    private val session = value("keys", "session_public_key_der")

    private fun assertIs(part: String, name: String, actual: ByteArray) = assertEquals(text(part, name), hex(actual))

    @Test
    fun challenge() {
        val message = Transcript.challenge(start, value("handshake", "challenge_body_bytes"))
        assertIs("handshake", "challenge_message", message)
        val key = value("keys", "challenge_public_key_der")
        assertIs("keys", "challenge_key_sha256", sha256(key))
        val signature = value("handshake", "challenge_signature")
        assertTrue(isSignedBy(key, message, signature))
        assertFalse(isSignedBy(key, message + 0, signature))
        assertFalse(isSignedBy(session, message, signature))
        assertFalse(isSignedBy(key, message, signature.copyOf(70)))
        assertFalse(isSignedBy(key.copyOf(90), message, signature))
    }

    @Test
    fun bindingHash() {
        val made = Transcript.bindingHash(
            text("handshake", "token_text"),
            value("handshake", "challenge_nonce"),
            value("keys", "device_x25519_public"),
            value("keys", "server_x25519_public"),
            session,
            value("handshake", "server_spki_sha256"),
            start,
        )
        assertIs("derivations", "binding_hash_h", made)
    }

    @Test
    fun macKey() {
        val share = PlainShare(value("keys", "device_x25519_private"))
        assertIs("keys", "device_x25519_public", share.public)
        val secret = share.secretWith(value("keys", "server_x25519_public"))
        assertIs("derivations", "x25519_shared_secret", secret)
        assertIs("derivations", "mac_key", Transcript.macKey(secret, value("derivations", "hkdf_salt"), binding))
    }

    @Test
    fun `the key shares of the platform and of Tink agree`() {
        val ours = KeyShare.generate()
        val private = value("keys", "server_x25519_private")
        val theirs = PlainShare(private.copyOf())
        assertEquals(hex(theirs.secretWith(ours.public)), hex(ours.secretWith(theirs.public)))
        for (share in listOf(ours, theirs)) {
            for (bad in listOf(ByteArray(32), ByteArray(31), ByteArray(0))) {
                assertThrows<GeneralSecurityException> { share.secretWith(bad) }
            }
        }
    }

    @Test
    fun chain() {
        val chain = MacChain(value("derivations", "mac_key"), binding)
        assertIs("chain", "mac_chain_start", chain.value)
        val number = text("chain", "attempt_number").toInt()
        assertIs("chain", "mac_attempt_1", chain.markAttempt(number, value("chain", "attempt_nonce")))
        for (frame in 0..1) {
            val mac = chain.addFrame(value("chain", "frame_${frame}_header_bytes"), value("chain", "frame_${frame}_image_bytes"))
            assertIs("chain", "frame_${frame}_mac", mac)
        }
        assertIs("chain", "mac_attempt_2", chain.markAttempt(2, value("chain", "second_attempt_nonce")))
    }

    @Test
    fun signatures() {
        val end = Transcript.attemptEnd(binding, value("chain", "attempt_end_body_bytes"))
        assertIs("chain", "attempt_end_message", end)
        assertTrue(isSignedBy(session, end, value("chain", "attempt_end_signature")))
        val resume = Transcript.resume(binding)
        assertIs("resume", "resume_message", resume)
        assertTrue(isSignedBy(session, resume, value("resume", "resume_signature")))
    }

    @Test
    fun evidence() {
        val attested = value("keys", "attested_public_key_der")
        val plain = Transcript.attestation(Transcript.evidenceChallenge(binding, ByteArray(0)))
        assertIs("attestation", "attestation_message", plain)
        assertTrue(isSignedBy(attested, plain, value("attestation", "attestation_signature")))
        val part = "attestation with findings"
        val challenge = Transcript.evidenceChallenge(binding, value(part, "runtime_findings_bytes"))
        assertIs(part, "evidence_challenge_e", challenge)
        assertIs(part, "attestation_message", Transcript.attestation(challenge))
    }
}
