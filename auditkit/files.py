"""The one file that knows the operating system: locks, reserved space, syncs, private files.

Everything POSIX has here its Windows alternative beside it. All functions may be called from any thread.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from auditkit.errors import JournalUnavailable
from auditkit.mounts import parse as parse_mounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from auditkit.mounts import Mount

_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_CHUNK = 1024 * 1024  # bytes read at once of a file of lines
_UNSUPPORTED = {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}

if sys.platform == "win32":
    import msvcrt

    def lock(descriptor: int, *, wait: bool = False, shared: bool = False) -> bool:
        """Take the lock of a descriptor opened for that alone; it is freed by closing it, and never shared."""
        del shared
        try:
            # A byte that nobody reads: locks are mandatory here.
            os.lseek(descriptor, 0x7FFF0000, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def sync(descriptor: int) -> None:
        """Return when what was written is on the device."""
        os.fsync(descriptor)

    def sync_directory(path: Path) -> None:
        """Do nothing: NTFS journals its directories."""

    def reserve(descriptor: int, size: int) -> None:
        """Make the file ``size`` bytes long, its space taken now."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, bytes(size))

    def pwrite(descriptor: int, data: bytes, offset: int) -> int:
        """Write at ``offset`` and return how many bytes were written."""
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.write(descriptor, data)

    def read_at(descriptor: int, size: int, offset: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``."""
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)

else:
    import fcntl

    def lock(descriptor: int, *, wait: bool = False, shared: bool = False) -> bool:
        """Take the lock of a descriptor opened for that alone; with ``shared`` others may, too, who take it so.

        The lock lives as long as the open file: it is freed by closing every copy of the descriptor, also
        by the process's death, and never by an unlock (in a forked child that would free its parent's).

        Returns:
            Whether it was taken; always True with ``wait``.
        """
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, kind | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def sync(descriptor: int) -> None:
        """Return when what was written is on the device, as far as the device tells the truth.

        Raises:
            OSError: The device failed; what was written since the last sync may be gone.
        """
        if sys.platform == "darwin":
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync(2) there stops at the drive's cache
        else:
            os.fdatasync(descriptor)

    def sync_directory(path: Path) -> None:
        """Return when the names in a directory (files made, renamed, removed) are on the device.

        Raises:
            OSError: The device failed, or there is no such directory.
        """
        handle = _known(path, os.O_RDONLY)
        try:
            os.fsync(handle.fd)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:  # a file system that cannot sync directories
                raise
        finally:
            close(handle)

    def reserve(descriptor: int, size: int) -> None:
        """Make the file ``size`` bytes long, its space taken now rather than when it is needed.

        Raises:
            OSError: There is no such space.
        """
        try:
            os.posix_fallocate(descriptor, 0, size)
        except AttributeError:  # macOS has none: the length is all that can be asked for
            os.ftruncate(descriptor, size)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            os.ftruncate(descriptor, size)

    pwrite = os.pwrite

    def read_at(descriptor: int, size: int, offset: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``; fewer at the end of the file."""
        return os.pread(descriptor, size, offset)


