"""A shop that ships its orders in the background: ``celery --app orders_on_celery worker``.

The broker is a folder, so that it runs without a server; put yours in its place.
"""

import os
from pathlib import Path

from celery import Celery, Task

import auditkit
from auditkit import audited
from auditkit.queues.celery import carry_context_to_tasks

HERE = Path(os.environ.get("ORDERS_HOME", Path(__file__).parent / "home"))
QUEUE = HERE / "queue"
QUEUE.mkdir(parents=True, exist_ok=True)

auditkit.configure(directory=HERE / "audit", secret=os.environ.get("ORDERS_SECRET"))
carry_context_to_tasks()

app = Celery("orders", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": str(QUEUE),
    "data_folder_out": str(QUEUE),
    "control_folder": str(HERE / "control"),
}
app.conf.task_ignore_result = True


@audited("order.place", "C", target="number")
def place_order(number: int) -> None:
    """Run by whoever takes the order: a web service, for example."""
    ship_order.delay(number)


class NoCourierError(Exception):
    """Nobody has come for the parcels yet."""


@app.task(bind=True, autoretry_for=(NoCourierError,), default_retry_delay=0)
@audited("order.ship", "U", target="number", on_error="record")
def ship_order(self: Task, number: int) -> None:
    if number % 10 == 0 and self.request.retries == 0:  # the courier is late for every tenth
        raise NoCourierError
    tell_customer.delay(number)


@audited("order.tell", "C", target="number")  # either order will do
@app.task
def tell_customer(number: int) -> None: ...
