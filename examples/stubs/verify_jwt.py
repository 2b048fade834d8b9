"""Verifies a result as a JWT, with joserfc."""

from typing import Any

from joserfc import jwk, jwt


def verified_claims(result_jwt: str, jwks: Any, *, issuer: str, tenant: str, check_id: str) -> dict[str, Any]:
    """Return the claims of the result of a check.

    Raises:
        JoseError: The signature or a claim is not the expected one.
        ValueError: It is another JWT of the same key, or none.
    """
    token = jwt.decode(result_jwt, jwk.KeySet.import_key_set(jwks), algorithms=["ES256"])
    expected = {"iss": issuer, "aud": tenant, "check_id": check_id}
    rules = {name: {"essential": True, "value": value} for name, value in expected.items()}
    jwt.JWTClaimsRegistry(**rules).validate(token.claims)
    if token.header["typ"] != "facegate-result+jwt":
        raise ValueError("another JWT of the same key")
    return token.claims
