"""The LDAP directory against a real slapd."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from imbot.directory.ldap import Ldap, LdapAttributes, LdapSettings
from imbot.domain.errors import ConfigError, DirectoryUnavailable
from imbot.domain.people import Absence, Entry, Role
from tests.proxy import Proxy
from tests.servers import Certificates, Slapd, open_folder

pytestmark = pytest.mark.servers
ELSEWHERE = """
dn: ou=elsewhere,dc=example,dc=test
objectClass: referral
objectClass: extensibleObject
ou: elsewhere
ref: ldap://127.0.0.1:{port}/ou=elsewhere,dc=example,dc=test
"""
NEVER = 60  # seconds: whoever is still waiting then would wait for ever


def settings(slapd: Slapd, **changes: Any) -> LdapSettings:
    plain = LdapSettings(
        uris=(slapd.secure_uri,),
        bind_dn=slapd.bind_dn,
        bind_password=slapd.bind_password,
        base=slapd.base,
        ca_file=str(slapd.certificates.ca),
        attributes=LdapAttributes(extra={"title": "title"}),
    )
    return dataclasses.replace(plain, **changes)


async def test_anna_is_found_over_ldaps_whatever_the_case(slapd: Slapd) -> None:
    found = await Ldap(settings(slapd)).look_up("anna.ivanova@EXAMPLE.test")
    assert found == Entry(
        address="anna.ivanova@example.test",
        name="Иванова Анна Сергеевна",
        phone="+7 495 123-45-67",
        office="Тверская, 7",
        department="Бухгалтерия",
        attributes={"title": "Бухгалтер"},
    )


async def test_anna_is_found_over_starttls(slapd: Slapd) -> None:
    found = await Ldap(settings(slapd, uris=(slapd.uri,), starttls=True)).look_up("anna.ivanova@example.test")
    assert isinstance(found, Entry)


async def test_a_name_falls_back_to_the_common_name(slapd: Slapd) -> None:
    found = await Ldap(settings(slapd)).look_up("tom@example.test")
    assert isinstance(found, Entry)
    assert found.name == "Tom Larsen"


@pytest.mark.parametrize("starttls", [False, True])
async def test_a_certificate_of_another_authority_is_refused(slapd: Slapd, starttls: bool) -> None:
    uri = slapd.uri if starttls else slapd.secure_uri
    wrong = settings(slapd, uris=(uri,), starttls=starttls, ca_file=str(slapd.certificates.other_ca))
    with pytest.raises(DirectoryUnavailable, match="certificate"):
        await Ldap(wrong).look_up("anna.ivanova@example.test")


@pytest.mark.parametrize("starttls", [False, True])
async def test_a_certificate_for_another_name_is_refused(certificates: Certificates, starttls: bool) -> None:
    other = dataclasses.replace(certificates, cert=certificates.wrong_name_cert, key=certificates.wrong_name_key)
    with open_folder("imbot-slapd-") as folder:
        server = Slapd(folder, other)
        try:
            server.start()
            uri = server.uri if starttls else server.secure_uri
            with pytest.raises(DirectoryUnavailable, match="certificate"):
                await Ldap(settings(server, uris=(uri,), starttls=starttls)).look_up("anna.ivanova@example.test")
        finally:
            server.stop()


@pytest.mark.parametrize(
    "address",
    [
        "*@example.test",
        "*",
        "o*d+tag@example.test",
        "anna*@example.test",
        "anna.ivanova@example.test)(uid=*",
        ")(uid=*",
        "nobody@example.test",
        "аnna.ivanova@example.test",  # the first letter is Cyrillic
        "",
        "bot",
        "anna.ivanova@example.test\0",
    ],
)
async def test_wildcards_injections_and_strangers_find_nobody(slapd: Slapd, address: str) -> None:
    assert await Ldap(settings(slapd)).look_up(address) is Absence.ABSENT


async def test_an_odd_but_legal_address_is_found(slapd: Slapd) -> None:
    found = await Ldap(settings(slapd)).look_up("o'dd+tag@example.test")
    assert isinstance(found, Entry)
    assert found.name == "Odd (but) legal"


async def test_a_loose_filter_cannot_find_somebody_with_another_mail(slapd: Slapd) -> None:
    loose = settings(slapd, filter="(|(mail={address})(uid=anna))")
    assert await Ldap(loose).look_up("nobody@example.test") is Absence.ABSENT


async def test_two_entries_with_one_mail_are_ambiguous(slapd: Slapd) -> None:
    assert await Ldap(settings(slapd)).look_up("twin@example.test") is Absence.AMBIGUOUS


async def test_more_hits_than_the_size_limit_are_ambiguous(slapd: Slapd) -> None:
    loose = settings(slapd, filter="(|(mail={address})(objectClass=inetOrgPerson))")
    assert await Ldap(loose).look_up("anna.ivanova@example.test") is Absence.AMBIGUOUS


async def test_the_disabled_bit_of_active_directory_shuts_eve_out(slapd: Slapd) -> None:
    assert await Ldap(settings(slapd, disabled_bit=True)).look_up("eve@example.test") is Absence.DISABLED
    assert isinstance(await Ldap(settings(slapd, disabled_bit=True)).look_up("tom@example.test"), Entry)


async def test_an_unreadable_disabled_bit_is_not_taken_for_active(slapd: Slapd) -> None:
    with pytest.raises(DirectoryUnavailable, match="userAccountControl"):
        await Ldap(settings(slapd, disabled_bit=True)).look_up("o'dd+tag@example.test")


async def test_a_filter_can_say_who_is_disabled(slapd: Slapd) -> None:
    directory = Ldap(settings(slapd, disabled_filter="(employeeType=left)"))
    assert await directory.look_up("eve@example.test") is Absence.DISABLED
    assert isinstance(await directory.look_up("anna.ivanova@example.test"), Entry)


async def test_groups_give_roles_by_member_and_by_member_of(slapd: Slapd) -> None:
    roles = {
        "CN=Admins,dc=example,dc=test": Role.ADMIN,
        "cn=Helpdesk,dc=example,dc=test": Role.SUPPORT,
        "cn=gone,dc=example,dc=test": Role.ADMIN,
    }
    directory = Ldap(settings(slapd, roles=roles))
    anna, tom = await directory.look_up("anna.ivanova@example.test"), await directory.look_up("tom@example.test")
    eve = await directory.look_up("eve@example.test")
    assert [found.role for found in (anna, tom, eve) if isinstance(found, Entry)] == [
        Role.ADMIN,
        Role.SUPPORT,
        Role.USER,
    ]


async def test_a_wrong_service_password_is_unavailability(slapd: Slapd) -> None:
    with pytest.raises(DirectoryUnavailable, match="service account"):
        await Ldap(settings(slapd, bind_password="wrong")).look_up("anna.ivanova@example.test")


async def test_a_wrong_base_is_unavailability_not_absence(slapd: Slapd) -> None:
    with pytest.raises(DirectoryUnavailable):
        await Ldap(settings(slapd, base="ou=nowhere,dc=example,dc=test")).look_up("anna.ivanova@example.test")


async def test_a_broken_filter_is_unavailability_not_absence(slapd: Slapd) -> None:
    with pytest.raises(DirectoryUnavailable):
        await Ldap(settings(slapd, filter="(mail={address}")).look_up("anna.ivanova@example.test")


async def test_a_server_that_is_down_is_unavailability(slapd: Slapd, unused_port: int) -> None:
    with pytest.raises(DirectoryUnavailable):
        await Ldap(settings(slapd, uris=(f"ldaps://127.0.0.1:{unused_port}",))).look_up("anna.ivanova@example.test")


async def test_a_server_that_dns_does_not_know_is_said_so(slapd: Slapd) -> None:
    with pytest.raises(DirectoryUnavailable, match=r"^ldaps://nowhere.invalid: .*(not known|name resolution)"):
        await Ldap(settings(slapd, uris=("ldaps://nowhere.invalid",))).check()


async def test_the_second_server_answers_when_the_first_is_down(slapd: Slapd, unused_port: int) -> None:
    directory = Ldap(settings(slapd, uris=(f"ldaps://127.0.0.1:{unused_port}", slapd.secure_uri)))
    assert isinstance(await directory.look_up("anna.ivanova@example.test"), Entry)
    assert (await directory.check()).startswith(slapd.secure_uri)


@pytest.mark.parametrize("starttls", [False, True])
async def test_a_silent_server_is_given_up_in_time(slapd: Slapd, starttls: bool) -> None:
    async with Proxy(slapd.plain if starttls else slapd.secure) as proxy:
        uri = f"{'ldap' if starttls else 'ldaps'}://127.0.0.1:{proxy.port}"
        directory = Ldap(settings(slapd, uris=(uri,), starttls=starttls, timeout=0.4))
        assert isinstance(await directory.look_up("anna.ivanova@example.test"), Entry)
        proxy.freeze()
        async with asyncio.timeout(NEVER):
            with pytest.raises(DirectoryUnavailable, match=r"no answer|timed out"):
                await directory.look_up("anna.ivanova@example.test")


async def test_a_server_of_one_byte_a_second_is_given_up_in_time(slapd: Slapd) -> None:
    async with Proxy(slapd.secure) as proxy:
        proxy.byte_pause = 0.1
        directory = Ldap(settings(slapd, uris=(f"ldaps://127.0.0.1:{proxy.port}",), timeout=0.5))
        async with asyncio.timeout(NEVER):
            with pytest.raises(DirectoryUnavailable):
                await directory.look_up("anna.ivanova@example.test")


async def test_a_referral_is_never_followed_with_our_password(certificates: Certificates) -> None:
    """Beside what was found it changes nothing; in place of the base it is no answer."""
    called: list[object] = []

    def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.append(writer)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as elsewhere:
        port = elsewhere.sockets[0].getsockname()[1]
        with open_folder("imbot-slapd-") as folder:
            server = Slapd(folder, certificates, extra=ELSEWHERE.format(port=port))
            try:
                server.start()
                found = await Ldap(settings(server)).look_up("anna.ivanova@example.test")
                assert isinstance(found, Entry)
                assert await Ldap(settings(server)).look_up("nobody@example.test") is Absence.ABSENT
                with pytest.raises(DirectoryUnavailable, match="referral"):
                    await Ldap(settings(server, base="ou=elsewhere,dc=example,dc=test")).look_up("tom@example.test")
            finally:
                server.stop()
    assert called == []


async def test_many_questions_at_once_are_all_answered(slapd: Slapd) -> None:
    directory = Ldap(settings(slapd))
    found = await asyncio.gather(*(directory.look_up("tom@example.test") for _ in range(12)))
    assert all(isinstance(entry, Entry) for entry in found)


async def test_check_tells_what_was_proved(slapd: Slapd) -> None:
    said = await Ldap(settings(slapd)).check()
    assert "certificate verified" in said
    assert slapd.bind_dn in said
    assert slapd.bind_password not in said


async def test_check_fails_where_the_base_cannot_be_read(slapd: Slapd) -> None:
    with pytest.raises(DirectoryUnavailable):
        await Ldap(settings(slapd, base="dc=elsewhere,dc=test")).check()


def test_an_old_authority_can_be_allowed(slapd: Slapd) -> None:
    directory = Ldap(settings(slapd, allow_old_ca=True))
    assert isinstance(asyncio.run(directory.look_up("tom@example.test")), Entry)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"bind_password": ""}, "bind_password"),
        ({"bind_dn": ""}, "bind_dn"),
        ({"uris": ()}, "at least one"),
        ({"uris": ("ldap://directory.example.test",)}, "plain text"),
        ({"uris": ("http://directory.example.test",)}, "neither"),
        ({"filter": "(mail=anna@example.test)"}, "{address}"),
        ({"attributes": LdapAttributes(mail="")}, "attributes.mail"),
    ],
)
def test_settings_that_can_never_be_right_are_refused(changes: dict[str, Any], word: str) -> None:
    good = LdapSettings(uris=("ldaps://a.test",), bind_dn="cn=bot", bind_password="pw", base="dc=test")
    with pytest.raises(ConfigError) as raised:
        dataclasses.replace(good, **changes)
    assert word in str(raised.value)
