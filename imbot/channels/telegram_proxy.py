"""The way to Telegram through a proxy. Imported by those who have one: nobody else pays for it."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError

from imbot.domain.errors import ConfigError

TIMED_OUT = (ProxyTimeoutError,)
REFUSED = (ProxyError, ProxyConnectionError)


def proxy_connector(proxy: str) -> ProxyConnector:
    """A connector through `http://`, `socks5://` or `socks5h://` with or without `user:password@`. Names are resolved
    by the proxy. Needs a running loop. Raises ConfigError, which bears no password."""
    try:
        parts = urlsplit(proxy)
        if parts.scheme in ("http", "socks5", "socks5h") and parts.hostname and parts.port:
            return ProxyConnector.from_url(proxy.replace("socks5h:", "socks5:", 1), rdns=True, keepalive_timeout=30)
    except ValueError:
        pass
    raise ConfigError(["[telegram] proxy: expected http://host:port or socks5://host:port, with user:password@ if any"])
