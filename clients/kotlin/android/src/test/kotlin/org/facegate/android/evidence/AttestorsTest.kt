package org.facegate.android.evidence

import java.io.File
import java.util.Base64
import java.util.concurrent.CountDownLatch
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.runBlocking
import org.facegate.android.Play
import org.facegate.android.StandardIntegrityToken
import org.facegate.android.Task
import org.facegate.core.EvidenceUnavailableException
import org.facegate.v1.AttestationUnavailable.Reason
import org.facegate.v1.PlayIntegrityToken
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Timeout
import org.junit.jupiter.api.io.TempDir

class AttestorsTest {
    private val challenge = ByteArray(32) { it.toByte() }
    private val message = "message".toByteArray()

    @Test
    fun `a key is made for the challenge in StrongBox, signs once and is deleted`() {
        val keys = Keys()
        val evidence = attest(keys).androidKey
        assertEquals(listOf(true), keys.strongBoxes)
        assertArrayEquals(challenge, keys.challenges.single())
        assertEquals(4, evidence.certificateChainCount)
        assertEquals("signed message", evidence.signature.toStringUtf8())
        assertEquals(1, keys.deleted)
    }

    @Test
    fun `without a StrongBox the key is made in the phone's other hardware`() {
        val keys = Keys(strongBox = false)
        attest(keys)
        assertEquals(listOf(true, false), keys.strongBoxes)
    }

    @Test
    fun `a phone that does not attest says so, and its key is deleted`() {
        val keys = Keys(certificates = 1)
        assertEquals(Reason.REASON_NOT_SUPPORTED, unavailable(keys).reason)
        assertEquals(1, keys.deleted)
        assertEquals(Reason.REASON_NOT_SUPPORTED, unavailable(Keys(certificates = 11)).reason)
        assertEquals(Reason.REASON_NOT_SUPPORTED, unavailable(Keys(certificateSize = 9000)).reason)
    }

    @Test
    fun `a key store that is out of order is named`() {
        val refused = unavailable(Keys(failure = RuntimeException("out", IllegalStateException("of order"))))
        assertEquals(Reason.REASON_REFUSED, refused.reason)
        assertEquals("IllegalStateException", refused.platformError)
    }

    @Test
    fun `a key that cannot sign is deleted, too`() {
        val keys = Keys(signs = false)
        assertEquals(Reason.REASON_REFUSED, unavailable(keys).reason)
        assertEquals(1, keys.deleted)
    }

    @Test
    @Timeout(60)
    fun `a chip that never answers does not hold up the scan`() {
        val never = CountDownLatch(1)
        val late = unavailable(Keys(before = never::await), limitMs = 100)
        assertEquals(Reason.REASON_TIMED_OUT, late.reason)
        never.countDown()
    }

    @Test
    fun `a token of Play is bound to the challenge, in base64url without padding`() {
        var asked = ""
        val play = play { bound -> "token".also { asked = bound } }
        val evidence = runBlocking { PlayAttestor(play).attest(challenge, message) }.playIntegrity
        assertArrayEquals(challenge, Base64.getUrlDecoder().decode(asked))
        assertEquals(43, asked.length)
        assertEquals("token", evidence.token)
        assertEquals(PlayIntegrityToken.Kind.KIND_STANDARD, evidence.kind)
    }

    @Test
    fun `the README's adapter of Play makes a standard request for the challenge`() {
        val play = Play { request -> Task(StandardIntegrityToken { "token of ${request.requestHash}" }) }
        val evidence = runBlocking { PlayAttestor(play).attest(challenge, message) }.playIntegrity
        assertEquals("token of " + Base64.getUrlEncoder().withoutPadding().encodeToString(challenge), evidence.token)
        assertEquals(PlayIntegrityToken.Kind.KIND_STANDARD, evidence.kind)
    }

    @Test
    fun `Play that cannot be reached, or does not answer, is reported`() {
        val failing = play { throw IllegalStateException("-3") }
        val failed = assertThrows(EvidenceUnavailableException::class.java) {
            runBlocking { PlayAttestor(failing).attest(challenge, message) }
        }
        assertEquals(Reason.REASON_SERVICE_UNREACHABLE, failed.reason)
        val silent = play { awaitCancellation() }
        val late = assertThrows(EvidenceUnavailableException::class.java) {
            runBlocking { PlayAttestor(silent, limitMs = 50).attest(challenge, message) }
        }
        assertEquals(Reason.REASON_TIMED_OUT, late.reason)
    }

    @Test
    fun `an installation keeps its identifier, and a broken one is replaced`(@TempDir folder: File) {
        val file = File(folder, "installation")
        val first = installation(file)
        assertEquals(36, first.length)
        assertEquals(first, installation(file))
        file.writeText("not an identifier")
        assertNotEquals("not an identifier", installation(file))
        assertEquals("", installation(File(folder, "no/such/folder")))
    }

    private fun play(answer: suspend (String) -> String) = object : PlayIntegrity {
        override val standard = true

        override suspend fun token(bound: String) = answer(bound)
    }

    private fun attest(keys: Keys) = runBlocking { KeyAttestor(keys, Dispatchers.IO).attest(challenge, message) }

    private fun unavailable(keys: Keys, limitMs: Long = 5_000) =
        assertThrows(EvidenceUnavailableException::class.java) {
            runBlocking { KeyAttestor(keys, Dispatchers.IO, limitMs).attest(challenge, message) }
        }

    private class Keys(
        private val strongBox: Boolean = true,
        private val certificates: Int = 4,
        private val certificateSize: Int = 700,
        private val failure: Exception? = null,
        private val signs: Boolean = true,
        private val before: () -> Unit = {},
    ) : AttestedKeys {
        val strongBoxes = mutableListOf<Boolean>()
        val challenges = mutableListOf<ByteArray>()
        var deleted = 0

        override fun make(challenge: ByteArray, strongBox: Boolean): AttestedKey {
            before()
            strongBoxes += strongBox
            if (strongBox && !this.strongBox) throw StrongBoxMissingException()
            failure?.let { throw it }
            challenges += challenge
            return object : AttestedKey {
                override val chain = List(certificates) { ByteArray(certificateSize) }

                override fun sign(message: ByteArray) =
                    if (signs) "signed ".toByteArray() + message else throw IllegalStateException("the key is gone")

                override fun delete() {
                    deleted += 1
                }
            }
        }
    }
}
