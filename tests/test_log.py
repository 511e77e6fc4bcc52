"""What a log line may tell, and that every way into the log passes the same masks."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator

import pytest
import structlog

from imbot import log

TOKEN = "123456789:AAEhBOweik6ad9r_QXMENQjcrbGbqCr4K-c"


@pytest.fixture(autouse=True)
def _the_log_of_the_tests_comes_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(form: log.Format, level: str = "info", secrets: tuple[str, ...] = ()) -> io.StringIO:
    stream = io.StringIO()
    log.set_up(level, form, secrets=secrets, stream=stream)
    return stream


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"POST https://api.telegram.org/bot{TOKEN}/sendMessage", "POST https://api.telegram.org/bot***/sendMessage"),
        ("letter for ivanova@company.ru put", "letter for i***@company.ru put"),
        ("proxy socks5://user:pa55@proxy:1080", "proxy socks5://user:***@proxy:1080"),
        ("password='correct horse', host=mx", "password=***, host=mx"),
        ('{"token": "abcdef", "n": 1}', '{"token": ***, "n": 1}'),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("code=ABCD2345 sent", "code=*** sent"),
        ("code=550 refused", "code=550 refused"),
        ("https://t.me/bot?start=abcdefghijklmnopqrst", "https://t.me/bot?start=***"),
        ("Ваш код: K7QW 2MXP.", "Ваш код: ***."),
        ("Код для входа в чат поддержки imbot: K7QW2MXP", "Код для входа в чат поддержки imbot: ***"),
        ("Авторизация кода ABCDEFGH", "Авторизация кода ***"),
        ("code: ABCD EFGH", "code: ***"),
        ("your code: abcd-e7gh", "your code: ***"),
        ("error code: received too late", "error code: received too late"),
        ("code: this word and others", "code: this word and others"),
        ("exit code 1 of the reading child", "exit code 1 of the reading child"),
        ("GET /user/anna%40demo.local", "GET /user/a***%40demo.local"),
        ("user <иванов@пример.рф>", "user <и***@пример.рф>"),
        ("b'anna@demo.local'", "b***@demo.local'"),
        ("password is hunter2222", "password is ***"),
        ("пароль: тайна", "пароль: ***"),
        ('{"password": "hun\\"ter22", "n": 1}', '{"password": ***, "n": 1}'),
        ('"{\\"password\\": \\"hunter22\\", \\"n\\": 1}"', '"{\\"password\\": ***, \\"n\\": 1}"'),
        ('{"password": "cut sho', '{"password": ***'),
        ("smtp.password: is missing; set IMBOT_SMTP__PASSWORD", "smtp.password: is missing; set IMBOT_SMTP__PASSWORD"),
        ("telegram.token: must be a text", "telegram.token: must be a text"),
        ("the password is wrong or the account is locked", "the password is wrong or the account is locked"),
        ("login refused: the secret is empty", "login refused: the secret is empty"),
        ("at 2026-11-21 09:14:03 three letters", "at 2026-11-21 09:14:03 three letters"),
    ],
)
def test_a_line_keeps_its_sense_and_loses_its_secrets(text: str, kept: str) -> None:
    assert log.mask(text) == kept


@pytest.mark.parametrize("piece", ["a", "code ", "password ", "a@", 'password="', '\\\\"', "код-", "a." * 8, "x:1" * 3])
def test_a_long_line_is_masked_in_no_time(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    begin = time.process_time()
    log.mask(text)
    assert time.process_time() - begin < 2


def test_a_known_secret_is_blotted_out_wherever_it_stands_but_a_tiny_one_would_blot_out_everything() -> None:
    assert log.mask("login with s3cretXY failed", ["s3cretXY"]) == "login with *** failed"
    assert log.mask("a cat", ["a"]) == "a cat"


@pytest.mark.parametrize("form", ["console", "json"])
def test_events_libraries_and_tracebacks_pass_the_same_masks(form: log.Format) -> None:
    stream = lines(form, secrets=("hunter2222",))
    structlog.get_logger("imbot").info("sent", to="anna@company.ru", code="ABCD2345", deep={"password": "x"})
    logging.getLogger("some.library").warning("login of %s with %s", "tom@company.ru", "hunter2222")
    try:
        raise ValueError(f"refused by https://host/bot{TOKEN} for eve@company.ru")
    except ValueError:
        logging.getLogger("some.library").exception("it broke")
    text = stream.getvalue()
    assert "a***@company.ru" in text
    assert "t***@company.ru" in text
    assert "e***@company.ru" in text
    for secret in ("anna@", "tom@", "eve@", "ABCD2345", "hunter2222", TOKEN):
        assert secret not in text


def test_json_is_one_object_a_line_with_time_level_and_event() -> None:
    stream = lines("auto")  # no terminal
    structlog.get_logger("imbot").info("считано", letters=3, people=["a@b.ru"], nothing=None, odd=object)
    row = json.loads(stream.getvalue())
    assert (row["event"], row["level"], row["letters"], row["people"]) == ("считано", "info", 3, ["a***@b.ru"])
    assert row["timestamp"].endswith("Z")
    assert row["nothing"] is None


def test_chatty_libraries_are_heard_only_when_something_is_wrong() -> None:
    stream = lines("console", "debug")
    logging.getLogger("httpx").info("HTTP Request: POST ...")
    assert stream.getvalue() == ""
    logging.getLogger("httpx").warning("slow")
    assert "slow" in stream.getvalue()


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Bearer ya29.a0AfH6SMBx-1234567890",
        "auth=Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc_DEF-123",
        '{"access_token": "ya29.a0AfH6SMBx-1234567890", "client_secret": "geheim-1"}',
        "refresh_token=1//0gabcDEF123456789",
    ],
)
def test_tokens_of_mail_services_are_masked(line: str) -> None:
    shown = log.mask(line)
    for secret in ("ya29", "eyJhbGci", "geheim", "0gabcDEF"):
        assert secret not in shown


def test_a_bearer_in_a_sentence_is_no_token() -> None:
    assert log.mask("the bearer authentication failed") == "the bearer authentication failed"


def test_the_first_start_says_nothing_of_the_plugins_of_a_library() -> None:
    stream = lines("json")
    logging.getLogger("alembic.runtime.plugins").info("setup plugin alembic.autogenerate.schemas")
    assert stream.getvalue() == ""
