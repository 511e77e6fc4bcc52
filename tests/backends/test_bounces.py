from __future__ import annotations

from imbot.backends.bounces import bounced_message_ids, read_bounce
from imbot.domain.letters import InboundMail
from imbot.mime import bytes_to_mail

DSN = (
    b"From: MAILER-DAEMON@mx.example\r\nSubject: Undelivered Mail\r\nReturn-Path: <>\r\n"
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
    b"--b\r\n\r\nCould not be delivered.\r\n"
    b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\nAction: %s\r\nStatus: 5.1.1\r\n"
    b"Diagnostic-Code: smtp; 550 5.1.1 no such\r\n user here\r\n"
    b"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <our@bot.example>\r\nSubject: x\r\n--b--\r\n"
)


def test_a_bounce_names_our_letter_and_gives_the_words_of_the_server() -> None:
    bounce = read_bounce(bytes_to_mail(DSN % b"failed"))
    assert bounce is not None
    assert (bounce.message_ids, bounce.action, bounce.status) == (("<our@bot.example>",), "failed", "5.1.1")
    assert bounce.words == "smtp; 550 5.1.1 no such user here"


def test_a_delay_is_no_failure() -> None:
    delayed = bytes_to_mail(DSN % b"delayed")
    assert bounced_message_ids(delayed) == ()
    assert bounced_message_ids(bytes_to_mail(DSN % b"failed")) == ("<our@bot.example>",)
    bounce = read_bounce(delayed)
    assert bounce is not None
    assert bounce.action == "delayed"


def test_an_answer_and_an_absence_note_are_no_bounces() -> None:
    absent = InboundMail("0", 1, subject="В отпуске до понедельника", text="Нет на месте", automatic=True)
    answer = InboundMail("0", 1, subject="Re: y", text="x", in_reply_to=("<our@bot.example>",))
    assert read_bounce(absent) is None
    assert read_bounce(answer) is None
