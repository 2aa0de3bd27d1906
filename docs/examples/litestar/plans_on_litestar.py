"""A service with plans that users change. Run it: ``uvicorn --factory plans_on_litestar:create_app``."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from litestar import Litestar, Request, get, put
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.middleware.base import DefineMiddleware
from litestar.response import Stream

import auditkit
from auditkit import audited
from auditkit.middleware.asgi import AuditMiddleware


@dataclass
class Plan:
    id: str
    name: str


PLANS = {"plan_1": Plan("plan_1", "Basic")}


@audited("plan.update", "U", target="plan.id", capture="plan")
def rename_plan(plan: Plan, name: str) -> Plan:
    plan.name = name
    return plan


@audited("plan.export", "R")
async def export() -> AsyncIterator[str]:
    for plan in PLANS.values():
        yield f"{plan.id},{plan.name}\n"


class ByHeader(AbstractAuthenticationMiddleware):
    """Authenticate, as your own middleware does."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        user = connection.headers.get("x-user")
        if user is None:
            raise NotAuthorizedException
        return AuthenticationResult(user=user, auth=None)


def user_of(scope: Any) -> str | None:
    """Return who is authenticated: asked when the first event needs it, after the middleware below has run."""
    return scope.get("user")


@put("/plans/{plan_id:str}", sync_to_thread=True)
def put_plan(request: Request[str, None, Any]) -> Plan:
    return rename_plan(PLANS[request.path_params["plan_id"]], request.query_params["name"])


@get("/plans")
async def get_plans() -> Stream:
    return Stream(export(), media_type="text/csv")


def create_app() -> Litestar:
    auditkit.configure()
    return Litestar(
        [put_plan, get_plans],
        middleware=[DefineMiddleware(AuditMiddleware, actor=user_of), DefineMiddleware(ByHeader)],
        logging_config=None,  # logging stays as it is: auditkit's own troubles go to the logger "auditkit"
    )
