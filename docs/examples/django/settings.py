"""A service with plans that users change: the parts that have to do with auditkit are marked."""

import os
from pathlib import Path

HERE = Path(__file__).parent

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "only for the example")
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "plans"]
MIDDLEWARE = [
    "auditkit.middleware.django.AuditMiddleware",  # auditkit: first, so that it is around everything
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("PLANS_DATABASE", HERE / "plans.sqlite3"),
        "ATOMIC_REQUESTS": True,
        "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

# auditkit: what the middleware is told. The actor is request.user by itself.
AUDITKIT = {
    "group": "plans.audit.group_of",
    "trusted_proxies": os.environ.get("PLANS_PROXIES", "").split(),
    "exclude": ["/health"],
    "on_commit": True,  # ATOMIC_REQUESTS: what is rolled back is not recorded as done
}
