package org.facegate.core

import org.facegate.core.internal.json
import org.facegate.v1.FeedbackCode
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class TextsTest {
    private val data = json("protos/screen_texts.json")

    @Test
    fun `the texts are those of the data file`() {
        assertEquals(data.keySet().toList(), Texts.LANGUAGES)
        val english = json("protos/facegate_protocol/texts.json").getAsJsonObject("hints")
        for (language in Texts.LANGUAGES) {
            val texts = Texts.of(language)
            val stated = data.getAsJsonObject(language)
            val hints = stated.getAsJsonObject("hints") ?: english
            for ((code, text) in hints.entrySet()) assertEquals(text.asString, texts.hint(code))
            val screen = stated.getAsJsonObject("screen").asMap() + stated.getAsJsonObject("app").asMap()
            for ((key, text) in screen) assertEquals(text.asString, texts.screen(key))
        }
    }

    @Test
    fun `each code has a text in each language`() {
        val codes = FeedbackCode.entries.filter { it != FeedbackCode.UNRECOGNIZED }
        for (texts in Texts.LANGUAGES.map { Texts.of(it) }) {
            val unknown = texts.hint("OF_A_LATER_VERSION")
            assertTrue(unknown.isNotEmpty())
            for (code in codes.map { it.name.removePrefix("FEEDBACK_CODE_") }.filter { it != "UNSPECIFIED" }) {
                assertFalse(texts.hint(code) == unknown, "$code in ${texts.language}")
            }
        }
    }

    @Test
    fun `each state and each error has a text`() {
        val outcome = ScanOutcome(ScanStatus.RETRY, emptyList(), null, 1, 1, 1, 0)
        val keys = ScanStatus.entries.map { ScanState.Finished(outcome.copy(status = it)).text } +
            listOf(
                ScanState.Idle,
                ScanState.OpeningCamera(),
                ScanState.Connecting(),
                ScanState.Reconnecting(1, 1, true),
                ScanState.Reconnecting(1, 1, false),
                ScanState.Deciding(1),
            ).map { it.text } +
            errors().map { it.text }
        for (language in Texts.LANGUAGES) for (key in keys) assertTrue(Texts.of(language).screen(key).isNotEmpty(), key)
    }

    @Test
    fun `each refusal says what to do`() {
        val advice = errors().filterIsInstance<ServerRefusedException>().associate { it.refusal.reason to it.advice }
        assertEquals(Advice.NEW_CHECK, advice["TOKEN_EXPIRED"])
        assertEquals(Advice.TRY_LATER, advice["TOO_MANY_FAILURES"])
        assertEquals(Advice.TRY_LATER, advice["OVERLOADED"])
        assertEquals(Advice.REPORT, advice["FRAME_TOO_LARGE"])
        assertEquals(Advice.NEW_CHECK, advice["FRAME_MAC_INVALID"])
        val colours = Refusal(9, "CAPABILITY_MISSING", "", mapOf("capability" to "FLASH"), 0)
        assertEquals("flashNeeded", ServerRefusedException(colours).text)
    }

    private fun errors(): List<FacegateException> {
        val refusals = json("protos/facegate_protocol/texts.json").getAsJsonObject("refusals").entrySet()
            .filter { it.value.asJsonObject.has("scan") }
            .map { (reason, _) ->
                val retryMs = if (reason in listOf("TOO_MANY_FAILURES", "OVERLOADED", "NOT_SERVING")) 1000L else 0L
                ServerRefusedException(Refusal(3, reason, "", emptyMap(), retryMs))
            }
        val endings = listOf("DEADLINE", "SERVER_FAULT", "SUPERSEDED", "CHECK_CLOSED").map { ScanEndedException(it) }
        val cameras = CameraProblem.entries.map { CameraException(it, "") }
        return refusals + endings + cameras + ConnectionFailedException("") + ServerNotTrustedException("") +
            ProtocolViolatedException("") + UnsupportedDeviceException("") + ScanCancelledException() +
            InternalErrorException(IllegalStateException())
    }

    @Test
    fun `a language is found by its tag`() {
        assertEquals("de", Texts.of("nl", "de-AT").language)
        assertEquals("en", Texts.of("nl").language)
        assertEquals("en", Texts.of().language)
    }
}
