"""Django without a project, for tests that declare models: its settings are a process's, and are configured once."""

from __future__ import annotations

import django
from django.conf import settings


def allow_models() -> None:
    """Configure Django with a database in memory, unless it is configured; to be called before a model is declared."""
    if settings.configured:
        return
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        USE_TZ=True,
    )
    django.setup()
