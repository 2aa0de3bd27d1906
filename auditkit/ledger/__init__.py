"""The SQLite trail that people read and keep: its writer, its reader, and its verification."""

from auditkit.ledger.chain import Break
from auditkit.ledger.database import sqlite_version
from auditkit.ledger.reader import Entry, LedgerReader
from auditkit.ledger.schema import ledger_path
from auditkit.ledger.verification import Verification, verify
from auditkit.ledger.writer import LedgerWriter

__all__ = [
    "Break",
    "Entry",
    "LedgerReader",
    "LedgerWriter",
    "Verification",
    "ledger_path",
    "sqlite_version",
    "verify",
]
