"""What the figures depend on besides the code: nothing that names a machine or a place on it."""

from __future__ import annotations

import os
import platform
import sqlite3
from pathlib import Path
from typing import Final

_ESCAPED_SPACE: Final = "\\040"


def described(directory: str) -> dict[str, str]:
    """Return the processor, its cores, the kernel, the filesystem of a directory, and SQLite."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count() or "unknown"),
        "kernel": f"{platform.system()} {platform.release()}",
        "filesystem": _filesystem(directory),
        "SQLite": sqlite3.sqlite_version,
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:  # not Linux
        text = ""
    return processor_in(text) or platform.processor() or platform.machine()


def processor_in(cpuinfo: str) -> str:
    """Return the processor's name in the text of ``/proc/cpuinfo``; empty where it has none."""
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return ""


def _filesystem(directory: str) -> str:
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8")
    except OSError:  # not Linux
        return "unknown"
    return filesystem_in(mounts, os.path.realpath(directory))


def filesystem_in(mounts: str, directory: str) -> str:
    """Return the type of the filesystem that holds an absolute directory, by the text of ``/proc/mounts``."""
    longest, kind = -1, "unknown"
    for line in mounts.splitlines():
        _, point, found, *_ = line.split(" ")
        point = point.replace(_ESCAPED_SPACE, " ")
        if os.path.commonpath([point, directory]) == point and len(point) >= longest:
            longest, kind = len(point), found
    return kind
