"""Checkpoints: the authority's signature for one block of a chain.

A checkpoint is what somebody who was away needs: it fixes the chain up to its height, so neither a chain rebuilt
with old keys nor one whose tail was cut can pass for the chain that the authority saw. It lives outside the chain. It
also names the validators of the blocks to come, which headers don't: a light node counts votes by it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from coincurve import PrivateKey

from .answers import answer, schema_name
from .encoding import encode
from .identity import sign, verify

_TAG = b"gridpact checkpoint"
_SIZES = {"chain_id": 16, "block_hash": 32, "signature": 64}


class CheckpointError(ValueError):
    """Bytes that hold no checkpoint, or one that names a validator twice."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Block `height` of chain `chain_id` (16 bytes) has the hash `block_hash` (32 bytes); signed, 64 bytes.

    committee: public keys (33 bytes) of the validators of later blocks, up to height `valid_to`; empty where the
    checkpoint is for the past alone. CheckpointError where it names a key twice: its votes would count twice.
    """

    chain_id: bytes
    height: int
    block_hash: bytes
    signature: bytes
    committee: tuple[bytes, ...] = ()
    valid_to: int = 0

    def __post_init__(self) -> None:
        if len(set(self.committee)) < len(self.committee):
            raise CheckpointError("committee names a key twice")

    @classmethod
    def issue(
        cls, authority: PrivateKey, chain_id: bytes, height: int, block_hash: bytes,
        committee: Sequence[bytes] = (), valid_to: int = 0,
    ) -> Checkpoint:  # fmt: skip
        """A checkpoint with the authority's signature."""
        draft = cls(chain_id, height, block_hash, b"", tuple(committee), valid_to)
        return replace(draft, signature=sign(authority, draft._digest()))

    def _digest(self) -> bytes:
        fields = [self.chain_id, self.height, self.block_hash, list(self.committee), self.valid_to]
        return sha256(_TAG + encode(fields)).digest()

    def is_signed_by(self, authority_key: bytes) -> bool:
        """Whether the authority with this public key (33 bytes) signed it."""
        return verify(authority_key, self.signature, self._digest())

    def view(self) -> dict[str, Any]:
        """JSON-ready values; `from_view` takes them back."""
        texts = {name: getattr(self, name).hex() for name in _SIZES}
        keys = [key.hex() for key in self.committee]
        return answer("checkpoint", {"height": self.height, "committee": keys, "valid_to": self.valid_to} | texts)

    @classmethod
    def from_view(cls, view: Any) -> Checkpoint:
        """The checkpoint in JSON values; CheckpointError names what is wrong."""
        if type(view) is not dict or view.get("schema") != schema_name("checkpoint"):
            raise CheckpointError(f"no checkpoint of schema {schema_name('checkpoint')}")
        for name in ("height", "valid_to"):
            if type(view.get(name)) is not int or not 0 <= view[name] < 1 << 63:
                raise CheckpointError(f"{name} is no height")
        values = {name: _bytes(view.get(name), size, name) for name, size in _SIZES.items()}
        keys = view.get("committee")
        if type(keys) is not list:
            raise CheckpointError("committee is no list of public keys")
        committee = tuple(_bytes(key, 33, "a key of the committee") for key in keys)
        return cls(height=view["height"], committee=committee, valid_to=view["valid_to"], **values)

    @classmethod
    def read(cls, path: str | Path) -> Checkpoint:
        """The checkpoint in a JSON file; CheckpointError where it holds none, OSError where it cannot be read."""
        try:
            view = json.loads(Path(path).read_bytes())
        except (FileNotFoundError, IsADirectoryError) as error:
            raise CheckpointError(f"{path} is no file") from error
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{path} is no JSON") from error
        return cls.from_view(view)

    def write(self, path: str | Path) -> None:
        """Write the JSON file that `read` takes back."""
        Path(path).write_text(json.dumps(self.view()) + "\n", "utf-8")


def checkpoint_path(ledger: str | Path, height: int | None = None) -> Path:
    """Where a ledger file's checkpoints are kept: beside it, that of the whole ledger without a height."""
    name = "checkpoint" if height is None else f"checkpoint-{height}"
    path = Path(ledger)
    return path.with_name(f"{path.name.removesuffix('.sqlite')}.{name}.json")


def checkpoint_files(ledger: str | Path) -> list[Path]:
    """The checkpoint files beside a ledger file."""
    whole = checkpoint_path(ledger)
    stem = whole.name.removesuffix(".json")
    return sorted(
        each for each in whole.parent.glob("*.json") if re.fullmatch(rf"{re.escape(stem)}(-\d+)?\.json", each.name)
    )


def _bytes(text: Any, size: int, name: str) -> bytes:
    try:
        value = bytes.fromhex(text) if type(text) is str else b""
    except ValueError:
        value = b""
    if len(value) != size:
        raise CheckpointError(f"{name} is not {2 * size} hexadecimal digits")
    return value
