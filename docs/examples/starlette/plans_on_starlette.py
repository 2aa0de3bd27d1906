"""A service with plans that users change. Run it: ``uvicorn --factory plans_on_starlette:create_app``."""

from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser, requires
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import auditkit
from auditkit import audited
from auditkit.middleware.asgi import AuditMiddleware


@dataclass
class Plan:
    id: str
    name: str


PLANS = {"plan_1": Plan("plan_1", "Basic")}


@audited("plan.update", "U", target="plan.id", capture="plan")
async def rename_plan(plan: Plan, name: str) -> None:
    plan.name = name


class ByHeader(AuthenticationBackend):
    """Authenticate, as your own backend does."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        user = conn.headers.get("x-user")
        return None if user is None else (AuthCredentials(["authenticated"]), SimpleUser(user))


def user_of(scope: Any) -> str | None:
    """Return who is authenticated: asked when the first event needs it, after the middleware below has run."""
    user = scope.get("user")
    return user.username if user is not None and user.is_authenticated else None


@requires("authenticated")
async def put_plan(request: Request) -> PlainTextResponse:
    await rename_plan(PLANS[request.path_params["plan_id"]], request.query_params["name"])
    return PlainTextResponse("renamed")


def create_app() -> Starlette:
    auditkit.configure()
    return Starlette(
        routes=[Route("/plans/{plan_id}", put_plan, methods=["PUT"])],
        middleware=[
            Middleware(AuditMiddleware, actor=user_of),  # first: it is around everything
            Middleware(AuthenticationMiddleware, backend=ByHeader()),
        ],
    )
