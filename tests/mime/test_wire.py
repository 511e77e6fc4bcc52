"""A mail as JSON, and back."""

from __future__ import annotations

import json

from imbot.domain.letters import Attachment
from imbot.mime import mail_from_json, mail_to_json
from tests.mime.letters import back, letter


def test_a_mail_survives_json_with_its_files_and_without() -> None:
    mail = back(letter(attachments=(Attachment("a.bin", data=b"\x00\xff"),)))
    table = json.loads(json.dumps(mail_to_json(mail)))
    assert mail_from_json(table, [b"\x00\xff"]) == mail
    assert mail_from_json(table).attachments[0].data is None
