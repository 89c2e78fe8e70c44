"""Checkpoints: the authority's signature for one block of a chain.

A checkpoint is what somebody who was away needs: it fixes the chain up to its height, so neither a chain rebuilt
with old keys nor one whose tail was cut can pass for the chain that the authority saw. It lives outside the chain.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from coincurve import PrivateKey

from .encoding import encode
from .identity import sign, verify

FORMAT = "gridpact/checkpoint/1"
_TAG = b"gridpact checkpoint"
_SIZES = {"chain_id": 16, "block_hash": 32, "signature": 64}


class CheckpointError(ValueError):
    """Bytes that hold no checkpoint, or one that the authority did not sign."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Block `height` of chain `chain_id` (16 bytes) has the hash `block_hash` (32 bytes); signed, 64 bytes."""

    chain_id: bytes
    height: int
    block_hash: bytes
    signature: bytes

    @classmethod
    def issue(cls, authority: PrivateKey, chain_id: bytes, height: int, block_hash: bytes) -> Checkpoint:
        """A checkpoint with the authority's signature."""
        return cls(chain_id, height, block_hash, sign(authority, _digest(chain_id, height, block_hash)))

    def is_signed_by(self, authority_key: bytes) -> bool:
        """Whether the authority with this public key (33 bytes) signed it."""
        return verify(authority_key, self.signature, _digest(self.chain_id, self.height, self.block_hash))

    def view(self) -> dict[str, Any]:
        """JSON-ready values; `from_view` takes them back."""
        texts = {name: getattr(self, name).hex() for name in _SIZES}
        return {"format": FORMAT, "height": self.height} | texts

    @classmethod
    def from_view(cls, view: Any) -> Checkpoint:
        """The checkpoint in JSON values; CheckpointError names what is wrong."""
        if type(view) is not dict or view.get("format") != FORMAT:
            raise CheckpointError(f"no checkpoint of format {FORMAT}")
        height = view.get("height")
        if type(height) is not int or height < 0:
            raise CheckpointError("height is no unsigned integer")
        values = {}
        for name, size in _SIZES.items():
            text = view.get(name)
            try:
                values[name] = bytes.fromhex(text) if type(text) is str else b""
            except ValueError:
                values[name] = b""
            if len(values[name]) != size:
                raise CheckpointError(f"{name} is not {2 * size} hexadecimal digits")
        return cls(height=height, **values)

    @classmethod
    def read(cls, path: str | Path) -> Checkpoint:
        """The checkpoint in a JSON file; CheckpointError where it holds none, OSError where it cannot be read."""
        try:
            view = json.loads(Path(path).read_bytes())
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{path} is no JSON") from error
        return cls.from_view(view)


def _digest(chain_id: bytes, height: int, block_hash: bytes) -> bytes:
    return sha256(_TAG + encode([chain_id, height, block_hash])).digest()
