from __future__ import annotations

import pytest

from imbot.backends.auth_results import parse_auth_results


def test_a_field_is_read_in_every_form() -> None:
    field = parse_auth_results(
        'mx.example (x (y)) 1; dkim=pass (1024-bit; "q") header.d="a.example" header.i=@a.example;dmarc=pass(p=none) '
        "action=none header.from=a.example; spf = fail smtp.mailfrom=x@a.example;"
    )
    assert field.authserv_id == "mx.example"
    assert [(each.method, each.result) for each in field.verdicts] == [
        ("dkim", "pass"),
        ("dmarc", "pass"),
        ("spf", "fail"),
    ]
    assert field.verdicts[0].properties["header.d"] == "a.example"
    assert parse_auth_results("spf=pass; dmarc=pass").authserv_id == ""
    quoted = parse_auth_results('(v (x)) "mx\\.example" (y) 1; none')
    assert (quoted.authserv_id, quoted.sound) == ("mx.example", True)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("evil; dmarc=pass", ""),
        ('x="; dmarc=pass', "does not end"),
        ("(dmarc=pass", "does not end"),
        ("dmarc=pass) x=y", "never began"),
        ("dmarc=pass; company.example", "no result"),
        ("dmarc=pass; =pass", "no result"),
        ("spf=pass smtp.mailfrom=a; dkim=pass header.d=company.example", "smtp.mailfrom is no address"),
        ('spf=pass smtp.mailfrom="a b"@evil.test; dkim=pass', "smtp.mailfrom is no address"),
        ('spf=pass smtp.mailfrom="a;dkim=pass"@evil.test', "smtp.mailfrom is no address"),
        ("dkim=pass header.d=company.example x", "stands alone"),
        ("dkim=pass header.d=company.example header.d=evil.test", "header.d is said twice"),
        ("dmarc=pass header.from=company.example HEADER.FROM=evil.test", "header.from is said twice"),
        ("dkim=pass header.d=company.example header.i=@evil.test", "not below"),
        ("dkim=pass header.d=company.example header.i=@evilcompany.example", "not below"),
        ("spf=none smtp.helo=a?b;dmarc=pass header.from=company.example", "smtp.helo is no name"),
        ('spf=none smtp.helo="a b"; dmarc=pass header.from=company.example', "smtp.helo is no name"),
        ("dmarc=pass; dmarc=pass", "twice what DMARC"),
        ("spf=pass smtp.mailfrom=a@b.ru; dkim=pass; spf=pass smtp.mailfrom=b@evil.test", "twice what SPF"),
        ("dkim=pass header.d=company.example; dkim=none", "no DKIM signature, and that there is one"),
    ],
)
def test_an_odd_field_proves_nothing_and_says_why(said: str, why: str) -> None:
    """What is left of an envelope sender that a server wrote down as it came, seen from every side."""
    found = parse_auth_results(f"mx.example; {said}" if why else f"mx.example {said}")
    assert (found.sound, found.verdicts) == (False, ())
    assert why in found.oddity


@pytest.mark.parametrize(
    "said",
    [
        "none",
        "",
        "spf=pass smtp.mailfrom=a@b.ru; spf=none smtp.helo=mail.b.ru; dkim=pass header.d=b.ru header.i=@mail.b.ru",
        "spf=pass smtp.mailfrom=b.ru; dkim=fail header.d=b.ru; dkim=pass header.d=b.ru header.s=x",
        'spf=none smtp.mailfrom=<>; dkim=pass (2048; (ok)) header.d=b.ru header.b="x+/="; dkim-atps=neutral',
        'dkim=pass reason="all; is (well" header.d=b.ru',
        "arc=pass (i=1 spf=pass) ; dmarc=pass(p=NONE,sp=NONE) header.from=b.ru;",
    ],
)
def test_the_forms_of_careful_servers_are_sound(said: str) -> None:
    assert parse_auth_results(f"mx.example; {said}").oddity == ""


def test_exchange_online_writes_no_name_and_once_put_a_domain_between_its_results() -> None:
    found = parse_auth_results("spf=pass smtp.helo=x.example; b.example; dkim=none header.d=none;b.example; dmarc=pass")
    assert (found.authserv_id, found.oddity) == ("", "")
    assert [verdict.method for verdict in found.verdicts] == ["spf", "dkim", "dmarc"]


def test_a_field_without_end_is_not_read() -> None:
    assert "longer than" in parse_auth_results("mx.example; " + "dkim=pass; " * 10_000).oddity
