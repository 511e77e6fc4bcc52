"""Letters as bytes: `letter_to_bytes` builds what goes out, `bytes_to_mail` reads what came in. Bounded and pure."""

from __future__ import annotations

from imbot.mime.addresses import parse_addresses
from imbot.mime.html import html_to_text
from imbot.mime.names import clean_file_name
from imbot.mime.read import ReadLimits, bytes_to_mail
from imbot.mime.wire import mail_from_json, mail_to_json
from imbot.mime.write import letter_to_bytes

__all__ = [
    "ReadLimits",
    "bytes_to_mail",
    "clean_file_name",
    "html_to_text",
    "letter_to_bytes",
    "mail_from_json",
    "mail_to_json",
    "parse_addresses",
]
