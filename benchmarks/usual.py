"""The store of the usual build: three ORM classes, one session, a commit for each letter."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

from sqlalchemy import ForeignKey, LargeBinary, create_engine, event, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

_NUMBER = re.compile(r"№ (IM-CL-\d+)")


class Base(DeclarativeBase):
    pass


class Ticket(Base):
    __tablename__ = "tickets"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str]
    solution: Mapped[str] = mapped_column(default="")
    changed_at: Mapped[datetime | None]


class Mail(Base):
    __tablename__ = "mails"
    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str]
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))


class Notice(Base):
    __tablename__ = "notices"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    text: Mapped[str]


class Kept(Base):
    __tablename__ = "kept"
    id: Mapped[int] = mapped_column(primary_key=True)
    raw: Mapped[bytes] = mapped_column(LargeBinary)


class Store:
    def __init__(self, path: Path, count: int) -> None:
        engine = create_engine(f"sqlite:///{path}")
        event.listen(
            engine, "connect", lambda c, _: c.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
        )
        Base.metadata.create_all(engine)
        self._session = Session(engine)
        self._session.add_all(Ticket(number=f"IM-CL-{number}", status="registered") for number in range(1, count + 1))
        self._session.commit()

    def carry_out(self, subject: str, text: str, raw: bytes) -> None:
        found = _NUMBER.search(subject)
        number = found[1] if found else ""
        ticket = self._session.scalars(select(Ticket).where(Ticket.number == number)).one()
        if "выполнена" in subject:
            ticket.status, ticket.changed_at = "resolved", datetime.now(UTC)
            ticket.solution = text.partition("Решение:")[2].strip()
        self._session.add(Mail(subject=subject, raw=raw, ticket_id=ticket.id))
        self._session.add(Notice(ticket_id=ticket.id, text=f"{number}: {ticket.solution}"))
        self._session.commit()

    def keep(self, raw: bytes) -> None:
        self._session.add(Kept(raw=raw))
        self._session.commit()

    def kept(self) -> list[bytes]:
        return list(self._session.scalars(select(Kept.raw)))

    def counts(self) -> tuple[int, int, int]:
        c = self._session
        resolved = select(func.count()).select_from(Ticket).where(Ticket.status == "resolved")
        mails, notices = (select(func.count()).select_from(table) for table in (Mail, Notice))
        return c.scalar(mails) or 0, c.scalar(resolved) or 0, c.scalar(notices) or 0


class Request(Base):
    __tablename__ = "requests"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    text: Mapped[str]
    sent: Mapped[bool] = mapped_column(default=False)


class Desk:
    """The other direction: a request is committed, its letter goes out over a connection of its own, that is committed."""

    def __init__(self, path: Path) -> None:
        engine = create_engine(f"sqlite:///{path}")
        event.listen(
            engine, "connect", lambda c, _: c.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
        )
        Base.metadata.create_all(engine)
        self._session = Session(engine)

    def file(self, title: str, text: str) -> Request:
        request = Request(title=title, text=text)
        self._session.add(request)
        self._session.commit()
        return request

    def sent(self, request: Request) -> None:
        request.sent = True
        self._session.commit()

    def count_sent(self) -> int:
        return self._session.scalar(select(func.count()).select_from(Request).where(Request.sent)) or 0


def usual_letter(message_id: str, subject: str, text: str) -> EmailMessage:
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "bot@demo.local", "help@demo.local", subject
    letter["Message-ID"] = message_id
    letter.set_content(text)
    return letter
