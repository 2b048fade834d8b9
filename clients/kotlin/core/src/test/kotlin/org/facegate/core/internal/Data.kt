package org.facegate.core.internal

import com.google.gson.JsonObject
import com.google.gson.JsonParser
import java.io.File

/** The repository, seen from this module. */
internal val REPOSITORY = File("../../..")

internal fun json(path: String): JsonObject = JsonParser.parseString(REPOSITORY.resolve(path).readText()).asJsonObject

internal fun bytes(hex: String): ByteArray = hex.chunked(2).map { it.toInt(16).toByte() }.toByteArray()

internal fun hex(bytes: ByteArray): String = bytes.joinToString("") { "%02x".format(it) }
