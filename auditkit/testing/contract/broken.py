"""What is said of a promise that is not kept."""

from __future__ import annotations


class BrokenPromise(Exception):  # noqa: N818  (it ends here: a test sees an AssertionError)
    """Say how a transport does not do what it must; the transport's own error, if any, is the cause."""
