"""Takes letters off a connection: as many as go into a batch, in order; none is passed over that the server holds back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imbot.domain.errors import LetterWithheld, MailboxError
from imbot.mailbox.imap_cursor import ImapCursor
from imbot.mailbox.imap_feed import Outside
from imbot.mailbox.imap_wire import Wire
from imbot.mailbox.inbox import Fetched

_BATCH_BYTES = 4 * 1024 * 1024  # a batch ends here even if its window is not full: it is one transaction


class Taking:
    """Of one folder. `largest`: bytes; of a larger letter only the headers are fetched."""

    def __init__(self, where: str, folder: str, largest: int) -> None:
        self._where, self._folder, self._largest = where, folder, largest
        # Where the last window ended the connection; below which UID one did twice.
        self._cut_at, self._one_by_one = -1, 0

    async def take(
        self,
        wire: Wire,
        known: ImapCursor,
        window: Sequence[int],
        outsides: Mapping[int, Outside] | None = None,
        whole: Mapping[int, bytes] | None = None,
    ) -> tuple[tuple[Fetched, ...], ImapCursor]:
        """The letters of the window, in order, and how far they reach: less than the window if that is heavy or if the
        server does not hand out a letter. Raises LetterWithheld if that letter is the first. `outsides` and `whole` letters:
        what has come already."""
        outsides, whole = await wire.outsides(window) if outsides is None else outsides, whole or {}
        chosen = self._light_enough(window, outsides)
        if known.uid < self._one_by_one:
            chosen = chosen[:1]
        while chosen:
            try:
                letters, held_back = await self._read(wire, known, chosen, outsides, whole)
            except MailboxError as error:
                if not wire.alive and len(chosen) > 1:
                    self._one_by_one = chosen[-1] if self._cut_at == known.uid else 0
                    self._cut_at = known.uid
                    raise
                if len(chosen) == 1:
                    raise self._withheld(known, chosen[0], outsides, f": {error}", lost=not wire.alive) from error
                chosen = chosen[: len(chosen) // 2]  # the server refused: to stop at the very letter
                continue
            if held_back == chosen[0]:
                raise self._withheld(known, held_back, outsides)
            chosen = [uid for uid in chosen if not held_back or uid < held_back]
            return tuple(letters), known.at(chosen[-1], outsides.get(chosen[-1], Outside()).came)
        return (), known

    def _withheld(
        self, known: ImapCursor, uid: int, outsides: Mapping[int, Outside], why: str = "", *, lost: bool = False
    ) -> LetterWithheld:
        size = outsides.get(uid, Outside()).size
        said = f"{self._where}: the server does not hand out letter UID {uid} of {self._folder}{why}"
        return LetterWithheld(said, f"{known.validity}:{uid}", size, lost=lost)

    def _light_enough(self, window: Sequence[int], outsides: Mapping[int, Outside]) -> list[int]:
        chosen: list[int] = []
        weight = 0
        for uid in window:
            weight += min(max(0, outsides.get(uid, Outside()).size), self._largest)
            if chosen and weight > _BATCH_BYTES:
                break
            chosen.append(uid)
        return chosen

    async def _read(
        self,
        wire: Wire,
        known: ImapCursor,
        uids: Sequence[int],
        outsides: Mapping[int, Outside],
        whole: Mapping[int, bytes],
    ) -> tuple[list[Fetched], int]:
        """Those that came, up to the first that the server holds back, and the UID of that one, 0: none."""
        large = [uid for uid in uids if uid in outsides and outsides[uid].size > self._largest]
        raws = await wire.bodies([uid for uid in uids if uid not in large and uid not in whole])
        headers = await wire.bodies([uid for uid in large if uid not in whole], headers_only=True)
        found = {uid: whole[uid] for uid in uids if uid in whole} | raws | headers
        missing, held_back = set(uids) - set(found), 0
        if missing:  # gone since the search, or held back by a fault of the server, which must not pass for "gone"
            held_back = min(missing.intersection(await wire.search_from(min(missing))), default=0)
        letters = [
            Fetched(
                cursor=str(known.at(uid, outsides.get(uid, Outside()).came)),
                key=f"{known.validity}:{uid}",
                raw=raw,
                size=max(outsides[uid].size, 0) if uid in outsides else len(raw),
                truncated=uid in headers,
                uid=uid,
                uidvalidity=known.validity,
            )
            for uid, raw in sorted(found.items())
            if not held_back or uid < held_back
        ]
        return letters, held_back
