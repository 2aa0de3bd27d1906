"""A small service whose every change is audited: what ``auditkit demo`` runs, and a model to copy from."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from auditkit import audit_context, audited, record, ref

ADA = ("user_ada", "ada@example.com")
CHARLES = ("user_charles", "charles@example.com")
SUPPORT = {"id": "agent_7", "name": "support@example.com", "type": "support"}


@dataclass
class Account:
    """Who may use the service."""

    id: str
    email: str
    plan: str = "basic"
    password: str = ""


@dataclass
class Invoice:
    """What is owed."""

    id: str
    customer: str
    amount: int
    status: str = "open"


class PaymentRefused(Exception):  # noqa: N818  (what the bank says)
    """Say that the bank did not pay."""


@dataclass
class Billing:
    """The service: ordinary functions and methods, each with one line that says what it does."""

    invoices: dict[str, Invoice] = field(default_factory=dict)

    @audited("invoice.create", "C", target="result.id", capture="result")
    def create(self, number: str, customer: str, amount: int) -> Invoice:
        """Make an invoice."""
        invoice = self.invoices[number] = Invoice(number, customer, amount)
        return invoice

    @audited("invoice.read", "R", target="number")
    def read(self, number: str) -> Invoice:
        """Return an invoice."""
        return self.invoices[number]

    @audited("invoice.update", "U", target="invoice.id", capture="invoice", metadata={"reason": ref("reason")})
    def correct(self, invoice: Invoice, amount: int, reason: str) -> None:  # noqa: ARG002  (it is recorded)
        """Change what is owed."""
        invoice.amount = amount

    @audited("invoice.pay", "U", target="invoice.id", capture="invoice", on_error="record")
    async def pay(self, invoice: Invoice, *, covered: bool) -> None:
        """Ask the bank for the money."""
        await asyncio.sleep(0)  # the bank
        if not covered:
            raise PaymentRefused
        self.settle(invoice)

    @audited("invoice.settle", "U", target="invoice.id", capture="invoice", fields=("status",))
    def settle(self, invoice: Invoice) -> None:
        """Note that it is paid: inside a payment, and so with the payment's event as its parent."""
        invoice.status = "paid"

    @audited("invoice.delete", "D", target="invoice.id", capture="invoice", on_error="record")
    def delete(self, invoice: Invoice) -> None:
        """Remove an invoice that is not paid."""
        if invoice.status == "paid":
            raise PermissionError("a paid invoice stays")
        del self.invoices[invoice.id]


@audited("account.update", "U", target=("account.id", "account.email"), capture="account")
def change_password(account: Account, password: str) -> None:
    """Set another password; neither of the two is ever written."""
    account.password = password


@audited("account.update", "U", target=("account.id", "account.email"), capture="account")
def change_plan(account: Account, plan: str) -> None:
    """Move an account to another plan."""
    account.plan = plan


async def run() -> None:
    """Do a morning's work as three people."""
    billing = Billing()
    account = Account("acc_1", "ada@example.com", password="correct horse")  # noqa: S106  (of the demo)

    # What a middleware does, once a request.
    with audit_context(group="acme", actor=ADA, location="203.0.113.7"):
        record("user.login", "C", target=ADA)
        invoice = billing.create("inv_1", "Babbage & Co", 1200)
        billing.correct(invoice, 1250, reason="a forgotten cogwheel")
        change_password(account, "battery staple")

    async with audit_context(group="acme", actor=CHARLES, location="203.0.113.8"):
        billing.read("inv_1")
        try:
            await billing.pay(invoice, covered=False)
        except PaymentRefused:
            await billing.pay(invoice, covered=True)
        try:
            billing.delete(invoice)
        except PermissionError:
            billing.delete(billing.create("inv_2", "Jacquard Looms", 80))
        # For one thing, as somebody else; then Charles is back.
        with audit_context(actor=SUPPORT, on_behalf_of=ADA, metadata={"ticket": "T-42"}):
            change_plan(account, "pro")
