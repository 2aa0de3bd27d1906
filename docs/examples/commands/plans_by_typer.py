"""A command that an operator runs: ``python plans_by_typer.py rename plan_1 Pro``."""

import getpass
import platform

import typer

import auditkit
from auditkit import audit_context, audited

PLANS = {"plan_1": {"id": "plan_1", "name": "Basic"}}

app = typer.Typer()


@app.callback()
def main(context: typer.Context, group: str = "operations") -> None:
    """Look after plans."""
    auditkit.configure()
    scope = audit_context(group=group, actor=getpass.getuser(), location=platform.node())
    context.with_resource(scope)  # until the command has ended


@app.command()
@audited("plan.update", "U", target="plan_id", capture=lambda plan_id: PLANS[plan_id])
def rename(plan_id: str, name: str, *, shout: bool = False) -> None:
    """Give a plan another name."""
    PLANS[plan_id]["name"] = name.upper() if shout else name
    typer.echo(f"{plan_id} is {PLANS[plan_id]['name']}")


@app.command()
@audited("plan.delete", "D", target="plan_id", on_error="record")
def delete(plan_id: str) -> None:
    """Delete a plan."""
    if plan_id not in PLANS:
        raise typer.Exit(1)
    del PLANS[plan_id]


if __name__ == "__main__":
    app()