def sync_if_possible(descriptor: int) -> None:
    """Return when what was written is on the device; at once where it can be on none, as with a pipe or a terminal.

    Raises:
        OSError: The device failed.
    """
    try:
        sync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of ``data`` at ``offset``.

    Raises:
        OSError: It could not be written (all).
    """
    done = 0
    while done < len(data):
        step = pwrite(descriptor, data[done:], offset + done)
        if not step:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done += step


class Handle:
    """An open file that no forked child inherits.

    A child closes every one of them: a lock lives as long as any copy of its descriptor, and a child that
    kept one would keep its dead parent's segments from being adopted. What is left of them in the child
    refers to no file, so that an object of the parent's which the child still uses by mistake gets an
    `OSError`, and never writes into whatever file has that number by then.

    Attributes:
        fd: The descriptor's number.
    """

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        """Keep the number."""
        self.fd = fd


_NO_FILE = 2**31 - 1  # a number that no open file has: every call refuses it as EBADF
_open: set[Handle] = set()
_guard = threading.RLock()  # keeps a fork from falling between an open and its entry in the set
# Whether this thread is inside of what a fork waits for. A finaliser or signal handler that finds itself there must
# wait for no lock whose holder may come here. Bound, as it is asked for every event.
guarded: Callable[[], bool] = _guard._is_owned  # type: ignore[attr-defined]  # noqa: SLF001  (as threading.Condition asks)


def create_private(path: Path) -> Handle:
    """Create a file that only its owner can read and write, its group too in a shared directory, and open it.

    Made by root in a user's directory it belongs to that user.

    Raises:
        FileExistsError: There is one already.
    """
    handle = _known(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINK)
    if hasattr(os, "fchmod"):
        try:
            directory = path.parent.stat()
            os.fchmod(handle.fd, 0o660 if directory.st_mode & _GROUP_WRITES else 0o600)  # whatever the umask
            if _is_anothers(directory):
                os.fchown(handle.fd, directory.st_uid, directory.st_gid)
        except BaseException:
            close(handle)
            raise
    return handle


def open_private(path: Path) -> Handle:
    """Open a file for reading and writing, made private if it did not exist."""
    while True:
        with suppress(FileNotFoundError):
            return open_existing(path)
        with suppress(FileExistsError):  # another process made it between the two calls
            return create_private(path)


def open_existing(path: Path) -> Handle:
    """Open a file that exists for reading and writing.

    Raises:
        FileNotFoundError: There is none.
    """
    return _known(path, os.O_RDWR | _NO_LINK)


def open_to_read(path: Path) -> Handle:
    """Open a file that exists for reading alone, as on a file system that takes no writes.

    Raises:
        FileNotFoundError: There is none.
    """
    return _known(path, os.O_RDONLY | _NO_LINK)


def open_to_append(path: Path) -> Handle:
    """Open a file of the user's own to write at its end, made for its owner alone if it did not exist.

    Links are followed: who named the file may have made one.

    Raises:
        OSError: It cannot be opened; ``ENXIO`` where it is a pipe that nobody reads.
    """
    if not is_stream(path):
        return _known(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    # Who opened a pipe to read it as well would be its reader, and lose with the pipe what was written to it; and to
    # open one that has no reader must not wait for one.
    handle = _known(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_NONBLOCK", 0))
    if sys.platform != "win32":
        os.set_blocking(handle.fd, True)
    return handle


def is_stream(path: Path) -> bool:
    """Return whether what is there, if anything is, is no regular file but a pipe, a terminal or another device."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:  # nothing there, or nothing that may be looked at: to open it will tell
        return False


def make_alike(path: Path, model: Handle) -> None:
    """Make a file that is whose another one is, and that the same people may read and write.

    Where it cannot be given to them, it is its maker's alone. One that is there already is made so too.
    """
    handle = open_to_append(path)
    try:
        if hasattr(os, "fchmod"):
            told = os.fstat(model.fd)
            os.fchown(handle.fd, told.st_uid, told.st_gid)
            os.fchmod(handle.fd, stat.S_IMODE(told.st_mode))
    except PermissionError:
        pass  # only root gives files away
    finally:
        close(handle)


def _known(path: Path, flags: int) -> Handle:
    with _guard:
        handle = Handle(os.open(path, flags | _FLAGS, 0o600))
        _open.add(handle)
    return handle


def close(handle: Handle) -> None:
    """Close a file, and free its lock; once it is closed, do nothing."""
    with _guard:
        fd, handle.fd = handle.fd, _NO_FILE
        if handle in _open:
            _open.discard(handle)
            os.close(fd)


def _close_inherited() -> None:
    while _open:
        handle = _open.pop()
        with suppress(OSError):
            os.close(handle.fd)  # close, never unlock: an unlock would free the living parent's lock
        handle.fd = _NO_FILE
    _guard.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_close_inherited)


def locked(path: Path, *, create: bool = False, wait: bool = False) -> Handle | None:
    """Take the lock of a file that may be renamed, replaced or removed meanwhile.

    Args:
        path: The file's name.
        create: Make it, private and empty, where there is none.
        wait: Wait for as long as another process holds it.

    Returns:
        The handle that holds the lock of the file which has this name now, or None where another process
        holds it or (without ``create``) there is no such file.
    """
    while True:
        try:
            handle = open_private(path) if create else open_existing(path)
        except FileNotFoundError:
            if create:
                raise
            return None
        taken = found = False
        try:
            taken = lock(handle.fd, wait=wait)
            found = taken and is_named(handle, path)
        finally:
            if not found:
                close(handle)
        if found:
            return handle
        if not taken and not wait:
            return None
        # The name went to another file between the two calls: start again.


def is_held(path: Path) -> bool:
    """Return whether a process holds a file's lock; who asks does not keep others from asking.

    Ask only where a process that is about to take the lock tries again: it may meet who asks.

    Raises:
        FileNotFoundError: There is no such file.
    """
    handle = open_to_read(path)
    try:
        return not lock(handle.fd, shared=True)
    finally:
        close(handle)


def size(handle: Handle) -> int:
    """Return how many bytes a file has."""
    return os.fstat(handle.fd).st_size


