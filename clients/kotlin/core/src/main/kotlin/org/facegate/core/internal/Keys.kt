package org.facegate.core.internal

import com.google.crypto.tink.subtle.X25519
import java.security.GeneralSecurityException
import java.security.KeyFactory
import java.security.KeyPair
import java.security.KeyPairGenerator
import java.security.NoSuchAlgorithmException
import java.security.Signature
import java.security.interfaces.ECPublicKey
import java.security.spec.X509EncodedKeySpec
import javax.crypto.KeyAgreement

private const val SHARE_BYTES = 32
private const val SPKI_BYTES = 91

/** What precedes the 32 bytes of an X25519 key in SubjectPublicKeyInfo. */
private val X25519_SPKI = byteArrayOf(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00)

/** What precedes the point of a P-256 key in SubjectPublicKeyInfo. */
private val P256_SPKI = byteArrayOf(
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86.toByte(), 0x48, 0xce.toByte(), 0x3d, 0x02, 0x01, 0x06, 0x08,
    0x2a, 0x86.toByte(), 0x48, 0xce.toByte(), 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
)

/** The X25519 key of one stream. */
internal abstract class KeyShare {
    /** The public key, 32 bytes. */
    abstract val public: ByteArray

    /**
     * The secret that is shared with the server.
     *
     * @throws GeneralSecurityException The other's share cannot be used.
     */
    fun secretWith(other: ByteArray): ByteArray {
        if (other.size != SHARE_BYTES) throw GeneralSecurityException("a key share has not $SHARE_BYTES bytes")
        val secret = agree(other)
        if (secret.all { it == 0.toByte() }) throw GeneralSecurityException("the shared secret is zero")
        return secret
    }

    protected abstract fun agree(other: ByteArray): ByteArray

    abstract fun wipe()

    companion object {
        /** A fresh key, of the platform where it has X25519: Android has it from 13 on. */
        fun generate(): KeyShare = try {
            PlatformShare(KeyPairGenerator.getInstance("XDH").generateKeyPair())
        } catch (_: NoSuchAlgorithmException) {
            PlainShare(X25519.generatePrivateKey())
        }
    }
}

private class PlatformShare(private val pair: KeyPair) : KeyShare() {
    override val public: ByteArray = pair.public.encoded.let { it.copyOfRange(it.size - SHARE_BYTES, it.size) }

    override fun agree(other: ByteArray): ByteArray = KeyAgreement.getInstance("XDH").run {
        init(pair.private)
        doPhase(KeyFactory.getInstance("XDH").generatePublic(X509EncodedKeySpec(X25519_SPKI + other)), true)
        generateSecret()
    }

    override fun wipe() = Unit
}

/** A key whose bytes are known. */
internal class PlainShare(private val private: ByteArray) : KeyShare() {
    override val public: ByteArray = X25519.publicFromPrivate(private)

    override fun agree(other: ByteArray): ByteArray = try {
        X25519.computeSharedSecret(private, other)
    } catch (error: java.security.InvalidKeyException) {
        throw GeneralSecurityException("the server's key share cannot be used", error)
    }

    override fun wipe() {
        private.fill(0)
    }
}

/** Whether a signature, ASN.1 DER, is by a P-256 key in SubjectPublicKeyInfo. */
internal fun isSignedBy(publicDer: ByteArray, message: ByteArray, signature: ByteArray): Boolean {
    if (publicDer.size != SPKI_BYTES || !publicDer.startsWith(P256_SPKI)) return false
    return try {
        val key = KeyFactory.getInstance("EC").generatePublic(X509EncodedKeySpec(publicDer)) as ECPublicKey
        Signature.getInstance("SHA256withECDSA").run {
            initVerify(key)
            update(message)
            verify(signature)
        }
    } catch (_: GeneralSecurityException) {
        false
    }
}

private fun ByteArray.startsWith(prefix: ByteArray): Boolean = prefix.indices.all { this[it] == prefix[it] }
