"""Keys, addresses and timeouts are judged where they are stated."""

from __future__ import annotations

import pytest

from auditkit.errors import ConfigurationError
from auditkit.transports.api_key import authorization
from auditkit.transports.base_url import check_base_url
from auditkit.transports.http import check_timeout, proxy_for
from auditkit.transports.workos_endpoint import check_concurrency


def test_api_key_comes_from_the_environment_when_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument goes before WORKOS_API_KEY."""
    monkeypatch.setenv("WORKOS_API_KEY", "sk_env")

    assert (authorization(None), authorization("sk_given")) == ("Bearer sk_env", "Bearer sk_given")


@pytest.mark.parametrize("set_to", [None, ""])
def test_api_key_missing_says_where_to_give_it(monkeypatch: pytest.MonkeyPatch, set_to: str | None) -> None:
    """Without a key the error names the argument and the variable."""
    monkeypatch.delenv("WORKOS_API_KEY", raising=False)
    if set_to is not None:
        monkeypatch.setenv("WORKOS_API_KEY", set_to)

    with pytest.raises(ConfigurationError, match="give api_key= or set WORKOS_API_KEY"):
        authorization(None)


@pytest.mark.parametrize("key", ["sk_canary\r\nX: 1", "sk_canary\n", "sk canary", "sk_canaryé", "\x00sk_canary"])
def test_api_key_that_would_break_the_header_is_refused_unseen(key: str) -> None:
    """A line break cannot begin another header, and the refusal does not repeat the key."""
    with pytest.raises(ConfigurationError) as caught:
        authorization(key)

    assert "canary" not in str(caught.value)


def test_api_key_of_another_type_is_refused_unseen() -> None:
    """What is not a text is not a key, and is not repeated."""
    with pytest.raises(ConfigurationError, match="got a value of type bytes"):
        authorization(b"sk_canary")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        "https://api.workos.com",
        "https://api.workos.com/",
        "https://proxy.internal:8443/workos",
        "http://127.0.0.1:8000",
        "http://localhost",
        "http://[::1]:80",
    ],
)
def test_base_url_that_can_work_is_taken(url: str) -> None:
    """Https anywhere and http on this machine are taken, the last slash left out."""
    assert check_base_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url, reason",
    [
        ("", "must be a URL"),
        ("api.workos.com", "must be a URL"),
        ("ftp://api.workos.com", "must be a URL"),
        ("https://", "must be a URL"),
        ("https://a:port", "must be a URL"),
        ("https://a:0", "must be a URL"),
        ("https://[::1", "must be a URL"),
        ("https://user:hunter2@api.workos.com", "no user or password"),
        ("https://a?x=hunter2", "without a query"),
        ("https://a#b", "without a query"),
        ("https://a/b c", "without a query"),
        ("https://a/\r\nX: 1", "without a query"),
        ("http://api.workos.com", "must begin with https://"),
        ("http://10.0.0.1", "must begin with https://"),
        ("http://localhost.example.com", "must begin with https://"),
        (5, "must be a str"),
    ],
)
def test_base_url_that_cannot_work_is_refused(url: str, reason: str) -> None:
    """The refusal says what would be right, and repeats no password."""
    with pytest.raises(ConfigurationError, match=reason) as caught:
        check_base_url(url)

    assert "user:hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https//svc:hunter2@api.example.com",
        "svc:hunter2@api.example.com",
        "ftp://svc:hunter2@api.example.com",
        "https://api.example.com/?key=hunter2",
        "https://api.example.com/#hunter2",
        "http://api.example.com?hunter2",
    ],
)
def test_misspelled_base_url_is_not_repeated_with_its_password(url: str) -> None:
    """Where a URL cannot be read, what may be its password is not shown."""
    with pytest.raises(ConfigurationError) as caught:
        check_base_url(url)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), True, None, "5"])
def test_timeout_that_cannot_work_is_refused(timeout: float) -> None:
    """A timeout is a finite number of seconds above 0."""
    with pytest.raises(ConfigurationError, match="number of seconds above 0"):
        check_timeout(timeout)


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, None])
def test_concurrency_that_cannot_work_is_refused(concurrency: int) -> None:
    """At least one request may be under way."""
    with pytest.raises(ConfigurationError, match="int above 0"):
        check_concurrency(concurrency)


@pytest.fixture
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.usefixtures("_no_proxies")
@pytest.mark.parametrize(
    "environment, url, proxy",
    [
        ({}, "https://api.workos.com/events", None),
        ({"https_proxy": "http://p:3128"}, "https://api.workos.com/events", "http://p:3128"),
        ({"https_proxy": "p:3128"}, "https://api.workos.com/events", "http://p:3128"),
        ({"all_proxy": "http://p:3128"}, "https://api.workos.com/events", "http://p:3128"),
        ({"https_proxy": "http://p:1", "no_proxy": "workos.com"}, "https://api.workos.com/events", None),
        ({"http_proxy": "http://p:3128"}, "http://127.0.0.1:5/events", None),
    ],
)
def test_proxy_is_the_one_that_the_environment_states(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, proxy: str | None
) -> None:
    """The usual variables count, and this machine is never reached through a proxy."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    found = proxy_for(url)

    assert (None if found is None else str(found.url)) == proxy


@pytest.mark.usefixtures("_no_proxies")
@pytest.mark.parametrize("stated", ["socks5://u:hunter2@p:1080", "http://u:hunter2@:3128", "gopher://u:hunter2@p"])
def test_proxy_that_cannot_be_used_is_refused_unseen(monkeypatch: pytest.MonkeyPatch, stated: str) -> None:
    """What the environment states is judged at the start, and its password is not repeated."""
    monkeypatch.setenv("https_proxy", stated)

    with pytest.raises(ConfigurationError, match="proxy for https") as caught:
        proxy_for("https://api.workos.com/events")

    assert "hunter2" not in str(caught.value)
