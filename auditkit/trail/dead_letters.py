"""What people do with dead letters: look at them, put them back, drop them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditkit import configuration
from auditkit.clock import SystemClock, new_id
from auditkit.errors import ConfigurationError, JournalUnavailable
from auditkit.files import home
from auditkit.journal import (
    Keys,
    Letter,
    Letterbox,
    Requeued,
    finish,
    interrupted,
    lanes_with_letters,
    letters_of,
    requeue,
)
from auditkit.trail.catching_up import remembered

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterator, Sequence


class DeadLetters:
    """The dead letters of a directory, whichever process works it. Nothing but these methods ever removes one.

    Args:
        directory: The audit directory.
        secret: What segments are signed with, as `configure` takes it.
        destination: Only this destination's; all of them by default.

    Raises:
        ConfigurationError: There is no such directory, or the secret cannot be used.

    Thread-safety: any thread; any number of processes.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        secret: str | bytes | Sequence[str | bytes] | None = None,
        destination: str | None = None,
    ) -> None:
        self._root = home(Path(directory))
        if not self._root.is_dir():
            raise ConfigurationError(f"there is no audit directory {directory}; name one")
        self._settings = configuration.settle(None, directory=directory, secret=secret)
        self._destination = destination

    @property
    def destinations(self) -> list[str]:
        """The destinations that are asked for and have, or had, dead letters."""
        return [name for name in self._all() if self._destination in {None, name}]

    def _all(self) -> list[str]:
        try:
            return lanes_with_letters(self._root)
        except OSError as error:
            raise JournalUnavailable(f"cannot look into {self._root}: {error.strerror}") from None

    def __iter__(self) -> Iterator[Letter]:
        """Yield them, by destination and age. Waits for nobody and changes nothing.

        Raises:
            JournalUnavailable: They may not be read.
        """
        for name in self.destinations:
            try:
                yield from letters_of(self._root, name)
            except OSError as error:
                raise self._trouble("read", name, error) from None

    def interrupted(self) -> list[str]:
        """Return the destinations to which letters are being put back, or were by a process that was killed."""
        return [name for name in self.destinations if interrupted(self._root, name)]

    def requeue(self, destination: str, ids: Collection[str] | None = None) -> Requeued:
        """Give a destination events that it refused again; nobody else gets them. Their letters go.

        Args:
            destination: The destination's name.
            ids: The events'; all of the destination's by default.

        Raises:
            ConfigurationError: Nothing is delivered there any more.
            JournalUnavailable: It could not be written; the letters are where they were.
        """
        if destination not in remembered(self._root):
            raise ConfigurationError(
                f"nothing is delivered to {destination} any more; start the service that has it, then requeue"
            )
        try:
            return requeue(
                self._root,
                destination,
                lambda letter: ids is None or letter.id in ids,
                chain=Keys(self._settings.subkeys("chain")).writing,
                ids=new_id,
                clock=SystemClock(),
            )
        except OSError as error:
            raise self._trouble("requeue", destination, error) from None

    def drop(self, destination: str, ids: Collection[str]) -> list[str]:
        """Remove letters for good; return the ids of those that were there.

        One that a killed process was about to put back is put back instead, and is not among them.

        Args:
            destination: The destination's name.
            ids: The letters'.

        Raises:
            JournalUnavailable: It could not be written; the letters are where they were.
        """
        try:
            if destination in remembered(self._root):
                finish(self._root, destination)
            with Letterbox.opened(self._root, destination) as box:
                assert box is not None  # noqa: S101  (who waits gets it)
                found = {letter.id: None for letter in box.letters() if letter.id in ids}
                if found:
                    box.remove(found)
        except OSError as error:
            raise self._trouble("drop", destination, error) from None
        return list(found)

    def _trouble(self, what: str, destination: str, error: OSError) -> JournalUnavailable:
        return JournalUnavailable(
            f"cannot {what} the dead letters of {destination} in {self._root}: {error.strerror}; none is lost"
        )
