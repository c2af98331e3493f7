r"""The reading half of SFTP version 3, over one channel: list, look, read.

Rule 1: there is no request here that writes, renames or removes: nothing in this module can change
    the source.
Rule 2: names are bytes. The library's own client decodes them as UTF-8 and fails on ``\xe9``.
Rule 3: requests are sent ahead and answers taken in order by one thread; every wait has a timeout.
Rule 4: what a server says is bounded before it is believed.
Source: draft-ietf-secsh-filexfer-02; measured against paramiko's prefetching, which spends its
    time handing each packet between three threads.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paramiko.message import Message
from paramiko.sftp import (
    CMD_ATTRS,
    CMD_CLOSE,
    CMD_DATA,
    CMD_FSTAT,
    CMD_HANDLE,
    CMD_INIT,
    CMD_LSTAT,
    CMD_NAME,
    CMD_OPEN,
    CMD_OPENDIR,
    CMD_READ,
    CMD_READDIR,
    CMD_STAT,
    CMD_STATUS,
    CMD_VERSION,
    SFTP_EOF,
    SFTP_FLAG_READ,
    SFTP_NO_SUCH_FILE,
    SFTP_OK,
    SFTP_PERMISSION_DENIED,
)
from paramiko.ssh_exception import SSHException

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from paramiko.channel import Channel

REQUEST_BYTES = (
    261_120  # the most that OpenSSH answers at once; others give less, and are asked less
)
AHEAD = 8  # requests under way: what the window of a channel holds
LOOKS_AHEAD = 64
PACKET_LIMIT_BYTES = 1024**2
_RECEIVE_BYTES = 512 * 1024
_SIZE, _OWNER, _MODE, _TIMES, _EXTENDED = 1, 2, 4, 8, 0x80000000


class SftpError(Exception):
    """The server refused a request, or said what no server may say."""


class NotThere(SftpError):
    """There is no such file."""


class NotAllowed(SftpError):
    """The file may not be read by this account."""


class Dropped(Exception):
    """The connection ended in the middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a server says of a file; what it leaves out is None."""

    size_bytes: int | None
    mode: int | None
    mtime_s: int | None


class SftpReader:
    """One SFTP session, for one thread at a time."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._received = bytearray()
        self._number = 0
        self._answers: dict[int, tuple[int, Message]] = {}
        self._request_bytes = REQUEST_BYTES
        hello = Message()
        hello.add_int(3)
        self._send(CMD_INIT, hello.asbytes())
        kind, _ = self._take_packet()
        if kind != CMD_VERSION:
            raise SftpError("no SFTP behind the connection")

    def set_timeout(self, seconds: float) -> None:
        """Bound every wait from now on."""
        self._channel.settimeout(seconds)

    def close(self) -> None:
        """End the session, whether the connection is still there or not."""
        with suppress(OSError, EOFError, SSHException):
            self._channel.close()

    def look(self, path: bytes) -> Facts:
        """Look at a file, following a symlink: for the root that the operator named."""
        return _facts(self._answer(self._ask(CMD_STAT, path), CMD_ATTRS))

    def look_many(self, paths: Sequence[bytes]) -> Iterator[Facts | None]:
        """Look at many files without following; None for what is not there any more."""
        waiting: deque[int] = deque()
        for path in paths:
            waiting.append(self._ask(CMD_LSTAT, path))
            if len(waiting) >= LOOKS_AHEAD:
                yield self._look_answer(waiting.popleft())
        while waiting:
            yield self._look_answer(waiting.popleft())

    def list_folder(self, path: bytes) -> Iterator[tuple[bytes, Facts]]:
        """Give name and facts of each entry of a folder, as the server has them."""
        handle = self._handle(self._ask(CMD_OPENDIR, path))
        while True:
            kind, answer = self._wait(self._ask(CMD_READDIR, handle))
            if kind == CMD_STATUS and _status(answer) == SFTP_EOF:
                self._forget(self._ask(CMD_CLOSE, handle))
                return
            yield from _names(_expect(kind, answer, CMD_NAME))

    def read_file(
        self, path: bytes, *, offset: int, size_bytes: int, take: Callable[[bytes], object]
    ) -> Facts:
        """Read a file from an offset to its expected size; give its facts after the last byte.

        A small file may come in part from a server that answers little at once: who finds it
        short asks again. After any error but NotThere and NotAllowed the session is of no
        further use.
        """
        opened = Message()
        opened.add_int(SFTP_FLAG_READ)
        opened.add_int(0)  # no attributes
        handle = self._handle(self._ask(CMD_OPEN, path, opened.asbytes()))
        if size_bytes - offset > self._request_bytes:
            self._read(handle, offset, size_bytes, take)
            offset = size_bytes
        # What is left is small: asked for together with the look and the end, one journey in all.
        left = size_bytes - offset
        read = self._ask_bytes(handle, offset, left) if left else None
        looked, closed = self._ask(CMD_FSTAT, handle), self._ask(CMD_CLOSE, handle)
        if read is not None:
            self._take_piece(read, left, take)
        facts = _facts(self._answer(looked, CMD_ATTRS))
        self._wait(closed)
        return facts

    def _read(
        self, handle: bytes, offset: int, size_bytes: int, take: Callable[[bytes], object]
    ) -> None:
        """Take the bytes in order; a file that ends early is left for the caller to notice."""
        asked: deque[tuple[int, int, int]] = deque()
        upcoming = offset
        while asked or upcoming < size_bytes:
            while upcoming < size_bytes and len(asked) < AHEAD:
                count = min(self._request_bytes, size_bytes - upcoming)
                asked.append((self._ask_bytes(handle, upcoming, count), upcoming, count))
                upcoming += count
            number, start, count = asked.popleft()
            taken = self._take_piece(number, count, take)
            if not taken:
                self._forget(*(number for number, _, _ in asked))
                return
            if taken < count:
                # This server answers less at once: ask for the rest first, then in its measure.
                self._request_bytes = max(4096, taken)
                start, count = start + taken, count - taken
                asked.appendleft((self._ask_bytes(handle, start, count), start, count))

    def _take_piece(self, number: int, count: int, take: Callable[[bytes], object]) -> int:
        """Take the answer to one reading; give its length, none at the end of the file."""
        kind, answer = self._wait(number)
        if kind == CMD_STATUS and _status(answer) == SFTP_EOF:
            return 0
        piece = _expect(kind, answer, CMD_DATA).get_binary()
        if not piece or len(piece) > count:
            raise SftpError("an answer of another length than was asked for")
        take(piece)
        return len(piece)

    def _ask_bytes(self, handle: bytes, offset: int, count: int) -> int:
        where = Message()
        where.add_int64(offset)
        where.add_int(count)
        return self._ask(CMD_READ, handle, where.asbytes())

    def _ask(self, command: int, name: bytes, rest: bytes = b"") -> int:
        """Send a request about a path or handle; give its number."""
        self._number = (self._number + 1) & 0xFFFFFFFF
        message = Message()
        message.add_int(self._number)
        message.add_string(name)
        message.add_bytes(rest)
        self._send(command, message.asbytes())
        return self._number

    def _answer(self, number: int, wanted: int) -> Message:
        return _expect(*self._wait(number), wanted)

    def _look_answer(self, number: int) -> Facts | None:
        try:
            return _facts(self._answer(number, CMD_ATTRS))
        except NotThere:
            return None

    def _handle(self, number: int) -> bytes:
        return self._answer(number, CMD_HANDLE).get_binary()

    def _forget(self, *numbers: int) -> None:
        """Take answers that nobody wants, so that their numbers are free."""
        for number in numbers:
            self._wait(number)

    def _wait(self, number: int) -> tuple[int, Message]:
        """Wait for the answer to one request; others that come first are kept."""
        while number not in self._answers:
            kind, packet = self._take_packet()
            answer = Message(packet)
            self._answers[answer.get_int()] = (kind, answer)
            if len(self._answers) > 4 * LOOKS_AHEAD:
                raise SftpError("answers that nobody asked for")
        return self._answers.pop(number)

    def _send(self, kind: int, content: bytes) -> None:
        message = Message()
        message.add_int(len(content) + 1)
        message.add_byte(bytes([kind]))
        message.add_bytes(content)
        try:
            self._channel.sendall(message.asbytes())
        except (OSError, EOFError) as error:
            raise Dropped(type(error).__name__) from None

    def _take_packet(self) -> tuple[int, bytes]:
        length = int.from_bytes(self._take_bytes(4), "big")
        if not 1 <= length <= PACKET_LIMIT_BYTES:
            raise SftpError("an answer larger than any")
        packet = self._take_bytes(length)
        return packet[0], packet[1:]

    def _take_bytes(self, count: int) -> bytes:
        while len(self._received) < count:
            try:
                piece = self._channel.recv(_RECEIVE_BYTES)
            except (OSError, EOFError) as error:  # a timeout among them
                raise Dropped(type(error).__name__) from None
            if not piece:
                raise Dropped("closed")
            self._received += piece
        taken = bytes(memoryview(self._received)[:count])
        del self._received[:count]
        return taken


