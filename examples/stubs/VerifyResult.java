import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.util.Base64;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;

/** Verifies a result with Java 17 alone, which has no JSON parser: use that of your project in place of {@code field}. */
public final class VerifyResult {
    private static final Base64.Decoder BASE64URL = Base64.getUrlDecoder();

    /** A P-256 key from the coordinates {@code x} and {@code y} of a JWK. */
    static PublicKey publicKey(String x, String y) throws GeneralSecurityException {
        AlgorithmParameters curve = AlgorithmParameters.getInstance("EC");
        curve.init(new ECGenParameterSpec("secp256r1"));
        ECPoint point = new ECPoint(new BigInteger(1, BASE64URL.decode(x)), new BigInteger(1, BASE64URL.decode(y)));
        return KeyFactory.getInstance("EC")
            .generatePublic(new ECPublicKeySpec(point, curve.getParameterSpec(ECParameterSpec.class)));
    }

    /** The bytes of the signed CheckResult; {@code keys} holds the keys of the JWKS by their {@code kid}. */
    static byte[] verify(
            String jws, Map<String, PublicKey> keys, String issuer, String tenant, boolean acceptSandbox)
            throws GeneralSecurityException {
        String[] parts = jws.strip().split("\\.", -1);
        if (parts.length != 3) throw new GeneralSecurityException("not a compact JWS");
        String header = new String(BASE64URL.decode(parts[0]), StandardCharsets.UTF_8);
        PublicKey key = keys.get(field(header, "kid"));
        if (key == null) throw new GeneralSecurityException("signed with an unknown key: fetch the JWKS again");
        Signature signature = Signature.getInstance("SHA256withECDSAinP1363Format");
        signature.initVerify(key);
        signature.update((parts[0] + "." + parts[1]).getBytes(StandardCharsets.US_ASCII));
        if (!signature.verify(BASE64URL.decode(parts[2]))) throw new GeneralSecurityException("wrong signature");
        require("alg", "ES256", header);
        require("typ", "facegate-result", header);
        require("iss", issuer, header);
        require("tenant", tenant, header);
        if (header.contains("\"sandbox\"") && !acceptSandbox) {
            throw new GeneralSecurityException("a sandbox result, which proves nothing; accept it in tests only");
        }
        return BASE64URL.decode(parts[1]);
    }

    private static void require(String name, String expected, String header) throws GeneralSecurityException {
        if (!Objects.equals(field(header, name), expected)) {
            throw new GeneralSecurityException("another " + name + " than " + expected);
        }
    }

    private static String field(String json, String name) {
        var found = Pattern.compile("\"" + name + "\"\\s*:\\s*\"([^\"\\\\]*)\"").matcher(json);
        return found.find() ? found.group(1) : null;
    }

    /** Arguments: the file with the JWS, kid, x and y of a key of the JWKS, issuer, tenant; "sandbox" in tests. */
    public static void main(String[] args) throws Exception {
        byte[] result = verify(
            Files.readString(Path.of(args[0])), Map.of(args[1], publicKey(args[2], args[3])), args[4], args[5],
            args.length > 6 && args[6].equals("sandbox"));
        System.out.println("valid: " + result.length + " bytes");
    }
}
