import os

from django.apps import AppConfig

import auditkit


class PlansConfig(AppConfig):
    name = "plans"

    def ready(self) -> None:
        auditkit.configure(directory=os.environ.get("PLANS_AUDIT", "audit"))
