"""What the kernel's list of mounts says."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from auditkit import files, mounts
from auditkit.mounts import Mount

# From proc_pid_mountinfo(5), containers and machines; in the kernel's order.
TABLE = r"""
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
36 27 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
40 27 0:50 / /srv rw,relatime shared:12 master:3 propagate_from:2 - nfs4 10.0.0.1:/exports/a\040b rw,vers=4.2
41 40 0:51 / /srv/my\040disk ro,nosuid - tmpfs tmpfs rw,mode=777
42 27 0:52 / /twice rw - overlay overlay rw,lowerdir=/a
43 42 8:1 / /twice rw - xfs /dev/sda1 rw
no mount at all
44 27 0:53 / /half rw - ext4
45 27 0:54 / /short
""".strip()


def mount(point: str, kind: str, source: str, *options: str) -> Mount:
    return Mount(point=PurePosixPath(point), kind=kind, source=source, options=frozenset(options))


def test_mounts_are_read() -> None:
    """Each line is a mount with its point, kind, source and options; what is no such line is left out."""
    assert (
        mount("/", "ext4", "/dev/vda", "rw", "relatime"),
        mount("/mnt2", "ext3", "/dev/root", "rw", "noatime"),
        mount("/srv", "nfs4", "10.0.0.1:/exports/a b", "rw", "relatime"),
        mount("/srv/my disk", "tmpfs", "tmpfs", "ro", "nosuid"),
        mount("/twice", "overlay", "overlay", "rw"),
        mount("/twice", "xfs", "/dev/sda1", "rw"),
    ) == mounts.parse(TABLE)


@pytest.mark.parametrize(
    "path, kind",
    [
        ("/", "ext4"),
        ("/srvx", "ext4"),
        ("/srv", "nfs4"),
        ("/srv/audit", "nfs4"),
        ("/srv/my disk/audit", "tmpfs"),
        ("/twice", "xfs"),
        ("/twice/audit", "xfs"),
    ],
)
def test_path_lies_on_the_nearest_mount(path: str, kind: str) -> None:
    """A path lies on the nearest mount above it, of two on one point on the later one."""
    found = mounts.holding(PurePosixPath(path), mounts.parse(TABLE))

    assert found is not None
    assert kind == found.kind


def test_unlisted_path_lies_nowhere() -> None:
    """Where nothing is listed, as on another system, nothing is known."""
    assert mounts.holding(PurePosixPath("/x"), ()) is None


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="this system has no such list")
def test_this_machines_mounts_are_read() -> None:
    """The root directory of a running system is mounted."""
    assert "/" in {str(each.point) for each in files.mounts()}
