"""Asks an LDAP server or an Active Directory who an address is. The only module that knows ldap3, whose traps it closes.

ldap3 takes any certificate unless it is told otherwise, checks names by its own rules, and follows referrals with our
password; so the TLS handshake is done here by the standard library with full verification, and referrals are never followed.
Each question is one short session (connect, TLS, bind, search) in a thread. When its time is up the socket is cut, which
ends the thread. Whatever is not a clear answer is DirectoryUnavailable, never absence.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import ssl
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from imbot.domain.errors import ConfigError, DirectoryUnavailable
from imbot.domain.people import Absence, Entry, Role, canonical_address

with warnings.catch_warnings():  # ldap3's last release is of 2021; it uses names that pyasn1 has renamed since
    warnings.simplefilter("ignore", DeprecationWarning)
    import ldap3
    from ldap3.core.exceptions import LDAPException
    from ldap3.utils.conv import escape_filter_chars

_T = TypeVar("_T")
_SUCCESS, _SIZE_LIMIT, _NO_SUCH_OBJECT, _INVALID_CREDENTIALS = 0, 4, 32, 49
_ACCOUNT_DISABLED = 0x2  # Active Directory, userAccountControl: ADS_UF_ACCOUNTDISABLE
_IN_CHAIN = ":1.2.840.113556.1.4.1941:"  # Active Directory: membership through nested groups
_RANK = (Role.ADMIN, Role.SUPPORT, Role.USER)


@dataclass(frozen=True, slots=True)
class LdapAttributes:
    """Which attribute holds what. "" where the directory has none. `extra`: our name -> its attribute, for templates."""

    mail: str = "mail"
    name: str = "displayName"
    phone: str = "telephoneNumber"
    office: str = "physicalDeliveryOfficeName"
    department: str = "department"
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LdapSettings:
    """`uris`: `ldaps://host` or, with `starttls`, `ldap://host`; tried in order. `filter`: `{address}` is the address, escaped.
    `disabled_bit`: honour Active Directory's userAccountControl. `disabled_filter`: an entry that matches is disabled.
    `roles`: group DN -> role, the highest counts. `nested_groups`: groups within groups (Active Directory only).
    `allow_old_ca`: accept authorities without keyUsage, which Python 3.13 refuses. `timeout`: seconds a question and server.

    Raises ConfigError for what can never be right: plain text, no password (a server takes that for an anonymous bind).
    """

    uris: tuple[str, ...]
    bind_dn: str
    bind_password: str
    base: str
    starttls: bool = False
    ca_file: str = ""
    filter: str = "(mail={address})"
    attributes: LdapAttributes = field(default_factory=LdapAttributes)
    disabled_bit: bool = False
    disabled_filter: str = ""
    roles: Mapping[str, Role] = field(default_factory=dict)
    nested_groups: bool = False
    allow_old_ca: bool = False
    timeout: float = 5.0

    def __post_init__(self) -> None:
        problems = [] if self.uris else ["directory.uris: name at least one server"]
        for uri in self.uris:
            parts = urlsplit(uri)
            if parts.scheme not in {"ldap", "ldaps"} or not parts.hostname:
                problems.append(f"directory.uris: {uri!r} is neither ldaps://host nor ldap://host")
            elif parts.scheme == "ldap" and not self.starttls:
                problems.append(
                    f"directory.uris: {uri!r} would send the password in plain text; use ldaps:// or starttls"
                )
        if not self.bind_dn or not self.bind_password:
            problems.append("directory.bind_dn, directory.bind_password: both are needed, nobody asks anonymously")
        if "{address}" not in self.filter:
            problems.append("directory.filter: {address} must stand in it")
        if not self.attributes.mail:
            problems.append("directory.attributes.mail: is needed, it is compared with the address")
        if problems:
            raise ConfigError(problems)


class Ldap:
    """One directory, perhaps on several servers. Questions run side by side, at most four at once."""

    can_recheck = True

    def __init__(self, settings: LdapSettings) -> None:
        self._settings = settings
        self._uris = list(settings.uris)
        self._turns = asyncio.Semaphore(4)

    async def look_up(self, address: str) -> Entry | Absence:
        """Exactly one active entry whose mail is `address`, or why not. Raises DirectoryUnavailable."""
        canonical = canonical_address(address)
        if canonical is None:
            return Absence.ABSENT
        return await self._ask(lambda session: session.look_up(canonical))

    async def check(self) -> str:
        """Bind and search; one line of what was found. Raises DirectoryUnavailable."""
        found = await self._ask(lambda session: session.describe())
        return f"{self._uris[0]}: {found}"

    async def close(self) -> None:
        """Nothing is kept open between questions."""

    async def _ask(self, question: Callable[[_Session], _T]) -> _T:
        """The answer of the first server that gives one; the server that answered is asked first the next time."""
        failure = DirectoryUnavailable("no directory server is configured")
        async with self._turns:
            for uri in tuple(self._uris):
                session = _Session(self._settings, uri)
                try:
                    async with asyncio.timeout(self._settings.timeout):
                        answer = await asyncio.to_thread(session.run, question)
                except TimeoutError:
                    failure = DirectoryUnavailable(f"{uri}: no answer within {self._settings.timeout:g} s")
                except DirectoryUnavailable as error:
                    failure = error
                else:
                    self._uris.sort(key=lambda known: known != uri)
                    return answer
                finally:
                    session.cut()
        raise failure


class _VerifiedTls(ldap3.Tls):
    """TLS by the standard library's rules: chain, host name or address, and a time limit on the handshake."""

    def __init__(self, settings: LdapSettings, host: str) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=settings.ca_file or None)
        if settings.allow_old_ca:
            self._context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        self._host = host
        self._timeout = settings.timeout

    def wrap_socket(self, connection: ldap3.Connection, do_handshake: bool = False) -> None:  # noqa: ARG002
        connection.socket.settimeout(self._timeout)
        connection.socket = self._context.wrap_socket(connection.socket, server_hostname=self._host)


