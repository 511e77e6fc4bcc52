#!/bin/sh
# The Debian packages that the tests talk to. Quiet when all are there; installs them when root; else says what is missing.
# Their system services are never started: the tests start their own servers on free ports.
set -u

packages="slapd ldap-utils dovecot-imapd dovecot-pop3d dovecot-lmtpd postfix chromium openssl gcc libc6-dev"
PATH="$PATH:/usr/sbin:/sbin"
export PATH

is_there() {
    case $1 in
        slapd) command -v slapd ;;
        ldap-utils) command -v ldapsearch ;;
        dovecot-imapd) test -x /usr/lib/dovecot/imap || test -x /usr/libexec/dovecot/imap ;;
        dovecot-pop3d) test -x /usr/lib/dovecot/pop3 || test -x /usr/libexec/dovecot/pop3 ;;
        dovecot-lmtpd) test -x /usr/lib/dovecot/lmtp || test -x /usr/libexec/dovecot/lmtp ;;
        libc6-dev) test -e /usr/include/stdio.h ;;
        *) command -v "$1" ;;
    esac >/dev/null 2>&1
}

missing=""
for package in $packages; do
    is_there "$package" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Not installed, so their tests are skipped:$missing" >&2
    echo "On Debian or Ubuntu, as root: apt-get install --no-install-recommends$missing" >&2
    exit 0
fi

# policy-rc.d with 101 keeps the packages from starting their services (Debian Policy 9.3.3); ours is removed again.
policy=/usr/sbin/policy-rc.d
ours=""
if [ ! -e "$policy" ]; then
    ours=yes
    trap '[ -n "$ours" ] && rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi
echo "Installing for the tests:$missing" >&2
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
apt-get update -q >/dev/null
# Without a main.cf of its own Debian's Postfix starts neither now nor at the next boot; the benchmark brings one.
case $missing in
    *postfix*) echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections ;;
esac
# shellcheck disable=SC2086  # one word a package
if ! apt-get install -q -y --no-install-recommends $missing >/dev/null; then
    echo "Could not install$missing; their tests are skipped, or fail with CI set." >&2
fi
exit 0
