"""Settings in the words of those who need them: what each edge and every service is built from. Opens no connection."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from imbot.backends.base import FromMode
from imbot.backends.evidence import EvidenceSettings
from imbot.backends.profiles import Profile, load_profile
from imbot.channels.telegram import TelegramSettings
from imbot.config import Settings, packed
from imbot.config_across import no_profile
from imbot.config_mail import FurtherBackend, Mailbox, OAuth
from imbot.config_words import meant
from imbot.dialog.facts import DialogSettings
from imbot.directory.file import DomainDirectory, FileDirectory
from imbot.domain.calendar import WorkingHours
from imbot.domain.errors import ConfigError
from imbot.domain.forms import Catalogue, Category, Subcategory, parse_catalogue, parse_locations
from imbot.domain.people import Role
from imbot.domain.signin import Limits
from imbot.domain.written_files import text_of
from imbot.mailbox.imap import Imap, ImapSettings
from imbot.mailbox.oauth import OAuthSettings, Tokens
from imbot.mailbox.pop3 import Pop3, Pop3Settings
from imbot.mailbox.reading import Reader
from imbot.mailbox.smtp import Smtp, SmtpSettings
from imbot.mime import ReadLimits
from imbot.services.env import DEFAULT_BACKEND, WATCHER, Backend, Env
from imbot.services.letters import ENCODED
from imbot.templates import Templates

if TYPE_CHECKING:
    from imbot.directory.ldap import Ldap

LANGUAGES = ("ru", "en")
_T = TypeVar("_T")


def template_folders(settings: Settings) -> tuple[Path, ...]:
    """The company's own templates first, file by file, then what imbot ships."""
    own = Path(settings.general.templates_dir) if settings.general.templates_dir else None
    if own is not None and not own.is_dir():
        raise ConfigError([f"[general] templates_dir: {own} is no folder"])
    return ((own,) if own else ()) + (packed("templates"),)


def templates(settings: Settings) -> Templates:
    """What imbot writes with. A template of the company's own that fails is passed over for ours."""
    return Templates(template_folders(settings), settings.general.zone, forgiving=True)


def check_templates(settings: Settings) -> None:
    """Raises ConfigError naming every template of the company's own that cannot work. Ours are known to."""
    if settings.general.templates_dir and (problems := templates(settings).problems()):
        raise ConfigError(problems)


