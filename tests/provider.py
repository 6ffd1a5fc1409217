"""A small OpenID Connect provider on 127.0.0.1, for tests: it logs in whomever it is told to, with the flow, the keys and the tokens of a real one."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.local import up

__all__ = ["CLIENT", "Provider", "provider"]

CLIENT, SECRET = "curate", "of-the-test"


@dataclass
class Provider:
    """address: its issuer. claims: of the person who logs in next; None refuses. asked: what each code was given for."""

    address: str
    claims: dict[str, Any] | None = None
    asked: dict[str, dict[str, str]] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"}))

    def secrets(self, app: str) -> str:
        """Streamlit's secrets for an app at an address."""
        found = {
            "redirect_uri": f"{app}/oauth2callback",
            "cookie_secret": secrets.token_hex(32),
            "client_id": CLIENT,
            "client_secret": SECRET,
            "server_metadata_url": f"{self.address}/.well-known/openid-configuration",
        }
        return "[auth]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in found.items())

    def metadata(self) -> dict[str, Any]:
        """What it says of itself."""
        ends = {f"{name}_endpoint": f"{self.address}/{name}" for name in ("authorization", "token", "end_session")}
        more = {"response_types_supported": ["code"], "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"]}
        return {"issuer": self.address, "jwks_uri": f"{self.address}/jwks", "code_challenge_methods_supported": ["S256"], **ends, **more}

    def back(self, given: dict[str, str]) -> str:
        """Where a person is sent after the login, with a code for their token."""
        if self.claims is None:
            return f"{given['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': given['state']})}"
        code = secrets.token_hex(8)
        self.asked[code] = {**given, "claims": json.dumps(self.claims)}
        return f"{given['redirect_uri']}?{urlencode({'code': code, 'state': given['state']})}"

    def token(self, given: dict[str, str]) -> dict[str, Any] | None:
        """A signed token for a code that was not used before, and only for who asked for it (PKCE)."""
        known = self.asked.pop(given["code"], None)
        proof = base64.urlsafe_b64encode(hashlib.sha256(given.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if known is None or proof != known.get("code_challenge"):
            return None
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT, "iat": now, "exp": now + 600, "nonce": known["nonce"], **json.loads(known["claims"])}
        signed = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.key)
        return {"access_token": secrets.token_hex(8), "token_type": "Bearer", "expires_in": 600, "id_token": signed}


@contextmanager
def provider() -> Iterator[Provider]:
    """The provider, up."""

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        def do_GET(self) -> None:
            place = urlsplit(self.path)
            given = {name: values[0] for name, values in parse_qs(place.query).items()}
            if place.path in ("/authorization", "/end_session"):
                self.send_response(302)
                self.send_header("Location", known.back(given) if place.path == "/authorization" else given["post_logout_redirect_uri"])
                self.end_headers()
            else:
                told = {"/.well-known/openid-configuration": known.metadata(), "/jwks": {"keys": [known.key.as_dict(private=False)]}}.get(place.path)
                self._say(404 if told is None else 200, told)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            told = known.token({name: values[0] for name, values in parse_qs(body).items()})
            self._say(400 if told is None else 200, told or {"error": "invalid_grant"})

        def _say(self, code: int, told: Any) -> None:
            said = json.dumps(told).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing is logged."""

    with up(Handler) as address:
        known = Provider(address)
        yield known
