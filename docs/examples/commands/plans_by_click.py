"""A command that an operator runs: ``python plans_by_click.py rename plan_1 Pro``."""

import getpass
import platform

import click

import auditkit
from auditkit import audit_context, audited

PLANS = {"plan_1": {"id": "plan_1", "name": "Basic"}}


@click.group()
@click.option("--group", default="operations", help="Whose trail it belongs to.")
@click.pass_context
def main(context: click.Context, group: str) -> None:
    """Look after plans."""
    auditkit.configure()
    scope = audit_context(group=group, actor=getpass.getuser(), location=platform.node())
    context.with_resource(scope)  # until the command has ended


@main.command()
@click.argument("plan_id")
@click.argument("name")
@audited("plan.update", "U", target="plan_id", capture=lambda plan_id: PLANS[plan_id])
def rename(plan_id: str, name: str) -> None:
    """Give a plan another name."""
    PLANS[plan_id]["name"] = name
    click.echo(f"{plan_id} is {name}")


@main.command()
@click.argument("plan_id")
@audited("plan.delete", "D", target="plan_id", on_error="record")
def delete(plan_id: str) -> None:
    """Delete a plan."""
    if plan_id not in PLANS:
        raise click.ClickException(f"there is no plan {plan_id}")
    del PLANS[plan_id]


if __name__ == "__main__":
    main()
