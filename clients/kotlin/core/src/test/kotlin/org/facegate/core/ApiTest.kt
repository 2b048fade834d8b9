package org.facegate.core

import kotlinx.validation.api.dump
import kotlinx.validation.api.filterOutNonPublic
import kotlinx.validation.api.loadApiFromJvmClasses
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.PrintStream

/**
 * The public part of the package is the committed one. After a change that is meant:
 * `mvn -f clients/kotlin/pom.xml test -Dtest=ApiTest -Dapi.write=true`. The tests of `android` have this file, too.
 */
class ApiTest {
    @Test
    fun `the public part is the committed one`() {
        val file = File("api").listFiles()!!.single()
        val folder = "target/classes/org/${file.nameWithoutExtension.replace('-', '/')}"
        val classes = File(folder).walk().filter { it.extension == "class" }.toList()
        val api = classes.map { it.inputStream() }.asSequence().loadApiFromJvmClasses()
            .filterOutNonPublic(nonPublicPackages = listOf("org.facegate.core.internal"))
        val bytes = ByteArrayOutputStream()
        PrintStream(bytes).use { api.dump(it) }
        if (System.getProperty("api.write") == "true") file.writeText(bytes.toString())
        assertEquals(file.readText(), bytes.toString())
    }
}
