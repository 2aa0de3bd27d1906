"""A service with plans that users change. Run it: ``gunicorn --threads 8 "plans_on_flask:create_app()"``."""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Flask, Response, request, session, stream_with_context

import auditkit
from auditkit import audited
from auditkit.middleware.wsgi import AuditMiddleware


@dataclass
class Plan:
    id: str
    name: str


PLANS = {"plan_1": Plan("plan_1", "Basic")}


@audited("plan.update", "U", target=("plan.id", "plan.name"), capture="plan")
def rename_plan(plan: Plan, name: str) -> None:
    plan.name = name


@audited("plan.export", "R")
def export() -> Iterator[str]:
    for plan in PLANS.values():
        yield f"{plan.id},{plan.name}\n"


@audited("user.login", "C", target="user")
def log_in(user: str) -> None:
    session["user"] = user


app = Flask(__name__)
app.secret_key = "only for the example"  # noqa: S105  (it says so)


def user_of(_: object) -> str | None:
    """Return who is logged in; asked when the first event needs it, and again after None."""
    return session.get("user")


def create_app() -> Flask:
    """Return the service with its trail; a forked worker begins a journal of its own, also under --preload."""
    auditkit.configure()
    return app


app.wsgi_app = AuditMiddleware(app.wsgi_app, actor=user_of, exclude=["/health"])


@app.get("/health")
def health() -> str:
    return "well"


@app.post("/login/<user>")
def login(user: str) -> str:
    log_in(user)
    return "in"


@app.put("/plans/<plan_id>")
def put_plan(plan_id: str) -> str:
    rename_plan(PLANS[plan_id], request.args["name"])
    return "renamed"


@app.get("/plans")
def get_plans() -> Response:
    return Response(stream_with_context(export()), mimetype="text/csv")
