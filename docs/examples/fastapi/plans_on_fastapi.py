"""A service with plans that users change. Run it: ``uvicorn plans_on_fastapi:app``."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI, Header, HTTPException, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

import auditkit
from auditkit import audited, bind_context
from auditkit.middleware.asgi import AuditMiddleware


class Plan(BaseModel):
    id: str
    name: str
    seats: int = 1


PLANS = {"plan_1": Plan(id="plan_1", name="Basic")}


# What the service does: this is what is audited, whoever calls it.


@audited("plan.update", "U", target=("plan.id", "plan.name"), capture="plan", on_error="record")
def rename_plan(plan: Plan, name: str) -> Plan:
    if not name:
        raise ValueError("a plan needs a name")
    plan.name = name
    return plan


@audited("plan.read", "R", target="plan_id")
async def read_plan(plan_id: str) -> Plan:
    return PLANS[plan_id]


@audited("plan.notify", "C", target="plan.id")
def notify(plan: Plan) -> None: ...


@audited("plan.export", "R")
def export() -> Iterator[str]:
    for plan in PLANS.values():
        yield f"{plan.id},{plan.name}\n"


@audited("seat.update", "U", target="plan.id", capture="plan", fields=["seats"])
async def add_seat(plan: Plan) -> int:
    plan.seats += 1
    return plan.seats


# Who does it: bound where it is authenticated, in a dependency of either kind.


def current_user(x_user: Annotated[str | None, Header()] = None) -> str:
    """Run in the thread pool, as every plain dependency."""
    if x_user is None:
        raise HTTPException(401)
    bind_context(actor=x_user)
    return x_user


async def current_user_async(x_user: Annotated[str | None, Header()] = None) -> str:
    """Run on the event loop."""
    return current_user(x_user)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    auditkit.configure()
    yield
    auditkit.shutdown()


app = FastAPI(lifespan=lifespan)
app.add_middleware(
    AuditMiddleware,
    group=lambda scope: dict(scope["headers"]).get(b"x-tenant", b"default").decode(),
    exclude=["/health"],
)


@app.get("/health")
def health() -> str:
    return "well"


@app.put("/plans/{plan_id}")
def put_plan(plan_id: str, name: str, background: BackgroundTasks, _: Annotated[str, Depends(current_user)]) -> Plan:
    plan = rename_plan(PLANS[plan_id], name)
    background.add_task(notify, plan)
    return plan


@app.get("/plans/{plan_id}")
async def get_plan(plan_id: str, _: Annotated[str, Depends(current_user_async)]) -> Plan:
    return await read_plan(plan_id)


@app.get("/plans")
def get_plans(_: Annotated[str, Depends(current_user)]) -> StreamingResponse:
    return StreamingResponse(export(), media_type="text/csv")


@app.websocket("/plans/{plan_id}/seats")
async def seats(websocket: WebSocket, plan_id: str) -> None:
    bind_context(actor=websocket.headers["x-user"])
    await websocket.accept()
    async for _ in websocket.iter_text():
        await websocket.send_text(str(await add_seat(PLANS[plan_id])))