class _Session:
    """One session, in a thread of its own: everything here blocks."""

    def __init__(self, settings: LdapSettings, uri: str) -> None:
        self._settings = settings
        self._uri = uri
        self._connection: ldap3.Connection | None = None

    def run(self, question: Callable[[_Session], _T]) -> _T:
        try:
            self._open()
            return question(self)
        except DirectoryUnavailable:
            raise
        except Exception as error:  # ldap3 lets ValueError, struct.error and the like of broken answers through
            said = self._unnamed() or _one_line(str(error)) or type(error).__name__
            if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in said:
                said = f"the server's certificate is not trusted: {said}"
            raise DirectoryUnavailable(f"{self._uri}: {said}") from error
        finally:
            self._let_go()

    def _unnamed(self) -> str:
        """What DNS says where it does not know the server: ldap3 keeps that to itself, and calls the address invalid."""
        if self._connection is not None and self._connection.socket is not None:
            return ""
        parts = urlsplit(self._uri)
        try:
            socket.getaddrinfo(parts.hostname, parts.port or 636)
        except OSError as error:
            return _one_line(error.strerror or str(error))
        return ""

    def cut(self) -> None:
        """From another thread: end whatever this session waits for."""
        connection = self._connection
        if connection is not None and connection.socket is not None:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)

    # --- questions

    def look_up(self, address: str) -> Entry | Absence:
        settings = self._settings
        asked = settings.filter.replace("{address}", escape_filter_chars(address))
        code, entries = self._search(settings.base, asked, "SUBTREE", self._wanted(), size_limit=2)
        found = [entry for entry in entries if address in _addresses(entry, settings.attributes.mail)]
        if code == _SIZE_LIMIT or len(found) > 1:
            return Absence.AMBIGUOUS
        if not found:
            return Absence.ABSENT
        dn, entry = str(found[0]["dn"]), found[0]
        if self._is_disabled(dn, entry):
            return Absence.DISABLED
        return self._entry(address, entry, self._role(dn, entry))

    def describe(self) -> str:
        code, entries = self._search(self._settings.base, "(objectClass=*)", "BASE", ["1.1"], size_limit=1)
        if code != _SUCCESS or not entries:
            raise DirectoryUnavailable(f"{self._uri}: nothing may be read at {self._settings.base}")
        address = "nobody@example.invalid"
        self._search(
            self._settings.base,
            self._settings.filter.replace("{address}", escape_filter_chars(address)),
            "SUBTREE",
            self._wanted(),
            size_limit=2,
        )
        return f"bound as {self._settings.bind_dn}, certificate verified, {self._settings.base} can be searched"

    # --- the parts

    def _open(self) -> None:
        settings, parts = self._settings, urlsplit(self._uri)
        secure = parts.scheme == "ldaps"
        host = parts.hostname or ""
        server = ldap3.Server(
            host,
            port=parts.port or (636 if secure else 389),
            use_ssl=secure,
            tls=_VerifiedTls(settings, host),
            get_info=ldap3.NONE,
            connect_timeout=settings.timeout,
        )
        self._connection = connection = ldap3.Connection(
            server,
            user=settings.bind_dn,
            password=settings.bind_password,
            client_strategy=ldap3.SAFE_SYNC,
            auto_bind=ldap3.AUTO_BIND_NONE,
            auto_referrals=False,
            check_names=False,
            read_only=True,
            receive_timeout=math.ceil(settings.timeout),  # ldap3 packs it as an integer
        )
        connection.open(read_server_info=False)
        if not secure:
            connection.start_tls(read_server_info=False)
        if not isinstance(connection.socket, ssl.SSLSocket):
            raise DirectoryUnavailable(f"{self._uri}: the server did not agree to encryption")
        _, result, _, _ = connection.bind(read_server_info=False)
        if result["result"] != _SUCCESS:
            what = "the service account is refused" if result["result"] == _INVALID_CREDENTIALS else "the bind failed"
            raise DirectoryUnavailable(f"{self._uri}: {what}: {_one_line(result['description'])}")

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        opened = connection.socket
        with contextlib.suppress(LDAPException, OSError):
            connection.unbind()
        if opened is not None:
            opened.close()

    def _wanted(self) -> list[str]:
        attributes = self._settings.attributes
        named = [attributes.mail, attributes.name, attributes.phone, attributes.office, attributes.department]
        wanted = [*named, *attributes.extra.values(), "cn", "memberOf"]
        if self._settings.disabled_bit:
            wanted.append("userAccountControl")
        return sorted({name for name in wanted if name})

    def _search(
        self, base: str, asked: str, scope: Any, attributes: list[str], *, size_limit: int
    ) -> tuple[int, list[dict[str, Any]]]:
        """Result code and entries. Any code but success, "too many" and (for a group) "no such object" is unavailability."""
        if self._connection is None:
            raise DirectoryUnavailable(f"{self._uri}: not connected")
        _, result, response, _ = self._connection.search(
            base,
            asked,
            search_scope=scope,
            attributes=attributes,
            size_limit=size_limit,
            time_limit=max(1, int(self._settings.timeout)),
        )
        code = int(result["result"])
        if code not in {_SUCCESS, _SIZE_LIMIT} and not (code == _NO_SUCH_OBJECT and scope == "BASE"):
            raise DirectoryUnavailable(f"{self._uri}: the search at {base} failed: {_one_line(result['description'])}")
        return code, [entry for entry in response or [] if entry.get("type") == "searchResEntry"]

    def _is_disabled(self, dn: str, entry: Mapping[str, Any]) -> bool:
        if self._settings.disabled_bit:
            flags = _text(entry, "userAccountControl")
            if not flags.lstrip("-").isdigit():
                raise DirectoryUnavailable(f"{self._uri}: the service account may not read userAccountControl")
            if int(flags) & _ACCOUNT_DISABLED:
                return True
        if not self._settings.disabled_filter:
            return False
        return bool(self._search(dn, self._settings.disabled_filter, "BASE", ["1.1"], size_limit=1)[1])

    def _role(self, dn: str, entry: Mapping[str, Any]) -> Role:
        """The highest role of all configured groups that this entry is in."""
        direct = {value.casefold() for value in _texts(entry, "memberOf")}
        roles = {
            role for group, role in self._settings.roles.items() if group.casefold() in direct or self._holds(group, dn)
        }
        return next((role for role in _RANK if role in roles), Role.USER)

    def _holds(self, group: str, dn: str) -> bool:
        """Asks the group itself: most servers but Active Directory keep no memberOf."""
        member = escape_filter_chars(dn)
        asked = f"(|(member={member})(uniqueMember={member}))"
        if self._settings.nested_groups:
            code, entries = self._search(
                dn, f"(memberOf{_IN_CHAIN}={escape_filter_chars(group)})", "BASE", ["1.1"], size_limit=1
            )
        else:
            code, entries = self._search(group, asked, "BASE", ["1.1"], size_limit=1)
        return code == _SUCCESS and bool(entries)

    def _entry(self, address: str, entry: Mapping[str, Any], role: Role) -> Entry:
        names = self._settings.attributes
        return Entry(
            address=address,
            name=_text(entry, names.name) or _text(entry, "cn"),
            phone=_text(entry, names.phone),
            office=_text(entry, names.office),
            department=_text(entry, names.department),
            role=role,
            attributes={ours: text for ours, theirs in names.extra.items() if (text := _text(entry, theirs))},
        )


def _texts(entry: Mapping[str, Any], name: str) -> list[str]:
    """All values of an attribute as text, whatever case the server writes its name in."""
    for key, values in entry["raw_attributes"].items():
        if key.casefold() == name.casefold():
            return [value.decode("utf-8", "replace").replace("\0", "").strip() for value in values]
    return []


def _text(entry: Mapping[str, Any], name: str) -> str:
    return next(iter(_texts(entry, name)), "") if name else ""


def _addresses(entry: Mapping[str, Any], name: str) -> set[str]:
    return {canonical for text in _texts(entry, name) if (canonical := canonical_address(text))}


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
