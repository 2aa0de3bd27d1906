"""What the service does: this is what is audited, whoever calls it."""

from auditkit import audited
from plans.models import Plan


@audited("plan.update", "U", target=("plan.pk", "plan.name"), capture="plan", on_error="record")
def rename_plan(plan: Plan, name: str) -> None:
    if not name:
        raise ValueError("a plan needs a name")
    plan.name = name
    plan.save()


@audited("plan.read", "R", target="pk")
async def read_plan(pk: int) -> str:
    return (await Plan.objects.aget(pk=pk)).name


@audited("plan.export", "R", target="pk")
def line_of(pk: int, number: int) -> str:
    return f"{number},{pk}\n"
