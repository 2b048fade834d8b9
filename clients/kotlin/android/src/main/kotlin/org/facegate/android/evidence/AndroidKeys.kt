package org.facegate.android.evidence

import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import java.security.KeyPairGenerator
import java.security.PrivateKey
import java.security.Signature
import java.security.spec.ECGenParameterSpec
import java.util.UUID
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import org.facegate.android.NewerAndroid
import org.facegate.core.KeyStore
import org.facegate.core.SessionKey

private const val PROVIDER = "AndroidKeyStore"
private const val PREFIX = "org.facegate.scan."

/** Without the keys of scans whose process was killed: nothing can use them any longer. */
private val store: java.security.KeyStore by lazy {
    java.security.KeyStore.getInstance(PROVIDER).apply {
        load(null)
        aliases().toList().filter { it.startsWith(PREFIX) }.forEach(::deleteEntry)
    }
}

/** A key of the AndroidKeyStore, which never leaves it. */
private class HardwareKey(private val alias: String) : AttestedKey {
    override val chain: List<ByteArray> get() = store.getCertificateChain(alias).orEmpty().map { it.encoded }
    val publicDer: ByteArray get() = store.getCertificate(alias).publicKey.encoded

    override fun sign(message: ByteArray): ByteArray = Signature.getInstance("SHA256withECDSA").run {
        initSign(store.getKey(alias, null) as PrivateKey)
        update(message)
        sign()
    }

    override fun delete() = store.deleteEntry(alias)
}

private fun makeKey(more: KeyGenParameterSpec.Builder.() -> Unit): HardwareKey {
    val alias = PREFIX + UUID.randomUUID()
    // Cleans up before the first key is made.
    store.size()
    val purpose = KeyGenParameterSpec.Builder(alias, KeyProperties.PURPOSE_SIGN)
        .setAlgorithmParameterSpec(ECGenParameterSpec("secp256r1"))
        .setDigests(KeyProperties.DIGEST_SHA256)
        .apply(more)
    KeyPairGenerator.getInstance(KeyProperties.KEY_ALGORITHM_EC, PROVIDER).run {
        initialize(purpose.build())
        generateKeyPair()
    }
    return HardwareKey(alias)
}

/** Keys that Android attests, in StrongBox from Android 9 on. */
internal object AndroidAttestedKeys : AttestedKeys {
    override fun make(challenge: ByteArray, strongBox: Boolean): AttestedKey {
        if (strongBox && !NewerAndroid.hasStrongBox) throw StrongBoxMissingException()
        try {
            return makeKey {
                setAttestationChallenge(challenge)
                if (strongBox) NewerAndroid.run { inStrongBox() }
            }
        } catch (problem: Exception) {
            // Some phones state a StrongBox that cannot make this key, each in words of its own.
            if (strongBox) throw StrongBoxMissingException(problem)
            throw problem
        }
    }
}

/** Session keys of the phone's hardware. If its key store is out of order, as on some phones, keys in memory. */
internal class AndroidSessionKeys : KeyStore {
    override suspend fun newSessionKey(): SessionKey =
        hardwareOrSoftwareKey(Dispatchers.IO) { HardwareSessionKey(makeKey {}) }

    private class HardwareSessionKey(private val key: HardwareKey) : SessionKey {
        override val publicDer: ByteArray = key.publicDer

        override suspend fun sign(message: ByteArray): ByteArray = withContext(Dispatchers.IO) { key.sign(message) }

        override fun delete() {
            runCatching(key::delete)
        }
    }
}
