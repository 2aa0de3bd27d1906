"""Where a framework makes an object of a function: ``@audited`` is honoured above it, or refused, and never idle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import litestar
import pytest
import typer
import typer.testing
from click.testing import CliRunner
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath  # noqa: TC002  (Litestar reads it)
from litestar.testing import TestClient

from auditkit import AuditDefinitionError, audited, configure
from auditkit.transports import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditkit.event import Event


@pytest.fixture
def memory() -> MemoryTransport:
    transport = MemoryTransport()
    configure(transport, directory=None, defaults={"actor": "operator", "group": "acme", "location": "host"})
    return transport


def told(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.action, event.target_id) for event in events]


rename: Callable[[Any], Any] = audited("plan.update", "U", target="plan_id")


def above(group: click.Group) -> Any:
    @rename
    @group.command("rename")
    @click.argument("plan_id")
    @click.option("--name", default="Basic", help="The new name.")
    def command(plan_id: str, name: str) -> None:
        """Give a plan another name."""
        click.echo(f"{plan_id} is {name}")

    return command


def below(group: click.Group) -> Any:
    @group.command("rename")
    @click.argument("plan_id")
    @click.option("--name", default="Basic", help="The new name.")
    @rename
    def command(plan_id: str, name: str) -> None:
        """Give a plan another name."""
        click.echo(f"{plan_id} is {name}")

    return command


def between(group: click.Group) -> Any:
    @group.command("rename")
    @click.argument("plan_id")
    @rename
    @click.option("--name", default="Basic", help="The new name.")
    def command(plan_id: str, name: str) -> None:
        """Give a plan another name."""
        click.echo(f"{plan_id} is {name}")

    return command


@pytest.mark.parametrize("declare", [above, between, below])
def test_click_command_is_audited_wherever_the_decorator_stands(
    memory: MemoryTransport, declare: Callable[[click.Group], Any]
) -> None:
    """A command stays the command that its group runs, with its arguments, options and help; each run is recorded."""
    group = click.Group()
    command = declare(group)
    done = CliRunner().invoke(group, ["rename", "plan_1", "--name", "Pro"])

    assert command is group.commands["rename"]
    assert "plan_1 is Pro\n" == done.output
    assert [("plan.update", "plan_1")] == told(memory.events)
    told_by_help = CliRunner().invoke(group, ["rename", "--help"]).output
    assert all(each in told_by_help for each in ("Give a plan another name.", "PLAN_ID", "--name", "The new name."))


def test_group_of_click_is_audited_for_each_of_its_commands(memory: MemoryTransport) -> None:
    """A group has a function of its own, which runs before its commands: above it, that one is audited."""

    @audited("shop.open", "R")
    @click.group()
    def group() -> None: ...

    below(group)
    CliRunner().invoke(group, ["rename", "plan_1"])

    assert ["shop.open", "plan.update"] == [event.action for event in memory.events]


def test_mistake_above_a_command_is_told_when_decorating() -> None:
    """A reference is checked against what the command's function takes, not against the command."""
    command = click.command()(lambda plan_id: None)
    with pytest.raises(AuditDefinitionError, match="there is no parameter 'plan'"):
        audited("plan.update", "U", target="plan")(command)


def test_command_without_a_function_is_refused() -> None:
    """A group that only holds commands runs nothing that could be recorded."""
    with pytest.raises(AuditDefinitionError, match="there is no function in it"):
        audited("shop.open", "R")(click.Group("shop"))


def test_typer_makes_its_options_of_the_function(memory: MemoryTransport) -> None:
    """Below ``@app.command()`` the function's own signature is there to be read."""
    app = typer.Typer()

    @app.command()
    @rename
    def command(plan_id: str, *, name: str = "Basic", shout: bool = False) -> None:
        typer.echo(name.upper() if shout else name)

    assert "PRO\n" == typer.testing.CliRunner().invoke(app, ["plan_1", "--name", "Pro", "--shout"]).output
    assert [("plan.update", "plan_1")] == told(memory.events)


async def on_the_loop(plan_id: FromPath[int], seats: NamedDependency[int]) -> str:
    return f"{plan_id} has {seats}"


def in_a_thread(plan_id: FromPath[int], seats: NamedDependency[int]) -> str:
    return f"{plan_id} has {seats}"


@audited("seat.read", "R", target="plan_id")
async def free_seats(plan_id: FromPath[int]) -> int:
    return plan_id + 1


class OfAController(litestar.Controller):
    dependencies = {"seats": Provide(free_seats)}  # noqa: RUF012  (as Litestar has it)

    @litestar.get("/{plan_id:int}")
    @audited("plan.read", "R", target="plan_id")
    async def read(self, plan_id: FromPath[int], seats: NamedDependency[int]) -> str:
        return f"{plan_id} has {seats}"


def handler(function: Callable[..., Any], **options: Any) -> Any:
    audit = audited("plan.read", "R", target="plan_id")
    return litestar.get("/{plan_id:int}", dependencies={"seats": Provide(free_seats)}, **options)(audit(function))


@pytest.mark.parametrize(
    "made",
    [handler(on_the_loop), handler(in_a_thread, sync_to_thread=True), OfAController],
    ids=["coroutine", "thread", "controller"],
)
def test_litestar_reads_an_audited_handler(memory: MemoryTransport, made: Any) -> None:
    """Parameters and dependencies are parsed by the annotations of the function itself."""
    with TestClient(litestar.Litestar([made], logging_config=None)) as client:
        assert "7 has 8" == client.get("/7").text

    assert [("seat.read", "7"), ("plan.read", "7")] == told(memory.events)


def test_above_a_handler_of_litestar_is_refused() -> None:
    """Litestar runs the function inside: a decorator above its own would never be called, so it says so."""
    with pytest.raises(AuditDefinitionError, match=r"write @get\(...\) first and @audited\(...\) below it"):
        audited("plan.read", "R")(litestar.get("/", sync_to_thread=False)(in_a_thread))
