"""Alembic's folder: `env.py` runs inside the connection that `imbot.store.migrate` hands over; no ini file is needed."""
