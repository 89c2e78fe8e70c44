"""Signatures verified ahead of the check, by other processes.

Checking a block needs the state before it, its signatures don't: so while one process checks the blocks in their order,
others verify what the coming blocks state to be signed. (Threads can't: between two signatures of 36 µs each of them
would wait for the interpreter's lock.) What a helper found sound is attested to `identity.verify`, which then need not
compute it again; what it didn't find sound, or wasn't asked for, the check verifies itself. A helper that dies costs
time, not the verdict.

How much of a block is asked for follows from how far the helpers are behind: so the processes stay in step whatever a
signature takes on a machine, and however busy it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from select import select
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from .blocks import claims_of
from .identity import address_of, attest, forget_attested, tag_of, verify
from .params import Signing

if TYPE_CHECKING:  # a helper starts in half the time without numpy
    from .state import ChainState

HEAD_START = 12  # blocks that the check verifies alone: the helpers start meanwhile
AHEAD = 24  # blocks that wait for their check at most, so that `_share` sees who is behind
WHOLE = 255  # a share of all signatures of a block
PATIENCE_S = 0.004  # about the time in which the check could do it itself
MOST_WAITING_BYTES = 1 << 17  # handed to a helper: its answers, a third of that at most, then never fill a pipe
_KEY_BYTES, _ID_BYTES, _TAG_BYTES = 33, 16, 32
_KEYS, _BLOCK = 0, 1  # kinds of message: ledger id and keys; a block


Claim = tuple[bytes, bytes, bytes]  # address, signature, digest


def _claims(data: bytes, ledger_id: bytes, place: int) -> list[Claim]:
    try:
        return claims_of(data, ledger_id, place)
    except ValueError:
        return []  # no block at all: for the check to name


def _sound_tags(claims: Sequence[Claim], keys: dict[bytes, bytes], share: int) -> list[bytes]:
    """Tags of the sound signatures among the first `share` of WHOLE."""
    asked = claims[: -(-len(claims) * share // WHOLE)]
    known = [(keys[address], signature, digest) for address, signature, digest in asked if address in keys]
    return [tag_of(*each) for each in known if verify(*each)]


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer messages until the source ends; a block is answered by the number of its tags and the tags."""
    ledger_id, keys, last = b"", dict[bytes, bytes](), set[Claim]()
    while head := source.read(7):
        payload = source.read(int.from_bytes(head[3:], "big"))
        if head[0] == _KEYS:
            ledger_id = payload[:_ID_BYTES]
            found = [payload[at : at + _KEY_BYTES] for at in range(_ID_BYTES, len(payload), _KEY_BYTES)]
            keys = {address_of(key): key for key in found}
        else:
            claims = _claims(payload, ledger_id, head[1])
            fresh = [claim for claim in claims if claim not in last]  # one signature covers all chains of a height
            tags, last = _sound_tags(fresh, keys, head[2]), set(claims)
            sink.write(len(tags).to_bytes(4, "big") + b"".join(tags))
            sink.flush()


