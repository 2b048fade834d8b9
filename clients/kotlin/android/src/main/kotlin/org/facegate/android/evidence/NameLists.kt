package org.facegate.android.evidence

/**
 * The server's lists of names that only emulators and virtual cameras have, from the file that the server reads, too:
 * `device_integrity/camera/fingerprints.toml`. A name is a run of whole words; with `*` at its end, the last one only has
 * to begin so.
 */
internal class NameLists private constructor(lists: Map<String, List<String>>) {
    private val emulators = runs(lists.getValue("emulator.hard"))
    private val emulatedCameras = runs(lists.getValue("emulator.camera_ids"))
    private val virtualCameras = runs(lists.getValue("camera.hard"))

    /** The name of the emulator that a description contains, or null. */
    fun emulatorIn(description: String): String? = find(emulators, description)

    /** Whether a camera has a name of emulated or virtual ones. */
    fun isUnreal(camera: String): Boolean = find(emulatedCameras, camera) != null || find(virtualCameras, camera) != null

    private fun find(runs: List<List<String>>, text: String): String? {
        val words = wordsOf(text)
        return runs.firstOrNull { contains(words, it) }?.joinToString(" ")
    }

    companion object {
        /** Reads the lists of a file in the form of `fingerprints.toml`: tables of lists of texts. */
        fun parse(toml: String): NameLists {
            val lists = mutableMapOf<String, MutableList<String>>()
            var table = ""
            var key = ""
            for (line in toml.lineSequence()) {
                val plain = line.trim()
                TABLE.find(plain)?.let { table = it.groupValues[1] }
                KEY.find(plain)?.let { key = it.groupValues[1] }
                if (plain.startsWith("#") || key.isEmpty()) continue
                val list = lists.getOrPut("$table.$key") { mutableListOf() }
                TEXT.findAll(plain).forEach { list += it.groupValues[1] }
            }
            return NameLists(lists)
        }

        /** The lists that this package was built with. */
        fun packaged(): NameLists {
            val file = NameLists::class.java.getResourceAsStream("/org/facegate/android/fingerprints.toml")
            return parse(checkNotNull(file) { "fingerprints.toml is not packaged" }.use { it.reader().readText() })
        }

        private val TABLE = Regex("""^\[(\w+)]""")
        private val KEY = Regex("""^(\w+) = """)
        private val TEXT = Regex(""""([^"]*)"""")

        private fun runs(names: List<String>) = names.map { name ->
            wordsOf(name).let { words -> if (name.endsWith('*')) words.dropLast(1) + "${words.last()}*" else words }
        }

        /** Every character that is neither letter nor digit parts words. */
        private fun wordsOf(text: String): List<String> {
            val spaced = buildString {
                for (character in text.lowercase()) append(if (character.isLetterOrDigit()) character else ' ')
            }
            return spaced.split(' ').filter { it.isNotEmpty() }
        }

        private fun contains(words: List<String>, run: List<String>): Boolean {
            if (run.isEmpty()) return false
            // A number at a word's end is ignored, but not behind a single letter, which is a model's.
            val bare = words.map { word -> word.trimEnd { it.isDigit() }.takeIf { it.length > 1 } ?: word }
            return listOf(words, bare).any { list ->
                list.indices.any { at ->
                    fits(list.subList(at, minOf(at + run.size, list.size)), run) ||
                        fits(list.subList(at, at + 1), listOf(run.joinToString("")))
                }
            }
        }

        private fun fits(words: List<String>, run: List<String>): Boolean {
            if (words.size != run.size) return false
            val last = run.last()
            val ends = if (last.endsWith('*')) words.last().startsWith(last.dropLast(1)) else words.last() == last
            return ends && words.dropLast(1) == run.dropLast(1)
        }
    }
}
