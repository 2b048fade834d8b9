package org.facegate.core.internal

import java.security.MessageDigest
import javax.crypto.Mac
import javax.crypto.spec.SecretKeySpec

/** Concatenates the fields, each after its length in 4 bytes, big-endian. */
internal fun lengthPrefixed(domain: String, vararg fields: ByteArray): ByteArray {
    val all = listOf(domain.toByteArray(Charsets.US_ASCII), *fields)
    val joined = ByteArray(all.sumOf { 4 + it.size })
    var at = 0
    for (field in all) {
        for (shift in 24 downTo 0 step 8) joined[at++] = (field.size ushr shift).toByte()
        field.copyInto(joined, at)
        at += field.size
    }
    return joined
}

internal fun bigEndian(value: Int): ByteArray = ByteArray(4) { (value ushr (24 - 8 * it)).toByte() }

internal fun sha256(bytes: ByteArray): ByteArray = MessageDigest.getInstance("SHA-256").digest(bytes)

internal fun hmacSha256(key: ByteArray, message: ByteArray): ByteArray =
    Mac.getInstance("HmacSHA256").run {
        init(SecretKeySpec(key, "HmacSHA256"))
        doFinal(message)
    }

/** HKDF with SHA-256 (RFC 5869), of one block: 32 bytes. */
internal fun hkdfSha256(salt: ByteArray, secret: ByteArray, info: ByteArray): ByteArray {
    val extracted = hmacSha256(salt, secret)
    return hmacSha256(extracted, info + byteArrayOf(1)).also { extracted.fill(0) }
}