def commands(words: Templates, languages: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """The menu of commands for Telegram, by language (`chat/<lang>/commands.toml`)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for lang in languages:
        for folder in words.folders:
            path = folder / "chat" / lang / "commands.toml"
            if path.is_file():
                found[lang] = [(name, str(text)) for name, text in read_toml(path).items()]
                break
    return found


def telegram(settings: Settings) -> TelegramSettings:
    section = settings.telegram
    return TelegramSettings(
        token=section.token.get_secret_value(),
        api_base=section.api_base,
        file_base=section.file_base,
        proxy=section.proxy.get_secret_value(),
        poll_timeout=section.poll_timeout,
    )


def smtp(settings: Settings) -> Smtp:
    """The mail server that takes our letters; nothing is said to it yet."""
    section = settings.smtp
    plain = SmtpSettings(
        host=section.host,
        port=section.port,
        tls=section.tls,
        username=section.username,
        password=section.password.get_secret_value(),
        ca_file=section.ca_file,
        timeout=section.timeout,
        hello_name=section.hello_name,
    )
    return Smtp(plain, tokens=_tokens(settings, section.oauth))


def _tokens(settings: Settings, section: OAuth) -> Tokens | None:
    if not section.on:
        return None
    return Tokens(
        OAuthSettings(
            token_url=section.token_url,
            client_id=section.client_id,
            client_secret=section.client_secret.get_secret_value(),
            grant=section.grant,
            scope=section.scope,
            refresh_token=section.refresh_token.get_secret_value(),
            ca_file=section.ca_file,
            keep=settings.general.data_dir / "tokens",
        )
    )


def mailboxes(settings: Settings) -> dict[str, Imap | Pop3]:
    """All that are to be watched, by the name of their watcher; that of [mailbox] first."""
    found = {WATCHER: mailbox(settings)}
    return found | {
        f"{WATCHER}:{name}": mailbox(settings, desk.mailbox) for name, desk in settings.backends.items() if desk.mailbox
    }


def mailbox(settings: Settings, section: Mailbox | None = None, largest: int | None = None) -> Imap | Pop3:
    """One mailbox, that of [mailbox] unless another is given. `largest`: bytes of a letter, where not those of [reading]; of
    a larger one the headers come."""
    section = section or settings.mailbox
    largest = settings.reading.max_bytes if largest is None else largest
    password, tokens = section.password.get_secret_value(), _tokens(settings, section.oauth)
    if section.kind == "pop3":
        return Pop3(
            Pop3Settings(
                host=section.host,
                port=section.port,
                username=section.username,
                password=password,
                tls=section.tls,
                ca_file=section.ca_file,
                timeout=section.timeout,
                delete_after_days=section.delete_after_days,
                start=section.start,
                largest=largest,
            ),
            tokens=tokens,
        )
    return Imap(
        ImapSettings(
            host=section.host,
            port=section.port,
            username=section.username,
            password=password,
            tls=section.tls,
            folder=section.folder,
            processed_folder=section.processed_folder,
            ca_file=section.ca_file,
            timeout=section.timeout,
            idle=section.idle,
            start=section.start,
            largest=largest,
        ),
        tokens=tokens,
    )


def read_limits(settings: Settings) -> ReadLimits:
    section = settings.reading
    return ReadLimits(
        size=section.max_bytes,
        parts=section.max_parts,
        depth=section.max_depth,
        headers=section.max_headers,
        header_bytes=section.max_header_bytes,
    )


def reader(settings: Settings) -> Reader:
    """The reading child, not started yet."""
    section = settings.reading
    return Reader(
        read_limits(settings),
        wall_seconds=section.wall_seconds,
        memory_mb=section.memory_mb,
        cpu_seconds=section.cpu_seconds,
    )


def directory(settings: Settings) -> Ldap | FileDirectory | DomainDirectory:
    section = settings.directory
    if section.kind == "file":
        return FileDirectory(Path(section.file.path))
    if section.kind == "domain":
        return DomainDirectory(section.domain.domains)
    from imbot.directory.ldap import Ldap, LdapAttributes, LdapSettings  # 5 MiB for those who have one

    ldap, names = section.ldap, section.ldap.attributes
    return Ldap(
        LdapSettings(
            uris=ldap.uris,
            bind_dn=ldap.bind_dn,
            bind_password=ldap.bind_password.get_secret_value(),
            base=ldap.base,
            starttls=ldap.starttls,
            ca_file=ldap.ca_file,
            filter=ldap.filter,
            attributes=LdapAttributes(
                mail=names.mail,
                name=names.name,
                phone=names.phone,
                office=names.office,
                department=names.department,
                extra=dict(names.extra),
            ),
            disabled_bit=ldap.disabled_bit,
            disabled_filter=ldap.disabled_filter,
            roles={group: Role(role) for group, role in ldap.roles.items()},
            nested_groups=ldap.nested_groups,
            allow_old_ca=ldap.allow_old_ca,
            timeout=ldap.timeout,
        )
    )


def profile(settings: Settings, section: str = DEFAULT_BACKEND) -> Profile:
    """The profile of a helpdesk, with the addresses that it is believed from and the language of letters to it."""
    desk = settings.helpdesks()[section]
    for folder in template_folders(settings):
        if (folder / "mail" / desk.profile / "profile.toml").is_file():
            loaded = replace(load_profile(folder / "mail" / desk.profile), senders=tuple(desk.senders))
            own = desk.language if isinstance(desk, FurtherBackend) else ""
            return replace(loaded, language=own) if own else loaded
    known = {p.parent.name for f in template_folders(settings) for p in f.glob("mail/*/profile.toml")}
    raise ConfigError([no_profile(section, desk.profile, known)])


def backend(settings: Settings, name: str = DEFAULT_BACKEND) -> Backend:
    """One helpdesk, `itsm` or the name of [backends.<name>]. Raises ConfigError where there is none, or no such profile."""
    section = name if name == DEFAULT_BACKEND else f"backends.{name}"
    desk = settings.helpdesks().get(section)
    if desk is None:
        raise ConfigError([_no_helpdesk(name, settings)])
    own_mailbox = isinstance(desk, FurtherBackend) and desk.mailbox is not None
    return Backend(
        profile=profile(settings, section),
        evidence=EvidenceSettings(
            kind=desk.evidence.kind,
            authserv_id=desk.evidence.authserv_id,
            relays=tuple(desk.evidence.relays),
            own_hosts=tuple(desk.evidence.own_hosts),
        ),
        to=desk.address,
        sender=desk.bot_address,
        sender_name=desk.bot_name,
        mode=FromMode(desk.from_mode),
        complaints_to=desk.complaints_to,
        name=name,
        mailbox=f"{WATCHER}:{name}" if own_mailbox else WATCHER,
        register_wait=timedelta(minutes=desk.register_minutes),
    )


def backend_names(settings: Settings) -> list[str]:
    """`itsm`, and those of [backends.<name>]."""
    return [DEFAULT_BACKEND, *settings.backends]


def _unknown_backends(catalogue: Catalogue, settings: Settings) -> list[str]:
    """Every kind of request that goes to a helpdesk that is not in the settings."""
    named: list[tuple[str, Category | Subcategory]] = [("category", category) for category in catalogue.categories]
    named += [("kind", sub) for category in catalogue.categories for sub in category.subs]
    return [
        f"catalogue: {what} {one.key!r}: {_no_helpdesk(one.backend, settings)}"
        for what, one in named
        if one.backend and one.backend not in backend_names(settings)
    ]


def _no_helpdesk(name: str, settings: Settings) -> str:
    known = backend_names(settings)
    return f"there is no helpdesk {name!r}; there are {', '.join(known)}{meant(name, set(known))}"


def known_key(settings: Settings) -> bytes:
    """The service's key where there is one, for commands beside it: they know our letters by it, and mint no codes."""
    try:
        return (settings.general.data_dir / "secret.key").read_bytes()
    except OSError:
        return bytes(32)


def env(settings: Settings, key: bytes) -> Env:
    """What the services know. Raises ConfigError naming every mistake of catalogue, locations and profile at once."""
    problems: list[str] = []
    general, files = settings.general, settings.files
    catalogue = _tried(lambda: parse_catalogue(_data(general.catalogue, "catalogue.toml")), problems)
    locations = _tried(lambda: parse_locations(_data(general.locations, "locations.toml")), problems)
    backends = {name: _tried(lambda name=name: backend(settings, name), problems) for name in backend_names(settings)}
    problems += _unknown_backends(catalogue, settings) if catalogue else []
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))  # each helpdesk looks into the same folders
    hours = general.working_hours
    return Env(
        key=key,
        zone=general.zone,
        language=general.language,
        languages=LANGUAGES,
        catalogue=catalogue,
        locations=locations,
        dialog=_dialog(settings),
        backends=backends,
        default_backend=DEFAULT_BACKEND,
        working=WorkingHours(general.zone, frozenset(hours.days), hours.start, hours.end, frozenset(hours.holidays)),
        limits=Limits(
            per_hour=settings.signin.codes_per_hour,
            per_day=settings.signin.codes_per_day,
            tries=settings.signin.tries,
            failures=settings.signin.failures_per_hour,
            code_life=timedelta(minutes=settings.signin.code_minutes),
            invite_life=timedelta(days=settings.signin.invite_days),
        ),
        admins=tuple(general.admins),
        can_recheck=settings.directory.kind != "domain",
        recheck_age=timedelta(minutes=settings.directory.recheck_minutes),
        grace=timedelta(hours=settings.directory.grace_hours),
        unverified_waits=settings.directory.unverified == "wait",
        reopen_wait=timedelta(hours=settings.itsm.reopen_wait_hours),
        max_letter_bytes=settings.itsm.max_letter_bytes,
        quota_bytes=files.quota_bytes,
        files=general.data_dir / "files",
        reserve_bytes=files.reserve_bytes,
        night=(general.night.start, general.night.end),
        late_after=timedelta(minutes=general.alarm_minutes),
        consent_version=general.consent_version if general.consent else "",
        config_option=settings.config_option,
        reverify_after=timedelta(days=days) if (days := settings.signin.reverify_days) else None,
    )


