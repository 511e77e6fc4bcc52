"""What went wrong with a mail server, in the outbox's words: about this letter, about the server, or not known."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

import aiosmtplib

from imbot.domain.errors import DeliveryError
from imbot.mailbox.oauth import without
from imbot.mailbox.smtp_outgoing import Outgoing

AUTH_CODES = frozenset({454, 530, 534, 535, 538})  # RFC 4954: about us and the server, never about this letter


@dataclass(slots=True)
class Errors:
    """`where`: the server. `timeout`: seconds. `hidden`: the token in all its forms: the server may repeat it, an error does
    not."""

    where: str
    timeout: float
    hidden: tuple[str, ...] = ()

    def refusal(self, code: int, message: str, outgoing: Outgoing) -> DeliveryError:
        if outgoing.dot_sent and code < 400:
            return self._unknown(f"what came behind the letter is no answer to it: {self._one_line(message)}")
        text = f"{self.where}: {code} {self._one_line(message)}"
        if code in AUTH_CODES or code < 400:
            return DeliveryError(text, kind="down", code=str(code))
        if code < 500:
            return DeliveryError(text, kind="throttled", code=str(code))
        return DeliveryError(text, permanent=True, kind="refused", code=str(code))

    def address(self, error: Exception) -> DeliveryError:
        text = f"{self.where}: an address cannot be sent: {error}"
        return DeliveryError(text, permanent=True, kind="refused", code="address")

    def down(self, error: Exception, outgoing: Outgoing | None = None) -> DeliveryError:
        """An error of the connection, the certificate or the login."""
        if outgoing is not None and outgoing.dot_sent:
            return self._unknown("the connection broke after the letter and before the answer")
        code = "connection"
        text = self._one_line(str(error)) or type(error).__name__
        if isinstance(error, ssl.SSLCertVerificationError) or isinstance(error.__cause__, ssl.SSLCertVerificationError):
            code, text = "certificate", f"the server's certificate is not trusted: {text}"
        elif isinstance(error, aiosmtplib.SMTPAuthenticationError):
            code, text = str(error.code), f"login refused: {error.code} {self._one_line(error.message)}"
        elif isinstance(error, aiosmtplib.SMTPResponseException):
            code, text = str(error.code), f"{error.code} {self._one_line(error.message)}"
        elif isinstance(error, TimeoutError):
            code = "timeout"
        return DeliveryError(f"{self.where}: {text}", kind="down", code=code)

    def silent(self, outgoing: Outgoing | None = None) -> DeliveryError:
        if outgoing is not None and outgoing.dot_sent:
            return self._unknown(f"no answer to the letter within {self.timeout:g} s")
        return DeliveryError(f"{self.where}: no answer within {self.timeout:g} s", kind="down", code="timeout")

    def _unknown(self, words: str) -> DeliveryError:
        """The server may have the letter: it goes again, with the same Message-ID."""
        return DeliveryError(f"{self.where}: {words}", kind="down", code="unknown-outcome")

    def _one_line(self, text: str) -> str:
        return without(self.hidden, " ".join(text.split()))[:400]
