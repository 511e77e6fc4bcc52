"""The real servers that tests talk to: slapd and Dovecot (and, in `tests.smtp_server`, aiosmtpd), with their certificates.

All of them listen on free loopback ports, live in temporary folders and are ended by whoever started them. A server that is
not installed is a skip that names the package, or, with CI set, a failure.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

_PACKAGES = {
    "slapd": "slapd",
    "slapadd": "slapd",
    "dovecot": "dovecot-imapd",
    "/usr/lib/dovecot/pop3": "dovecot-pop3d",
    "/usr/lib/dovecot/lmtp": "dovecot-lmtpd",
    "openssl": "openssl",
    "chromium": "chromium",
    "gcc": "gcc",
    "postfix": "postfix",
}
_DATA = Path(__file__).parent / "serverdata"
_SBIN = ":".join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


def need(*programs: str) -> None:
    """Skip the test, or fail it with CI set, unless all programs are installed."""
    missing = sorted({_PACKAGES[name] for name in programs if shutil.which(name, path=_SBIN) is None})
    if not missing:
        return
    lacks(f"not installed: Debian package {', '.join(missing)} (sh tests/install-servers.sh)")


def lacks(what: str) -> NoReturn:
    """Skip the test, or fail it with CI set, for want of `what`."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def program(name: str) -> str:
    found = shutil.which(name, path=_SBIN)
    assert found is not None, f"{name}: call need() first"
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(process: subprocess.Popen[bytes], ports: Sequence[int], log: Path, seconds: float = 10.0) -> bool:
    """True once all ports accept; False if the server ended by itself (a port was taken meanwhile)."""
    deadline = time.monotonic() + seconds
    for port in ports:
        while True:
            if process.poll() is not None:
                return False
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if time.monotonic() > deadline:
                _end(process)
                raise RuntimeError(f"no answer on port {port}: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait(5)


# --- certificates


@dataclass(frozen=True)
class Certificates:
    """`ca` signed `cert` (for 127.0.0.1 and localhost); `other_ca` did not; `wrong_name` is by `ca` for another host."""

    ca: Path
    other_ca: Path
    cert: Path
    key: Path
    wrong_name_cert: Path
    wrong_name_key: Path

    def server_context(self, *, wrong_name: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        if wrong_name:
            context.load_cert_chain(self.wrong_name_cert, self.wrong_name_key)
        else:
            context.load_cert_chain(self.cert, self.key)
        return context


def make_certificates(folder: Path) -> Certificates:
    need("openssl")
    for name in ("ca", "other-ca"):
        _openssl(
            folder,
            f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN={name}"
            f" -keyout {name}.key -out {name}.crt -addext basicConstraints=critical,CA:TRUE"
            " -addext keyUsage=critical,keyCertSign,cRLSign",
        )
    names = {"srv": "IP:127.0.0.1,DNS:localhost", "wrong": "DNS:mail.elsewhere.test"}
    for name, alternative in names.items():
        (folder / f"{name}.ext").write_text(
            f"subjectAltName={alternative}\nbasicConstraints=CA:FALSE\nauthorityKeyIdentifier=keyid\n"
            "keyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth\n"
        )
        _openssl(
            folder,
            f"req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name}.test"
            f" -keyout {name}.key -out {name}.csr",
        )
        _openssl(
            folder,
            f"x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30"
            f" -extfile {name}.ext -out {name}.crt",
        )
        (folder / f"{name}.key").chmod(0o644)  # read by servers that give up root; it guards nothing
    return Certificates(
        ca=folder / "ca.crt",
        other_ca=folder / "other-ca.crt",
        cert=folder / "srv.crt",
        key=folder / "srv.key",
        wrong_name_cert=folder / "wrong.crt",
        wrong_name_key=folder / "wrong.key",
    )


def _openssl(folder: Path, arguments: str) -> None:
    done = subprocess.run(
        [program("openssl"), *arguments.split()], cwd=folder, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def open_folder(prefix: str) -> Iterator[Path]:
    """A temporary folder that servers which give up root can walk into."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# --- slapd


@dataclass
class Slapd:
    """An OpenLDAP server with `serverdata/seed.ldif` in it, and `extra`, further LDIF. `plain` speaks LDAP with StartTLS,
    `secure` LDAPS."""

    folder: Path
    certificates: Certificates
    plain: int = 0
    secure: int = 0
    base: str = "dc=example,dc=test"
    bind_dn: str = "uid=bot,ou=people,dc=example,dc=test"
    bind_password: str = "botpw"
    extra: str = ""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"ldap://127.0.0.1:{self.plain}"

    @property
    def secure_uri(self) -> str:
        return f"ldaps://127.0.0.1:{self.secure}"

    def start(self) -> Slapd:
        need("slapd", "slapadd")
        (self.folder / "db").mkdir(exist_ok=True)
        places = {
            "@DIR@": str(self.folder),
            "@CA@": str(self.certificates.ca),
            "@CERT@": str(self.certificates.cert),
            "@KEY@": str(self.certificates.key),
        }
        text = (_DATA / "slapd.conf").read_text("utf-8")
        for place, value in places.items():
            text = text.replace(place, value)
        conf, ldif, log = self.folder / "slapd.conf", self.folder / "seed.ldif", self.folder / "slapd.log"
        conf.write_text(text)
        ldif.write_text((_DATA / "seed.ldif").read_text("utf-8") + "\n" + self.extra, "utf-8")
        load = [program("slapadd"), "-f", str(conf), "-l", str(ldif), "-q"]
        done = subprocess.run(load, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        for _ in range(3):
            self.plain, self.secure = free_port(), free_port()
            urls = f"ldap://127.0.0.1:{self.plain}/ ldaps://127.0.0.1:{self.secure}/"
            with log.open("wb") as sink:
                self._process = subprocess.Popen(
                    [program("slapd"), "-f", str(conf), "-h", urls, "-d", "0"], stdout=sink, stderr=sink
                )
            if _wait_for(self._process, (self.plain, self.secure), log):
                return self
        raise RuntimeError(f"slapd does not start: {log.read_text(errors='replace')[-2000:]}")

    def pause(self) -> None:
        """Alive and accepting, but silent."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self.resume()
            _end(self._process)


# --- Dovecot


@dataclass
class Dovecot:
    """IMAP, POP3 and LMTP. Any user name is a mailbox with the password "secret"; `cat@example.test` has "пароль".
    `introspection`: where tokens are judged (RFC 7662), for OAuth2. `extra`: further lines of its settings."""

    folder: Path
    certificates: Certificates
    password: str = "secret"
    introspection: str = ""
    extra: str = ""
    ports: dict[str, int] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> Dovecot:
        need("dovecot", "/usr/lib/dovecot/pop3", "/usr/lib/dovecot/lmtp")
        user, group = ("nobody", "nogroup") if os.geteuid() == 0 else _me()
        (self.folder / "users").write_text("cat@example.test:{PLAIN}пароль\n", "utf-8")
        mail = self.folder / "mail"
        mail.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(mail, user, group)
        conf, log = self.folder / "dovecot.conf", self.folder / "dovecot.log"
        log.touch()
        for _ in range(3):
            self.ports = {name: free_port() for name in ("IMAP", "IMAPS", "POP3", "POP3S", "LMTP")}
            text = (
                (_DATA / "dovecot.conf")
                .read_text("utf-8")
                .replace("@DIR@", str(self.folder))
                .replace("@USER@", user)
                .replace("@GROUP@", group)
            )
            text = text.replace("@CERT@", str(self.certificates.cert)).replace("@KEY@", str(self.certificates.key))
            text = text.replace("@PASSDB@", self._token_passdb()).replace("@EXTRA@", self.extra)
            text = text.replace("@TOKENS@", " xoauth2 oauthbearer" if self.introspection else "")
            for name, port in self.ports.items():
                text = text.replace(f"@{name}@", str(port))
            conf.write_text(text)
            with (self.folder / "stderr.log").open("wb") as sink:
                self._process = subprocess.Popen(
                    [program("dovecot"), "-F", "-c", str(conf)], stdout=sink, stderr=sink, stdin=subprocess.DEVNULL
                )
            if _wait_for(self._process, tuple(self.ports.values()), log):
                return self
        said = (self.folder / "stderr.log").read_text(errors="replace") + log.read_text(errors="replace")
        raise RuntimeError(f"dovecot does not start: {said[-2000:]}")

    def _token_passdb(self) -> str:
        if not self.introspection:
            return ""
        file = self.folder / "oauth2.conf"
        file.write_text(
            f"introspection_url = {self.introspection}\nintrospection_mode = post\nusername_attribute = username\n"
            "active_attribute = active\nactive_value = true\n"
        )
        return f"passdb {{\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = {file}\n}}\n"

    def deliver(self, address: str, *letters: bytes) -> None:
        """As a mail server would hand them over: by LMTP, in this order. Returns when they are in the mailbox."""
        with smtplib.LMTP("127.0.0.1", self.ports["LMTP"]) as lmtp:
            for letter in letters:
                lmtp.sendmail("itsm@example.test", [address], letter)

    def stop(self) -> None:
        if self._process is not None:
            _end(self._process)


def _me() -> tuple[str, str]:
    import grp

    entry = pwd.getpwuid(os.geteuid())
    return entry.pw_name, grp.getgrgid(entry.pw_gid).gr_name