def _status(answer: Message) -> int:
    """Read the code of a status without using the answer up."""
    position = answer.packet.tell()
    code = answer.get_int()
    answer.packet.seek(position)
    return code


def _expect(kind: int, answer: Message, wanted: int) -> Message:
    if kind == wanted:
        return answer
    code = _status(answer) if kind == CMD_STATUS else SFTP_OK
    if code == SFTP_NO_SUCH_FILE:
        raise NotThere
    if code == SFTP_PERMISSION_DENIED:
        raise NotAllowed
    raise SftpError(f"answer {kind} with status {code}")


def _names(answer: Message) -> Iterator[tuple[bytes, Facts]]:
    for _ in range(answer.get_int()):
        if not answer.get_remainder():
            raise SftpError("a list that ends early")
        name = answer.get_binary()
        answer.get_binary()  # a line for people
        facts = _facts(answer)
        if name not in (b".", b".."):
            yield name, facts


def _facts(answer: Message) -> Facts:
    flags = answer.get_int()
    size_bytes = answer.get_int64() if flags & _SIZE else None
    if flags & _OWNER:
        answer.get_int64()
    mode = answer.get_int() if flags & _MODE else None
    mtime_s = None
    if flags & _TIMES:
        answer.get_int()
        mtime_s = answer.get_int()
    if flags & _EXTENDED:
        for _ in range(min(answer.get_int(), 64) * 2):
            answer.get_binary()
    return Facts(size_bytes=size_bytes, mode=mode, mtime_s=mtime_s)
