package org.facegate.core.internal

/** What is hashed and signed; docs/device_protocol.md, "Bytes". */
internal object Transcript {
    fun challenge(start: ByteArray, body: ByteArray): ByteArray =
        lengthPrefixed("facegate/v1/challenge", sha256(start), body)

    /** The binding hash H. */
    fun bindingHash(
        token: String,
        nonce: ByteArray,
        deviceShare: ByteArray,
        serverShare: ByteArray,
        sessionPublicKey: ByteArray,
        serverSpkiSha256: ByteArray,
        start: ByteArray,
    ): ByteArray = sha256(
        lengthPrefixed(
            "facegate/v1/binding",
            sha256(token.toByteArray()),
            nonce,
            deviceShare,
            serverShare,
            sessionPublicKey,
            serverSpkiSha256,
            sha256(start),
        ),
    )

    /** The evidence challenge E, for which evidence with findings is made. */
    fun evidenceChallenge(binding: ByteArray, findings: ByteArray): ByteArray =
        if (findings.isEmpty()) {
            binding
        } else {
            sha256(lengthPrefixed("facegate/v1/evidence-challenge", binding, sha256(findings)))
        }

    fun attestation(challenge: ByteArray): ByteArray = lengthPrefixed("facegate/v1/attestation", challenge)

    fun attemptEnd(binding: ByteArray, body: ByteArray): ByteArray =
        lengthPrefixed("facegate/v1/attempt-end", binding, body)

    fun resume(binding: ByteArray): ByteArray = lengthPrefixed("facegate/v1/resume", binding)

    fun macKey(secret: ByteArray, nonce: ByteArray, binding: ByteArray): ByteArray =
        hkdfSha256(nonce, secret, lengthPrefixed("facegate/v1/mac-key", binding))
}

/** The chain of MACs over the attempts and frames of one stream. Owns its key. */
internal class MacChain(private val key: ByteArray, binding: ByteArray) {
    /** The last MAC, 32 bytes. */
    var value: ByteArray = hmacSha256(key, lengthPrefixed("facegate/v1/chain-start", binding))
        private set

    fun markAttempt(attempt: Int, nonce: ByteArray): ByteArray =
        next(lengthPrefixed("facegate/v1/chain-attempt", value, bigEndian(attempt), nonce))

    fun addFrame(header: ByteArray, image: ByteArray): ByteArray =
        next(lengthPrefixed("facegate/v1/chain-frame", value, header, sha256(image)))

    fun wipe() {
        key.fill(0)
    }

    private fun next(message: ByteArray): ByteArray = hmacSha256(key, message).also { value = it }
}
