from django.http import HttpRequest


def group_of(request: HttpRequest) -> str:
    """Return whose trail a request belongs to; here each host is a customer's."""
    return request.get_host().partition(":")[0]
