"""A light node (paper 004): headers of the last months, proofs from a full node, no part in the consensus.

It can't follow the whole check: it has neither records nor weights. What it trusts is the authority's checkpoint, which
names the validators: headers after it count when they link and more than two thirds of these validators voted for the
last. A header that is far ahead links by its history root: a path of log n hashes instead of all headers between. A
checkpoint is trusted for a time only, and its validators no longer than their certificates last: a long fork
signed with keys that have expired (and may have been sold since) is refused, however well it links. A later checkpoint
must be of the same history as the headers kept: what an authority signed on another fork is refused, too.

Where delegates vote, a checkpoint names those of the cycle, for the turns that are left of it: the next election needs
the next checkpoint, for headers don't say who was elected. A chain without signatures has no light nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from .blocks import Header, Vote, parse_header, vote_digest
from .checkpoint import Checkpoint
from .encoding import Body, EncodingError
from .history import check_history
from .identity import address_of, verify
from .kinds import Kind, validate_body
from .params import Signing, chain_id_of, params_of
from .proof_parts import ProofError, get, to_header
from .proofs import Proven, check_proof
from .records import Record
from .view import check_seen

DAY_S = 86_400
MAX_DRIFT_S = 900  # a header or a checkpoint may be ahead of the node's own clock by a period


class LightFault(ValueError):
    """What a full node offered is not the chain that the checkpoint vouches for."""


class LightNode:
    """Headers from a checkpoint on; times in seconds on the chain's own clock.

    genesis: the body of the GENESIS record, which the chain id names. trusting_period_s: how long after its block a
    checkpoint's validators are believed. keep_blocks: how many heights' headers and own records are kept (paper 004's
    last months).
    """

    def __init__(
        self, genesis: Body, checkpoint: Checkpoint, now_s: int,
        trusting_period_s: int = 30 * DAY_S, keep_blocks: int = 90 * 96,
    ) -> None:  # fmt: skip
        validate_body(Kind.GENESIS, genesis)
        if keep_blocks < 1 or trusting_period_s < 1:
            raise ValueError("keep_blocks and trusting_period_s are at least 1")
        self.params = params_of(genesis)
        self.chain_id = chain_id_of(genesis)
        self._first_s: int = genesis[1]
        self._authority_key: bytes = genesis[2]
        self.trusting_period_s, self.keep_blocks = trusting_period_s, keep_blocks
        self._hashes: dict[int, bytes] = {}  # height -> hash of the headers kept, rising
        self._records: dict[int, dict[bytes, Record]] = {}  # what was read of these heights, by id
        self.checkpoint = checkpoint
        self.trust(checkpoint, now_s)

    @property
    def height(self) -> int:
        """Height of the newest header."""
        return next(reversed(self._hashes))

    @property
    def head(self) -> bytes:
        """Hash of the newest header."""
        return self._hashes[self.height]

    @property
    def trusted_until_s(self) -> int:
        """Up to when the checkpoint's validators are believed."""
        return self._time_s(self.checkpoint.height) + self.trusting_period_s

    def _time_s(self, height: int) -> int:
        return self._first_s + self.params.period_s * height

    def trust(self, checkpoint: Checkpoint, now_s: int, history: Any = None) -> None:
        """Take a checkpoint; LightFault where it is foreign, unsigned, too old, ahead of the time, or against a header
        kept.

        history: where the checkpoint's header isn't kept, the proof (`history.prove_history`) that the later of it and
        the newest header continues the other one.
        """
        if self.params.signing_mode is Signing.NONE:
            raise LightFault("a chain without signatures has no votes to count")
        if checkpoint.chain_id != self.chain_id or not checkpoint.is_signed_by(self._authority_key):
            raise LightFault("the checkpoint is of another chain or not signed by its authority")
        if not checkpoint.committee:
            raise LightFault("the checkpoint names no validators")
        self._require_fresh(checkpoint, now_s)
        if self._hashes and checkpoint.height < self.checkpoint.height:
            raise LightFault(f"the checkpoint is older than the one of block {self.checkpoint.height}")
        if self._hashes:
            self._require_same_history(checkpoint, history)
        if not self._hashes or checkpoint.height > self.height:
            self._hashes[checkpoint.height] = checkpoint.block_hash
        self.checkpoint = checkpoint
        self._keys = {address_of(key): key for key in checkpoint.committee}

    def _require_same_history(self, checkpoint: Checkpoint, history: Any) -> None:
        held = self._hashes.get(checkpoint.height)
        if held is not None and held != checkpoint.block_hash:
            raise LightFault(f"block {checkpoint.height} is not the checkpoint's: one of the two is a fork")
        if held is None:
            known, stated = (self.height, self.head), (checkpoint.height, checkpoint.block_hash)
            (_, old), (_, new) = sorted((known, stated))
            try:
                between = check_history(history, old, new)
            except ProofError as error:
                raise LightFault(f"block {checkpoint.height} is not shown to be of this history: {error}") from error
            heights = sorted((self.height, checkpoint.height))
            for height, header in zip(heights, between, strict=True):
                self._require_height(height, header)

    def _require_height(self, height: int, header: Header) -> None:
        if (header.height, header.chain_id) != (height, self.chain_id):
            raise LightFault(f"the checkpoint states height {height} of a block that has another one or is not main")

    def require_stated(self, header: Header) -> None:
        """LightFault where the newest block, whose header this is, has another height than its checkpoint states."""
        self._require_height(self.height, header)

    def _require_fresh(self, checkpoint: Checkpoint, now_s: int) -> None:
        age_s = now_s - self._time_s(checkpoint.height)
        if -age_s > MAX_DRIFT_S:
            raise LightFault(f"the checkpoint is {-age_s} s ahead of the time; at most {MAX_DRIFT_S} s are allowed")
        if age_s > self.trusting_period_s:
            raise LightFault(f"the checkpoint is {age_s} s old; trusted for {self.trusting_period_s} s")

    def extend(self, raws: Sequence[bytes], votes: Sequence[Vote], now_s: int) -> None:
        """Take the headers after the newest, with the votes for the last; LightFault where they don't count."""
        self._require_fresh(self.checkpoint, now_s)
        if not raws:
            raise LightFault("no header to take")
        taken: dict[int, bytes] = {}
        height, previous = self.height, self.head
        for raw in raws:
            header = self._parse(raw)
            height += 1
            if (header.height, header.previous, header.chain_id) != (height, previous, self.chain_id):
                raise LightFault(f"header {header.height} does not follow block {height - 1}")
            self._require_due(header, now_s)
            taken[height] = previous = sha256(raw).digest()
        self._count(height, previous, votes)
        self._take(taken)

    def skip(self, history: Any, head: bytes, votes: Sequence[Vote], now_s: int) -> None:
        """Take the header with the hash `head` without those between, with the votes for it; LightFault where it
        doesn't count, or the proof (`history.prove_history`) doesn't show that it continues the newest one.
        """
        self._require_fresh(self.checkpoint, now_s)
        try:
            old, header = check_history(history, self.head, head)
        except ProofError as error:
            raise LightFault(f"the header is not shown to continue block {self.height}: {error}") from error
        self.require_stated(old)
        if header.height <= self.height:
            raise LightFault("no header to take")
        self._require_due(header, now_s)
        self._count(header.height, head, votes)
        self._take({header.height: head})

    def _require_due(self, header: Header, now_s: int) -> None:
        if header.time_s != self._time_s(header.height) or header.time_s > now_s + MAX_DRIFT_S:
            raise LightFault(f"header {header.height} states a time that is not due")

    def _take(self, taken: dict[int, bytes]) -> None:
        self._hashes |= taken
        oldest = self.height - self.keep_blocks + 1
        for kept in (self._hashes, self._records):
            for old in [height for height in kept if height < oldest]:
                del kept[old]

    def _parse(self, raw: bytes) -> Header:
        try:
            return parse_header(raw)
        except EncodingError as error:
            raise LightFault(f"no header: {error}") from error

    def _count(self, height: int, block_hash: bytes, votes: Sequence[Vote]) -> None:
        if height > self.checkpoint.valid_to:
            last = self.checkpoint.valid_to
            raise LightFault(f"block {height}: the validators' certificates ended at {last}, or their cycle")
        digest = vote_digest(block_hash)
        voters = {
            vote.validator
            for vote in votes
            if vote.validator in self._keys and verify(self._keys[vote.validator], vote.signature, digest)
        }
        if 3 * len(voters) <= 2 * len(self._keys):
            raise LightFault(f"block {height}: {len(voters)} votes of {len(self._keys)} validators do not suffice")

    def check(self, proof: Any) -> Proven:
        """What a proof shows under the headers kept; ProofError where it meets none of them or fails."""
        return check_proof(proof, self._known_in(proof))

    def read(self, part: Any) -> list[Record]:
        """What a full node's answer (one of the `blocks` of a view) shows in clear; kept as long as headers are.

        ProofError where it meets none of the headers kept or fails.
        """
        seen = check_seen(part, self._known_in(get(part, "place", dict)))
        height = seen.place.block.height
        if height > self.height - self.keep_blocks:
            self._records.setdefault(height, {}).update({record.id: record for record in seen.records.values()})
        return list(seen.records.values())

    @property
    def records(self) -> list[Record]:
        """The records that were read of the last `keep_blocks` heights, by height."""
        return [record for height in sorted(self._records) for record in self._records[height].values()]

    def _known_in(self, proof: Any) -> bytes:
        """The hash of a header kept that the proof leads to."""
        known = set(self._hashes.values())
        for name in ("head", "main"):
            digest = to_header(get(proof, name, str), name).digest
            if digest in known:
                return digest
        raise ProofError("the proof meets no header that this node keeps")
