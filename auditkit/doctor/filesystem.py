"""What the directory lies on: its file system, its room, its syncs and its locks. Pure."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from auditkit.doctor.finding import Finding, ok, problem, warning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.mounts import Mount

_NETWORK = {
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "glusterfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "smb3",
    "smbfs",
    "virtiofs",
}
_NETWORK_FUSE = ("sshfs", "s3fs", "gcsfuse", "glusterfs", "ceph", "rclone", "blobfuse", "goofys", "mount-s3", "juicefs")
_PASSING = {
    "tmpfs": "memory",
    "ramfs": "memory",
    "overlay": "a container's own layer",
    "aufs": "a container's own layer",
}
_ELSEWHERE = "put the directory on a local disk; flock and SQLite's WAL need one kernel for all processes"
_SLOW_SYNC = 0.02  # seconds
_LEAST = 8 * 2**20  # bytes: two segments of the largest size
_MEGA = 2**20


def judge_mount(mount: Mount | None) -> Finding:
    """Say what a file system means for a journal and a ledger."""
    if mount is None:
        return ok("filesystem", "this system does not tell which file system it is")
    shown = f"{mount.kind} at {mount.point}"
    if "ro" in mount.options:
        return problem("filesystem", f"{shown} is mounted read-only", "mount it rw, or configure another directory")
    if mount.kind in _NETWORK or mount.kind.startswith(tuple(f"fuse.{name}" for name in _NETWORK_FUSE)):
        return warning("filesystem", f"{shown} is shared over a network: locks and syncs may not be kept", _ELSEWHERE)
    if mount.kind in _PASSING:
        return warning(
            "filesystem",
            f"{shown} is {_PASSING[mount.kind]}: events that wait there go with it",
            "put the directory on a disk or a volume that outlives the process",
        )
    if mount.kind.startswith("fuse"):
        return warning(
            "filesystem", f"{shown} is a program's: whether locks and syncs are kept is up to it", _ELSEWHERE
        )
    return ok("filesystem", shown)


def judge_space(free: int, used: int, max_bytes: int) -> Finding:
    """Say whether the disk has room for a journal as large as it may become.

    Args:
        free: Bytes that this user may still write.
        used: Bytes that the journal holds.
        max_bytes: Bytes that it may hold.
    """
    text = f"{free // _MEGA} MiB free; the journal holds {used // _MEGA} of {max_bytes // _MEGA} MiB"
    remedy = "free space, or configure a smaller max_bytes so that the trail warns before the disk is full"
    if free < _LEAST:
        return problem("space", f"{text}: there is no room for another segment", remedy)
    if free < max_bytes - used:
        return warning("space", f"{text}: the disk would be full before it may hold no more", remedy)
    if used > max_bytes * 3 // 4:
        return warning("space", f"{text}: it is nearly full", "see auditkit deliver: what does not accept its events?")
    return ok("space", text)


def judge_syncs(seconds: Sequence[float]) -> Finding:
    """Say what a sync costs: what each call waits for under ``fsync="always"``."""
    middle, worst = median(seconds) * 1000, max(seconds) * 1000
    text = f"a sync takes {middle:.1f} ms in the median of {len(seconds)}, {worst:.1f} at most"
    if median(seconds) > _SLOW_SYNC:
        remedy = 'keep fsync="interval", or use a faster disk: with fsync="always" each call waits for one'
        return warning("fsync", text, remedy)
    return ok("fsync", text)


def judge_locks(*, kept: bool) -> Finding:
    """Say whether a lock keeps a second one out."""
    if kept:
        return ok("locks", "flock keeps a second process out")
    return problem("locks", "flock lets two hold one lock: processes would send each other's events", _ELSEWHERE)
