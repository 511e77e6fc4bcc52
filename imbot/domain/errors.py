"""The one tree of errors. Edges translate vendor errors into these at once; nothing of a vendor crosses its package.

A wrong answer from a person is not here: that is a screen with a `problem`.
"""

from __future__ import annotations

from collections.abc import Sequence


class ImbotError(Exception):
    """The root. Its text is one line, fit to be shown to an admin; it bears no secret."""


class ConfigError(ImbotError):
    """The settings, the catalogue, a profile or a template is wrong. Bears every mistake found, not the first."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class DeliveryError(ImbotError):
    """The far end did not take a parcel.

    `permanent`: trying again unchanged is pointless. `retry_after`: seconds the far end asked for, or None.
    `kind` is one of: `down` (the far end as a whole: refused, silent, 5xx, login refused), `throttled` (429, 421, 450),
    `blocked` (this person shut us out), `gone` (no such chat, file or message), `moved` (`moved_to` is the new chat id),
    `markup` (our screen was refused), `refused` (this item was refused for another reason), `conflict` (a second poller).
    `code` is the far end's own number or word.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        retry_after: float | None = None,
        kind: str = "down",
        code: str = "",
        moved_to: str | None = None,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after
        self.kind = kind
        self.code = code
        self.moved_to = moved_to


class MailboxError(ImbotError):
    """The mailbox could not be read. `permanent`: a person must act (login, folder, certificate). `lost`: the connection is
    gone, by an end or by silence, so that it says nothing about what was asked."""

    def __init__(self, message: str, *, permanent: bool = False, lost: bool = False) -> None:
        super().__init__(message)
        self.permanent, self.lost = permanent, lost


class LetterWithheld(MailboxError):
    """The server lists the letter `key`, of `size` bytes (-1: unknown), and does not hand it out. `lost`: asking for it has
    ended the connection."""

    def __init__(self, message: str, key: str, size: int, *, lost: bool = False) -> None:
        super().__init__(message, lost=lost)
        self.key, self.size = key, size


class SignInRefused(MailboxError):
    """The mail server does not take our password or token."""


class TokenError(ImbotError):
    """No token to sign in with. `permanent`: a person must act (a secret or a consent that is no longer good)."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class DirectoryUnavailable(ImbotError):
    """The directory did not answer. It says nothing about the person asked for."""


class LetterRefused(ImbotError):
    """A letter breaks a bound of the reader (size, parts, depth, headers, time). The reason is its text. `died`: the reader
    broke on it, so that trying again may help."""

    died = False


class NotFound(ImbotError):
    """There is no such thing, or it is not yours: the same words for both."""