def end(handle: Handle) -> int | None:
    """Return where a file ends; None where it is no regular file, and so has no end."""
    told = os.fstat(handle.fd)
    return told.st_size if stat.S_ISREG(told.st_mode) else None


def listing(directory: Path) -> list[Path]:
    """Return what a directory holds, sorted by name; no fork falls into it, and so inherits its descriptor.

    Raises:
        OSError: There is no such directory, or it may not be read.
    """
    with _guard:
        names = os.listdir(directory)  # noqa: PTH208  (whole at once: an iterator would be open longer)
    return [directory / name for name in sorted(names)]


def is_named(handle: Handle, path: Path, *, follow: bool = False) -> bool:
    """Return whether an open file is the one that a path names now, by a link too with ``follow``."""
    try:
        return os.path.samestat(os.fstat(handle.fd), path.stat(follow_symlinks=follow))
    except FileNotFoundError:
        return False


def append_durably(path: Path, line: bytes) -> None:
    """Add a line to a private file and return when it is on the device.

    Processes that add to one file, or replace it, take turns; a line that cannot be added whole leaves no part of
    itself, and one that was left half written does not touch the next.

    Raises:
        OSError: It could not be added.
    """
    handle = locked(path, create=True, wait=True)
    assert handle is not None  # noqa: S101  (who waits gets it)
    try:
        size = os.fstat(handle.fd).st_size
        torn = size and read_at(handle.fd, 1, size - 1) != b"\n"
        try:
            write_at(handle.fd, b"\n" + line if torn else line, size)
        except OSError:
            os.ftruncate(handle.fd, size)
            raise
        sync(handle.fd)
        if not size:
            sync_directory(path.parent)
    finally:
        close(handle)


def replace_locked(handle: Handle, path: Path, lines: Iterable[bytes]) -> Handle:
    """Replace a locked file by one with these lines, at once and durably, and return the lock of the new one.

    Whoever waits for the old one's lock finds the new one locked too. Where this raises before the new one has the
    name, the old one stands as it was, locked still.

    Args:
        handle: The lock of the file that has the name now; closed once it is replaced.
        path: The file's name.
        lines: What it is to hold, each with its line break.

    Raises:
        OSError: There is no room, or the directory cannot be written.
    """
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)  # of a process that was killed: nobody else is here while we hold the lock
    new = create_private(draft)
    try:
        lock(new.fd)
        offset = 0
        for line in lines:
            write_at(new.fd, line, offset)
            offset += len(line)
        sync(new.fd)
        draft.replace(path)
        sync_directory(path.parent)
    except BaseException:
        draft.unlink(missing_ok=True)
        close(new)
        raise
    close(handle)
    return new


def lines_of(handle: Handle, offset: int = 0) -> Iterator[bytes]:
    """Yield a file's lines from one on, each with its line break; what follows the last one is yielded as it is."""
    rest = b""
    while data := read_at(handle.fd, _CHUNK, offset):
        offset += len(data)
        *whole, rest = (rest + data).split(b"\n")
        yield from (line + b"\n" for line in whole)
    if rest:
        yield rest


SUBDIRECTORY = "auditkit"  # what a trail takes of a mount point that others may write, too
_GROUP_WRITES, _OTHERS_WRITE = 0o020, 0o002


