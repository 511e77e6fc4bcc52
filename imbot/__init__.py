"""imbot: a chat bot in front of the helpdesk a company already has."""

__version__ = "0.1.0"
