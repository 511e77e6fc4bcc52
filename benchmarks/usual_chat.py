"""The wizard of the usual build: one ORM class, an async session for each step, a durable commit before the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, event
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Dialog(Base):
    __tablename__ = "dialogs"
    chat_id: Mapped[int] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(default=0)
    answers: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class Wizard:
    def __init__(self, path: Path, words: Sequence[str]) -> None:
        self._words = words
        self._engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        self._made = asyncio.Lock()
        self._ready = False
        event.listen(self._engine.sync_engine, "connect", _durable)

    async def step(self, chat_id: int, text: str) -> str:
        """The next question, once this answer is durable."""
        if not self._ready:
            await self._make()
        async with self._sessions() as session, session.begin():
            dialog = await session.get(Dialog, chat_id)
            if dialog is None:
                dialog = Dialog(chat_id=chat_id, step=0, answers={})
                session.add(dialog)
            question = self._words[dialog.step]
            dialog.answers = dialog.answers | {str(dialog.step): text}
            dialog.step = (dialog.step + 1) % len(self._words)
        return question

    async def _make(self) -> None:
        async with self._made:
            if not self._ready:
                async with self._engine.begin() as c:
                    await c.run_sync(Base.metadata.create_all)
                self._ready = True


def _durable(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
