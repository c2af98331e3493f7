"""The one tree of errors, with the exit code and the reference of each.

Rule 1: an error keeps us from finding something out; what we were asked to find out is a value.
Rule 2: a message is a template in lower case plus its values, so that it can be translated whole;
    a hint says what a night technician can do about it.
Rule 3: no secret, record line or file content is ever a value of a message.
Source: design, section 9 (the table of exit codes is a contract).
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a command's end means; the numbers are a contract."""

    SOUND = 0
    FAILED = 1
    USAGE = 2
    INCOMPLETE = 3
    CORRUPT = 4
    DEGRADED = 5
    SECURED = 6
    REFUSED = 7
    MEDIA_ABSENT = 75
    INTERRUPTED = 130


class CoffreError(Exception):
    """Something kept us from doing or finding out what was asked."""

    reference: ClassVar[str] = "failed"
    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, template: str, *, hint: str = "", **values: object) -> None:
        self.template = template
        self.hint_template = hint
        self.values = values
        super().__init__(template.format(**values))

    @property
    def hint(self) -> str:
        """The mend, in the language of the code."""
        return self.hint_template.format(**self.values)


class UsageError(CoffreError):
    """The command's words do not make sense together."""

    reference = "usage"
    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """The configuration or a policy is not what it must be."""

    reference = "config-invalid"


class SecretError(UsageError):
    """A secret is missing, empty, or open to others."""

    reference = "secret-unsafe"


class NeedsRoot(UsageError):
    """The act needs root, a namespace or a capability that is not to be had."""

    reference = "needs-root"


class OutsideWindow(UsageError):
    """A run outside its window, without ``--now``."""

    reference = "outside-window"


class NotInitialised(UsageError):
    """The vault has not been made yet, or only in part."""

    reference = "not-initialised"


class Secured(CoffreError):
    """The red button is pressed: nothing opens until another person releases."""

    reference = "secured"
    exit_code = ExitCode.SECURED


class Interrupted(CoffreError):
    """A signal or a person ended the run; the doors were shut on the way out."""

    reference = "interrupted"
    exit_code = ExitCode.INTERRUPTED


class LockHeld(CoffreError):
    """Another cycle of this vault is running."""

    reference = "already-running"


class ClockError(CoffreError):
    """The wall clock is behind the last entry of the ledger."""

    reference = "clock-behind"


class ClockForeign(CoffreError):
    """The boot clock of this process, or the id of the boot, is not the host's own."""

    reference = "clock-foreign"


class SpaceError(CoffreError):
    """There is not enough room for what is to be written."""

    reference = "no-space"


class ProcessError(CoffreError):
    """A child process could not be started, or did not end in its time."""

    reference = "process-failed"


class ResticError(CoffreError):
    """restic failed, or answered in a way we do not know."""

    reference = "restic-failed"


class ResticMissing(ResticError):
    """No restic is on the path, or it is too old."""

    reference = "restic-missing"
    exit_code = ExitCode.USAGE


class RepositoryMissing(ResticError):
    """There is no repository where one must be."""

    reference = "repository-missing"


class RepositoryLocked(ResticError):
    """Another restic holds the repository."""

    reference = "repository-locked"


class WrongPassword(ResticError):
    """No key of the repository opens with this password."""

    reference = "wrong-password"


class SourceError(CoffreError):
    """A source could not be collected; the other sources go on."""

    reference = "source-failed"
    exit_code = ExitCode.INCOMPLETE


class SourceMissing(SourceError):
    """The source is not where the configuration says."""

    reference = "source-missing"


class SourceUnreachable(SourceError):
    """The host of a source does not answer, or refuses us."""

    reference = "source-unreachable"


class HostKeyUnknown(SourceError):
    """The host key of a source was never confirmed by a person."""

    reference = "host-key-unknown"


class HostKeyChanged(SourceError):
    """The host shows another key than the one that was confirmed."""

    reference = "host-key-changed"


class DoorError(CoffreError):
    """A door could not do what was asked, and is shut."""

    reference = "door-failed"


class MediaAbsent(DoorError):
    """No medium of this target is attached."""

    reference = "media-absent"
    exit_code = ExitCode.MEDIA_ABSENT


class Impostor(DoorError):
    """A medium says it is this target and is not: wrong disk, size or signature."""

    reference = "impostor"
    exit_code = ExitCode.REFUSED


class CloneFound(Impostor):
    """Two media claim to be the same target."""

    reference = "clone"


class RolledBack(Impostor):
    """The medium's newest head is older than the one we wrote there."""

    reference = "rolled-back"


class MediaBusy(DoorError):
    """Somebody else holds the device."""

    reference = "media-busy"


class MediaDamaged(DoorError):
    """The medium's file system cannot be trusted; it is never repaired by us."""

    reference = "media-damaged"


class DeadlineReached(DoorError):
    """The kernel shut the door at its hard deadline."""

    reference = "deadline"


class DoorUnproven(CoffreError):
    """A door could not be proven shut: it counts as open."""

    reference = "door-unproven"
    exit_code = ExitCode.DEGRADED


class StoreError(CoffreError):
    """The store could not write or read; nothing half-written has a name."""

    reference = "store-failed"


class TargetFull(StoreError):
    """The medium has no room left."""

    reference = "target-full"


class ReadBackFailed(StoreError):
    """A byte read back from the medium differs from what was written."""

    reference = "read-back-mismatch"
    exit_code = ExitCode.CORRUPT


class CatalogueError(CoffreError):
    """The catalogue cannot be read or written."""

    reference = "catalogue-failed"


class LedgerError(CoffreError):
    """The ledger cannot be written, or its chain is broken."""

    reference = "ledger-failed"


class RetentionRefused(CoffreError):
    """Nothing is let go of: an alarm, the clock, a medium or a person stands against it."""

    reference = "retention-refused"
    exit_code = ExitCode.REFUSED


class SignatureError(CoffreError):
    """A signed document does not verify against the pinned key."""

    reference = "signature-invalid"
    exit_code = ExitCode.REFUSED


class RestoreError(CoffreError):
    """A restore could not be done."""

    reference = "restore-failed"


class DestinationNotEmpty(RestoreError):
    """The folder to restore into already holds something."""

    reference = "destination-not-empty"
    exit_code = ExitCode.USAGE


class NothingToRestore(RestoreError):
    """No held cycle has what was asked for."""

    reference = "nothing-to-restore"


class HookError(CoffreError):
    """A hook failed or did not end in its time."""

    reference = "hook-failed"


class Bug(CoffreError):
    """A fault of coffre's own: an error that nothing of it expects."""

    reference = "bug"


def reason_of(error: BaseException) -> str:
    """Give what an error says; of one that is neither ours nor the system's, its kind alone.

    Another may quote what it read.
    """
    is_told = isinstance(error, OSError | CoffreError)
    return str(error) if is_told else type(error).__name__
