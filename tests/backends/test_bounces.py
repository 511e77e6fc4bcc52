"""Which letters say that one of ours was not delivered: by the standard, by the habits of many systems, and by real ones."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from imbot.backends.bounces import read_bounce
from imbot.domain.errors import LetterRefused
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


def failed_ids(mail: InboundMail) -> tuple[str, ...]:
    bounce = read_bounce(mail)
    return bounce.message_ids if bounce is not None and bounce.action == "failed" else ()


def test_a_bounce_names_our_letter_and_gives_the_words_of_the_server() -> None:
    bounce = read_bounce(bytes_to_mail(DSN % b"failed"))
    assert bounce is not None
    assert (bounce.message_ids, bounce.action, bounce.status) == (("<our@bot.example>",), "failed", "5.1.1")
    assert bounce.words == "smtp; 550 5.1.1 no such user here"


@pytest.mark.parametrize("action", ["delayed", "relayed", "expanded", "delivered"])
def test_a_delay_or_a_success_is_no_failure(action: str) -> None:
    letter = bytes_to_mail(DSN % action.encode())
    assert failed_ids(letter) == ()
    assert failed_ids(bytes_to_mail(DSN % b"failed")) == ("<our@bot.example>",)
    bounce = read_bounce(letter)
    assert bounce is not None
    assert bounce.action == action


def test_one_failed_recipient_of_several_is_a_failure() -> None:
    several = DSN.replace(b"Action: %s", b"Action: relayed\r\n\r\nFinal-Recipient: rfc822; b@x\r\nAction: failed")
    assert failed_ids(bytes_to_mail(several)) == ("<our@bot.example>",)


def loose(subject: str, text: str, sender: str = "mailer-daemon@mx.example", **more: object) -> InboundMail:
    return InboundMail("0", 1, subject=subject, text=text, sender=sender, **more)  # type: ignore[arg-type]


QUOTED = "\n\n--- Below this line is a copy of the message.\nReceived: from x\nMessage-ID: <our@bot.example>\nSubject: Принтер"

# (who, subject, text, words that must be told): as these systems write
FAILED = {
    "qmail": (
        "MAILER-DAEMON@mx.example",
        "failure notice",
        "Hi. This is the qmail-send program at mx.example.\nI'm afraid I wasn't able to deliver your message to the following"
        " addresses.\n\n<help@company.example>:\n192.0.2.1 does not like recipient.\nRemote host said: 550 no such user",
        "Remote host said: 550 no such user",
    ),
    "exim": (
        "Mailer-Daemon@mx.example",
        "Mail delivery failed: returning message to sender",
        "A message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error.\n\n"
        "  help@company.example\n    SMTP error from remote mail server after RCPT TO:<help@company.example>:\n"
        "    host mx [192.0.2.1]: 550 5.1.1 unknown",
        "550 5.1.1 unknown",
    ),
    "yandex": (
        "mailer-daemon@yandex.ru",
        "Недоставленное сообщение",
        "Это письмо отправлено почтовым сервером yandex.ru.\n\nК сожалению, мы вынуждены сообщить Вам о том, что Ваше письмо не"
        " может быть отправлено одному или нескольким адресатам. Технические подробности можно найти ниже.\n\n"
        "<help@company.example>: host mx.company.example[192.0.2.1] said: 554 5.7.1 Message rejected",
        "554 5.7.1 Message rejected",
    ),
    "mail.ru": (
        "mailer-daemon@corp.mail.ru",
        "Ваше сообщение не доставлено. Mail failure.",
        "Это письмо создано автоматически сервером Mail.Ru.\n\nК сожалению, Ваше письмо не может быть доставлено одному или"
        " нескольким получателям:\n\nhelp@company.example\nuser not found",
        "не может быть доставлено",
    ),
    "exchange": (
        "postmaster@company.example",
        "Не удается доставить: Принтер",
        "Не удалось выполнить доставку следующим получателям или группам:\n\nhelp@company.example\nАдрес не найден.\n\n"
        "Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound'",
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound",
    ),
    "office365": (
        "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@company.example",
        "Undeliverable: Принтер",
        "Your message to help@company.example couldn't be delivered.\nhelp wasn't found at company.example.",
        "couldn't be delivered",
    ),
    "without a daemon": (
        "imss@company.example",
        "Mail could not be delivered",
        "Sent <<< RCPT TO:<help@company.example>\nReceived >>> 550 5.1.1 unknown user.",
        "550 5.1.1 unknown user.",
    ),
}


@pytest.mark.parametrize("system", FAILED)
def test_a_loose_report_is_read_with_the_words_of_the_server(system: str) -> None:
    sender, subject, text, told = FAILED[system]
    bounce = read_bounce(loose(subject, text + QUOTED, sender.lower()))
    assert bounce is not None
    assert (bounce.action, bounce.message_ids) == ("failed", ("<our@bot.example>",))
    assert told in bounce.words


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        (
            "Warning: could not send message for past 4 hours",
            "451 4.4.1 reply: read error\n** THIS IS A WARNING MESSAGE ONLY **",
        ),
        (
            "Delivery Status Notification (Delay)",
            "Delivery to the following recipient has been delayed: help@company.example",
        ),
        ("Доставка отложена: Принтер", "Доставка вашего сообщения задерживается. Попытки доставки будут продолжены."),
        ("Письмо от mx", "Could not be delivered yet: 451 4.7.1 greylisted, try later"),
    ],
)
def test_a_loose_report_of_a_delay_is_no_failure(subject: str, text: str) -> None:
    bounce = read_bounce(loose(subject, text + QUOTED))
    assert bounce is not None
    assert bounce.action == "delayed"
    assert failed_ids(loose(subject, text + QUOTED)) == ()


def test_a_server_that_gave_up_after_delays_reports_a_failure() -> None:
    text = "421 4.4.2 connection timed out\nDeferred. Cannot send message for 5 days" + QUOTED
    assert failed_ids(loose("Returned mail: Cannot send message for 5 days", text)) == ("<our@bot.example>",)


def test_a_letter_that_returns_as_a_file_or_is_answered_is_named() -> None:
    whole = DSN.replace(b"text/rfc822-headers", b"text/plain; name=headers.txt").replace(
        b"report; report", b"mixed; report"
    )
    assert read_bounce(bytes_to_mail(whole % b"failed")).message_ids == ("<our@bot.example>",)  # type: ignore[union-attr]
    answered = loose("Undeliverable: Принтер", "couldn't be delivered", in_reply_to=("<our@bot.example>",))
    assert failed_ids(answered) == ("<our@bot.example>",)


REPORT = bytes_to_mail(DSN % b"failed").attachments[0]


def test_a_letter_whose_words_sound_like_a_report_is_told_from_a_report_by_the_standard() -> None:
    by_standard = read_bounce(bytes_to_mail(DSN % b"failed"))
    by_words = read_bounce(loose("failure notice", "550 5.1.1 no such user", "x@mx.example"))
    assert by_standard is not None
    assert by_words is not None
    assert (by_standard.formal, by_words.formal) == (True, False)
    by_system = read_bounce(loose("failure notice", "550 no"))
    assert by_system is not None
    assert by_system.formal


def test_only_a_mail_system_names_a_letter_by_answering_it() -> None:
    words = ("Письмо не доставлено", "Не удалось доставить: 550 5.1.1 нет такого")
    asked = ("<our@bot.example>",)
    assert failed_ids(loose(*words, in_reply_to=asked, references=asked)) == asked
    assert failed_ids(loose(*words, "itsm@company.example", in_reply_to=asked, references=asked)) == ()


@pytest.mark.parametrize(
    "letter",
    [
        loose("В отпуске до понедельника", "Нет на месте", "tom@company.example", automatic=True),
        loose("Re: y", "x", "tom@company.example", in_reply_to=("<our@bot.example>",)),
        loose("Вопрос", "Почему письмо не доставлено?" + QUOTED, "anna@company.example"),
        loose("Mail delivery of parcels", "Зайдём после обеда", "anna@company.example"),
        loose("Заявка № IM-CL-7 выполнена", "Решение: ящик переполнен был, очистили", "itsm@company.example"),
        loose("Плановые работы", "В субботу почта не работает", "postmaster@company.example"),
        loose("Почта", "Вот отчёт, который я получила", "anna@company.example", attachments=(REPORT,)),
        loose("Your message was read", "", "anna@company.example", report_type="disposition-notification"),
    ],
)
def test_ordinary_letters_and_absence_notes_are_no_bounces(letter: InboundMail) -> None:
    assert read_bounce(letter) is None


@pytest.mark.parametrize(
    "piece", ["4 ", "error ", "Message-ID: \n", "550 ", "> ", "не было ", "delivery ", "\n", "recipient "]
)
def test_no_report_takes_long_to_read(piece: str) -> None:
    text = piece * (500_000 // len(piece))
    begun = time.process_time()
    read_bounce(loose("delivery" + piece * 1000, text))
    assert time.process_time() - begun < 1


# Real ones

MAILS = Path(__file__).resolve().parents[3] / "shared" / "mails" / "corpus"
AUTOMATIC = ("-arf-", "-rfc3834-", "-is-not-bounce")  # sisimai: abuse reports, absence notes
ORDINARY = ("qmail_08", "groupwise_03")  # flufl_bounce: no bounces
DELAYS = (
    "sendmail-29", "zoho-04", "gmail-08", "gmail-09", "opensmtpd-06", "opensmtpd-15", "rfc3464-55", "messagingserver-07",
    "sendmail-55", "dsn_06", "dsn_07", "dsn_08", "simple_22",
)  # fmt: skip
UNKNOWN = ("lhost-fml-02", "lhost-amazonses-09")  # a list that is closed to strangers; a notice in JSON, no letter
# Reports among the letters of the other suites.
OTHERS = {
    "msg_25", "dsn_relayed", "ndn_with_attachment", "testrun_ndn", "testrun_ndn_2", "posteo_ndn", "bounced_email",
    "bounced_email_multiple_status_codes", "soft_bounce_via_verp", "delayed", "broken-mime", "no-mx",
    "report_530", "report_422", "bounce-dsn", "badbound", "delivery-status-no-blank-line", "delivery-status",
    "FilenameWithCRLF", "PostMaster-Test10", "multipart-report", "mail_malformed_2", "example_bounce", "mail063",
}  # fmt: skip

needs_mails = pytest.mark.skipif(
    not MAILS.is_dir() and not os.environ.get("CI"), reason="the letters of ../shared are not here"
)


@pytest.mark.corpus
@needs_mails
@pytest.mark.parametrize(("suite", "many", "named"), [("sisimai", 290, 0.85), ("flufl_bounce", 45, 0.15)])
def test_reports_of_many_mail_systems_are_recognised(
    suite: str, many: int, named: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """Most of the second suite quote the letter that failed without its Message-ID."""
    failed, missed, delayed, with_id = 0, [], 0, 0
    for path in sorted((MAILS / suite).iterdir()):
        bounce = read_bounce(bytes_to_mail(path.read_bytes()))
        if any(word in path.name for word in (*AUTOMATIC, *ORDINARY)):
            assert bounce is None, path.name
        elif any(word in path.name for word in DELAYS):
            assert bounce is not None, path.name
            assert bounce.action == "delayed", path.name
            delayed += 1
        elif bounce is None or bounce.action not in ("failed",):
            missed.append(path.name)
        else:
            failed += 1
            with_id += bool(bounce.message_ids)
            assert bounce.words or not bounce.message_ids, path.name
    with capsys.disabled():
        print(
            f"\n{suite}: {failed} of {failed + len(missed)} failures recognised, {with_id} name the letter; {delayed} delays"
        )
    assert all(any(word in name for word in UNKNOWN) for name in missed), missed
    assert failed > many
    assert failed >= 0.95 * (failed + len(missed))
    assert with_id >= named * failed


@pytest.mark.corpus
@needs_mails
def test_no_ordinary_letter_is_taken_for_a_report() -> None:
    found, count = set(), 0
    for path in sorted(MAILS.glob("*/*")):
        if path.parent.name in ("sisimai", "flufl_bounce"):
            continue
        count += 1
        try:
            bounce = read_bounce(bytes_to_mail(path.read_bytes()))
        except LetterRefused:
            continue
        if bounce is not None:
            found.add(path.name.partition("-")[2].rpartition(".")[0])
    assert count > 700
    assert found == OTHERS