def mounts() -> tuple[Mount, ...]:
    """Return what is mounted where; nothing where the system does not tell."""
    try:
        with _guard:
            return parse_mounts(Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape"))
    except OSError:
        return ()


def home(path: Path) -> Path:
    """Return where the trail of a named directory is: there or, of a volume that others may write, in a part of it.

    A container's volume is often a mount point that everybody, or a group, may write. A trail then takes a
    directory of its own inside; once that is there it stays the trail's, whatever becomes of the volume's mode.
    Any other directory that others may write is refused by whoever opens it, also one that held a trail before
    others could write it: what waits there must not be left behind in silence.
    """
    inside = path / SUBDIRECTORY
    try:
        found = path.lstat()
        if os.name != "posix" or not stat.S_ISDIR(found.st_mode) or (path / "journal").is_dir():
            return path
        is_open = bool(found.st_mode & (_GROUP_WRITES | _OTHERS_WRITE))
        return inside if (is_open or (inside / "journal").is_dir()) and _is_mount(path) else path
    except OSError:
        return path


def _is_mount(path: Path) -> bool:
    # A bind mount from the same file system shows only in the kernel's own list.
    return path.is_mount() or any(str(mount.point) == os.path.realpath(path) for mount in mounts())


def audit_directory(path: Path, *, shared: bool = False) -> Path:
    """Return the `home` of a trail, made if it does not exist.

    Args:
        path: The directory as it was named.
        shared: Whether its group may read and write it.

    Raises:
        JournalUnavailable: It cannot be made or used; names the path and the remedy.
    """
    place = private_directory(home(path), shared=shared)
    judge_home(path, shared=shared)
    return place


def judge_home(path: Path, *, shared: bool) -> None:
    """Return if the `home` of a trail, which exists, may be used; changes nothing.

    Raises:
        JournalUnavailable: It may not; names the path and the remedy.
    """
    place = home(path)
    judge(place, shared=shared)
    if place != path and not shared and place.stat().st_uid != os.geteuid():
        raise JournalUnavailable(  # in a place that others may write, anybody may have made it
            f"{place} belongs to user {place.stat().st_uid}, and {path} can be written by others; run this as that "
            "user, or declare its group with shared_group=True (AUDITKIT_SHARED_GROUP=1)"
        )


def _is_anothers(directory: os.stat_result) -> bool:
    """Return whether what is made in a directory is to be given to its owner: where root works in a user's.

    Else a command that root ran would leave files there that the user's service cannot open.
    """
    return os.name == "posix" and os.geteuid() == 0 and directory.st_uid != 0


def room(path: Path) -> Path:
    """Return a directory inside of an audit directory, made if it does not exist, and as open as that one is.

    Made by root, it belongs to the owner of the audit directory.

    Raises:
        JournalUnavailable: It cannot be made or used; names the path and the remedy.
    """
    try:
        above = path.parent.stat()
        private_directory(path, shared=os.name == "posix" and bool(above.st_mode & _GROUP_WRITES))
        if _is_anothers(above) and path.stat().st_uid != above.st_uid:
            os.chown(path, above.st_uid, above.st_gid)
    except OSError as error:
        raise _not_made(path, error) from None
    return path


def _not_made(path: Path, error: OSError) -> JournalUnavailable:
    return JournalUnavailable(
        f"cannot make the audit directory {path}: {error.strerror}; "
        "give configure() a directory that this process may write"
    )


def private_directory(path: Path, *, shared: bool = False) -> Path:
    """Return a directory that only its owner can enter, made if it does not exist.

    Args:
        path: The directory.
        shared: Whether its group may, too. What is made in it then belongs to that group, whoever makes it.

    Raises:
        JournalUnavailable: It cannot be made or used; names the path and the remedy.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            if shared:
                _share(path)
        else:
            path.chmod(_SHARED if shared else 0o700)  # whatever the umask
            with suppress(OSError):  # who may not read the parent leaves its sync to the kernel
                sync_directory(path.parent)
    except OSError as error:
        raise _not_made(path, error) from None
    judge(path, shared=shared)
    return path


_SHARED = 0o2770  # with the bit that gives what is made inside the directory's group


def _share(path: Path) -> None:
    """Open a directory of this user's, and all that is in it, to its group, if it is not yet; itself last."""
    found = path.lstat()
    if os.name != "posix" or not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return
    if found.st_mode & _GROUP_WRITES:
        return
    with _guard:  # no fork inherits what a walk has open
        for inside in sorted(path.rglob("*"), reverse=True):  # what is in a directory comes before it
            with suppress(FileNotFoundError):  # another process may have removed it meanwhile
                mode = inside.lstat().st_mode
                if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
                    inside.chmod(_SHARED if stat.S_ISDIR(mode) else 0o660)
        path.chmod(_SHARED)


def judge(path: Path, *, shared: bool) -> None:
    """Return if a directory may hold a trail; changes nothing.

    Args:
        path: A directory that exists.
        shared: Whether its group may write it.

    Raises:
        JournalUnavailable: It may not; names the path and the remedy.
    """
    try:
        found = path.lstat()
    except OSError as error:
        raise JournalUnavailable(
            f"cannot look at {path}: {error.strerror}; give configure() a directory that this process may write"
        ) from None
    if not stat.S_ISDIR(found.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "a file"
        raise JournalUnavailable(f"{path} is {kind}, not a directory; remove it or configure another directory")
    if os.name == "posix" and found.st_mode & (_OTHERS_WRITE if shared else _OTHERS_WRITE | _GROUP_WRITES):
        by_group = not found.st_mode & _OTHERS_WRITE
        raise JournalUnavailable(
            f"{path} can be written by others (mode {stat.S_IMODE(found.st_mode):04o}); run: chmod "
            + (f"go-w {path}" if not shared else f"o-w {path}")
            + (", or declare its group with shared_group=True (AUDITKIT_SHARED_GROUP=1)" if by_group else "")
        )
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise JournalUnavailable(
            f"{path} cannot be written by this process; give it to the user that runs it, or configure another"
        )
