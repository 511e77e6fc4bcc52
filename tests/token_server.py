"""A giver of tokens for tests (RFC 6749), which also tells a mail server whose they are (RFC 7662). It runs in a thread of
its own, since Dovecot asks it while a test waits.
"""

from __future__ import annotations

import dataclasses
import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from imbot.mailbox.oauth import OAuthSettings
from tests.servers import Certificates

SECRET = "app-secret-1"


@dataclass
class TokenServer:
    """`client_id` is the mailbox that a token opens. `answer`: (status, body) instead of a token. `rotate`: each refresh
    token is good once and comes with the next. `asked`: the forms of all requests for a token."""

    expires_in: int | None = 3600
    rotate: bool = False
    answer: tuple[int, bytes] | None = None
    refresh_tokens: dict[str, str] = field(default_factory=dict)  # token -> mailbox
    asked: list[dict[str, str]] = field(default_factory=list)
    good: dict[str, str] = field(default_factory=dict)  # token -> mailbox
    port: int = 0

    def start(self, certificates: Certificates | None = None) -> TokenServer:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
                status, said = outer._introspect(form) if self.path == "/introspect" else outer._token(form)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificates is not None:
            context: ssl.SSLContext = certificates.server_context()
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def token_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/token"

    @property
    def introspection_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/introspect"

    def forget(self) -> None:
        """No token that was given is good any more."""
        self.good.clear()

    def _token(self, form: dict[str, str]) -> tuple[int, bytes]:
        self.asked.append(form)
        if self.answer is not None:
            return self.answer
        mailbox = form.get("client_id", "")
        answer: dict[str, Any] = {"token_type": "Bearer"}
        if form["grant_type"] == "client_credentials":
            if form.get("client_secret") != SECRET:
                return 401, json.dumps({"error": "invalid_client", "error_description": "no such secret"}).encode()
        else:
            old = form["refresh_token"]
            if self.refresh_tokens.get(old) != mailbox:
                text = f"AADSTS70008: the refresh token {old} has expired"
                return 400, json.dumps({"error": "invalid_grant", "error_description": text}).encode()
            if self.rotate:
                del self.refresh_tokens[old]
                answer["refresh_token"] = f"{old}+"
                self.refresh_tokens[f"{old}+"] = mailbox
        token = f"token-{len(self.asked)}-{mailbox}".replace("@", ".")
        self.good[token] = mailbox
        answer |= {"access_token": token} | ({} if self.expires_in is None else {"expires_in": self.expires_in})
        return 200, json.dumps(answer).encode()

    def _introspect(self, form: dict[str, str]) -> tuple[int, bytes]:
        mailbox = self.good.get(form.get("token", ""))
        return 200, json.dumps({"active": mailbox is not None, "username": mailbox or ""}).encode()


def application(giver: TokenServer, mailbox: str = "anna@example.test", **changes: Any) -> OAuthSettings:
    """imbot as an application that this giver knows."""
    plain = OAuthSettings(giver.token_url, mailbox, SECRET, scope="mail", timeout=5)
    return dataclasses.replace(plain, **changes)
