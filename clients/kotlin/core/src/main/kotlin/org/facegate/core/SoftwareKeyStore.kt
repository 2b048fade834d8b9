package org.facegate.core

import java.security.GeneralSecurityException
import java.security.KeyPairGenerator
import java.security.PrivateKey
import java.security.Signature
import java.security.spec.ECGenParameterSpec

/** Session keys in memory, for tests and for devices without a key store of hardware. */
public class SoftwareKeyStore : KeyStore {
    override suspend fun newSessionKey(): SessionKey = try {
        val pair = KeyPairGenerator.getInstance("EC").run {
            initialize(ECGenParameterSpec("secp256r1"))
            generateKeyPair()
        }
        SoftwareKey(pair.public.encoded, pair.private)
    } catch (error: GeneralSecurityException) {
        throw UnsupportedDeviceException("the device makes no P-256 key", error)
    }
}

private class SoftwareKey(override val publicDer: ByteArray, private var key: PrivateKey?) : SessionKey {
    override suspend fun sign(message: ByteArray): ByteArray = try {
        Signature.getInstance("SHA256withECDSA").run {
            initSign(checkNotNull(key) { "the key was deleted" })
            update(message)
            sign()
        }
    } catch (error: GeneralSecurityException) {
        throw UnsupportedDeviceException("the session key cannot sign", error)
    }

    override fun delete() {
        key = null
    }

    override fun toString(): String = "SoftwareKey(██)"
}