def _dialog(settings: Settings) -> DialogSettings:
    general, files = settings.general, settings.files
    domains = settings.directory.domain.domains if settings.directory.kind == "domain" else settings.signin.domains
    hint = settings.itsm.bot_address.rpartition("@")[2]
    return DialogSettings(
        support_contact=general.support_contact,
        page_size=general.page_size,
        one_open_ticket=general.one_open_ticket,
        consent=general.consent,
        consent_version=general.consent_version,
        max_file_bytes=min(files.max_bytes, int(settings.itsm.max_letter_bytes / ENCODED)),
        refused_types=frozenset(files.refused_types),
        domains_hint=hint if hint in domains or not domains else domains[0],  # the bot may live in another one
        domains=domains,
        language=general.language,
        languages=LANGUAGES,
    )


def _data(own: str, name: str) -> Mapping[str, Any]:
    return read_toml(Path(own) if own else packed("data") / name)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as plain data. Raises ConfigError that names the file."""
    try:
        return tomllib.loads(text_of(path.read_bytes(), path))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except ValueError as error:
        raise ConfigError([f"{path}: not TOML: {error}"]) from None


def _tried(make: Any, problems: list[str]) -> Any:
    try:
        return make()
    except ConfigError as error:
        problems.extend(error.problems)
        return None
