package org.facegate.core

import java.io.IOException
import java.util.Properties

private const val UNSPECIFIED = "hint.UNSPECIFIED"

/** The texts of a scan in one language. */
public class Texts private constructor(
    /** The language, BCP 47, such as `de`. */
    public val language: String,
    private val texts: Properties,
) {
    /** What to tell the person for the code of a hint; for a code of a later version that of no certain hint. */
    public fun hint(code: String): String = texts.getProperty("hint.$code") ?: texts.getProperty(UNSPECIFIED).orEmpty()

    /** A text of the capture screen, such as [ScanState.text]; empty for an empty key. */
    public fun screen(key: String): String = texts.getProperty(key).orEmpty()

    public companion object {
        /** The languages there are, by their BCP 47 language. */
        public val LANGUAGES: List<String> = listOf("en", "de", "fr", "es", "pt", "hi", "ar")

        private val refusals: Properties by lazy { read("refusals") }

        /** The texts in the first of the wanted languages (BCP 47) that there is, else in English. */
        public fun of(vararg wanted: String): Texts {
            val language = wanted.map { it.lowercase().substringBefore('-') }.firstOrNull { it in LANGUAGES } ?: "en"
            return Texts(language, read("texts_$language"))
        }

        /** What becomes of a scan after a refusal: `reconnect`, `open`, `decided` or `over`; null for an unknown one. */
        internal fun effectOf(reason: String): String? = refusals.getProperty(reason)

        private fun read(name: String): Properties {
            val file = Texts::class.java.getResourceAsStream("/org/facegate/core/$name.properties")
                ?: throw IOException("$name.properties was removed from the package")
            return file.reader().use { reader -> Properties().apply { load(reader) } }
        }
    }
}
