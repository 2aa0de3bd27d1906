from collections.abc import Iterator

from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404

from plans import services
from plans.models import Plan


def health(_: HttpRequest) -> HttpResponse:
    return HttpResponse("well")


def rename(request: HttpRequest, pk: int) -> HttpResponse:
    services.rename_plan(get_object_or_404(Plan, pk=pk), request.GET["name"])
    return HttpResponse("renamed")


def rename_and_fail(request: HttpRequest, pk: int) -> HttpResponse:
    """Rename, and then fail: ATOMIC_REQUESTS takes the change back."""
    plan = get_object_or_404(Plan, pk=pk)
    services.rename_plan(plan, request.GET["name"])
    services.rename_plan(plan, "")
    return HttpResponse("never")


@transaction.non_atomic_requests  # Django's ATOMIC_REQUESTS is for sync views
async def show(_: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse(await services.read_plan(pk))


def export(_: HttpRequest, pk: int) -> StreamingHttpResponse:
    def lines() -> Iterator[str]:
        for number in range(2):
            yield services.line_of(pk, number)

    return StreamingHttpResponse(lines(), content_type="text/csv")