class _Helper:
    """Another process that runs `serve`, and what was asked of it: (row, bytes) of every block not answered yet.

    In a session of its own: an interrupt at the keyboard is for the check, which then stops its helpers.
    """

    def __init__(self) -> None:
        package = str(Path(__file__).resolve().parent.parent)
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ledger.ahead"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)}, bufsize=0, start_new_session=True,
        )  # fmt: skip
        self._answers = b""
        self._asked: deque[tuple[int, int]] = deque()
        self.alive = True
        self.late = False
        self.known_keys = 0

    @property
    def waiting_bytes(self) -> int:
        """Bytes of the blocks that were not answered."""
        return sum(size for _, size in self._asked)

    def owes(self, row: int) -> bool:
        """Whether the answer for a block that was asked is still to come."""
        return self.alive and bool(self._asked) and self._asked[0][0] <= row

    @property
    def behind(self) -> int:
        """How many blocks were not answered."""
        return len(self._asked)

    def ask(self, row: int, place: int, data: bytes, share: int) -> None:
        """Hand over a block, the `place`-th chain's."""
        self._asked.append((row, len(data)))
        self.send(_BLOCK, place, data, share)

    def send(self, kind: int, place: int, payload: bytes, share: int = 0) -> None:
        """Hand over a message; a helper that is gone is not alive any more."""
        assert self._process.stdin is not None
        message = memoryview(bytes((kind, place, share)) + len(payload).to_bytes(4, "big") + payload)
        try:
            while message:
                message = message[self._process.stdin.write(message) :]
        except OSError:
            self.alive = False

    def collect(self, patience_s: float) -> None:
        """Attest what was answered, after waiting for at most so long; a helper that keeps one waiting is late until
        it has answered everything.
        """
        assert self._process.stdout is not None
        if not self.alive or not self._asked:
            return
        if not select([self._process.stdout], [], [], patience_s)[0]:
            self.late = self.late or patience_s > 0
            return
        chunk = os.read(self._process.stdout.fileno(), MOST_WAITING_BYTES)
        self.alive = bool(chunk)
        self._answers += chunk
        while len(self._answers) >= 4:
            end = 4 + _TAG_BYTES * int.from_bytes(self._answers[:4], "big")
            if len(self._answers) < end:
                break
            attest(self._answers[at : at + _TAG_BYTES] for at in range(4, end, _TAG_BYTES))
            self._answers = self._answers[end:]
            self._asked.popleft()
        self.late = self.late and bool(self._asked)

    def stop(self) -> None:
        """End the process, whatever it is at."""
        self._process.kill()
        self._process.communicate()


class _Row(NamedTuple):
    row: int
    data: bytes
    helper: _Helper | None


class Ahead:
    """Runs `cores` - 1 helpers once there are blocks enough; a context manager that ends them.

    state: after the last row, for the caller to set; helpers learn the keys from it.
    """

    def __init__(self, cores: int) -> None:
        self.state: ChainState | None = None
        self._count = cores - 1 if sys.executable else 0
        self._helpers: list[_Helper] = []
        self._waiting: deque[_Row] = deque()

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for helper in self._helpers:
            helper.stop()
        forget_attested()

    def rows(self, rows: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        """The same rows, each with its signatures verified as far as helpers got.

        An error of `rows` is raised when all rows before it were yielded.
        """
        failed: ValueError | None = None
        source = iter(rows)
        while True:
            try:
                row, data = next(source)
            except StopIteration:
                break
            except ValueError as error:
                failed = error
                break
            if self.state is None or self._count < 1 or self.state.signing is Signing.NONE:
                yield row, data
                continue
            if not self._helpers and len(self._waiting) >= HEAD_START:
                self._helpers = [_Helper() for _ in range(self._count)]
            while self._helpers and self._waiting and (len(self._waiting) >= AHEAD or self._free() is None):
                yield self._oldest()
            helper = self._free()
            self._hand_out(row, data, helper, self.state)
        while self._waiting:
            yield self._oldest()
        if failed is not None:
            raise failed

    def _free(self) -> _Helper | None:
        """The living helper with the least to do, if it may get more."""
        living = [each for each in self._helpers if each.alive]
        helper = min(living, key=lambda each: each.waiting_bytes, default=None)
        return helper if helper is not None and helper.waiting_bytes < MOST_WAITING_BYTES else None

    def _share(self) -> int:
        """How much of a block to ask for: all while the helpers keep up, less the more waits for them of what may."""
        blocks = sum(each.behind for each in self._helpers) / AHEAD
        size = sum(each.waiting_bytes for each in self._helpers) / (len(self._helpers) * MOST_WAITING_BYTES)
        return round(WHOLE * min(1.0, max(0.0, 1.5 - max(blocks, size))))

    def _hand_out(self, row: int, data: bytes, helper: _Helper | None, state: ChainState) -> None:
        if helper is not None:
            if helper.known_keys != len(state.certificates):
                keys = [state.authority_key, *(each.public_key for each in state.certificates.values())]
                helper.send(_KEYS, 0, state.ledger_id + b"".join(keys))
                helper.known_keys = len(state.certificates)
            helper.ask(row, (row - 1) % len(state.chains), data, self._share())
        self._waiting.append(_Row(row, data, helper))

    def _oldest(self) -> tuple[int, bytes]:
        row, data, helper = self._waiting.popleft()
        for each in self._helpers:
            each.collect(0.0)
        while helper is not None and helper.owes(row) and not helper.late:
            helper.collect(PATIENCE_S)
        return row, data


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
