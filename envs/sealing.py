"""Who seals a block, and what becomes of those who cheat in it.

Producers are drawn until an honest block stands. What a cheat signs is really made, shown to the validators and refused
by their check; what they hold of it goes into the block that is sealed, or the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from envs.types import Ints
from ledger.blocks import Block
from ledger.chain import Chain
from ledger.change import Refusal
from ledger.consensus import Draw
from ledger.encoding import Body
from ledger.faults import Fault, FaultCode
from ledger.kinds import Kind
from ledger.records import Draft
from ledger.turns import Conduct


@dataclass
class Watch:
    """What the validators of one world hold from one height to the next."""

    conduct: Ints  # (N,) what each site makes of its turns
    unawaited: dict[str, list[Refusal]] = field(default_factory=dict)  # by business: who signed before its turn
    evidence: list[Draft] = field(default_factory=list)  # of equivocation, for the next height
    accused: set[bytes] = field(default_factory=set)  # addresses; once is enough

    def of(self, site: int) -> Conduct:
        """What a node makes of its turns; aggregators and the operator are honest."""
        return Conduct(int(self.conduct[site])) if site < len(self.conduct) else Conduct.HONEST

    def bring(self) -> list[Draft]:
        """The evidence to be brought with this height, once."""
        found, self.evidence = self.evidence, []
        return found


def seal_one(watch: Watch, chain: Chain, drafts: list[Draft]) -> tuple[int, list[int]]:
    """Draw producers until one seals an honest block of the chain that is due; (its site, the sites refused).

    ``drafts`` are also what every validator executes from the same forecasts, orders and readings; in a simulation that
    is computed once, and all validators witness the same.
    """
    business, refused, accusations = chain.due.name, list[int](), list[Body]()
    witnessed = watch.unawaited.pop(business, [])
    while True:
        draw = chain.draw(witnessed)
        site = chain.roster.index_of[draw.producer]
        conduct = watch.of(site)
        if conduct in (Conduct.HONEST, Conduct.JUMPS):
            break
        own = chain.draft(drafts, draw, witnessed)
        if conduct is Conduct.EQUIVOCATES:
            turn, body = _double(chain, own, drafts, witnessed)
            if draw.producer not in watch.accused:
                watch.accused.add(draw.producer)
                accusations.append(body)
        else:
            turn = _false(chain, own, drafts, witnessed, conduct)
        witnessed = [*witnessed, turn]
        refused.append(site)
    impatient = _unawaited(watch, chain, drafts, draw, witnessed)
    chain.seal(drafts, draw, witnessed, executed=drafts)
    watch.evidence += [Draft(Kind.EQUIVOCATION, site, 0, body) for body in accusations]
    watch.unawaited[business] = impatient
    return site, refused + [chain.roster.index_of[turn.producer] for turn in impatient]


def seal_last(watch: Watch, chain: Chain, drafts: list[Draft]) -> None:
    """A block of every chain by whoever is drawn. Nobody cheats in it: no later period could punish it."""
    drafts = [*watch.bring(), *drafts]
    for _ in chain.state.chains:
        chain.seal(drafts, None, watch.unawaited.pop(chain.due.name, []), executed=drafts)


def _false(chain: Chain, own: Block, drafts: list[Draft], witnessed: list[Refusal], conduct: Conduct) -> Refusal:
    """A block with something false in it. With the operator's help its sender signs that: only the contracts contradict
    it.
    """
    if conduct is Conduct.MISSTATES:
        block = chain.misstate(own)
        return chain.refuse(block, _found(chain.check_candidate(block, None, drafts, witnessed)))
    block = chain.forge(own)
    return chain.refuse(block, _found(chain.check_candidate(block, own, drafts, witnessed)))


def _double(chain: Chain, own: Block, drafts: list[Draft], witnessed: list[Refusal]) -> tuple[Refusal, Body]:
    """Two blocks of one turn, each shown to some validators, who compare headers: the refusal holds that with the lower
    hash of those that are sound but for the other, the evidence for the EQUIVOCATION record both.
    """
    shown = sorted(chain.equivocate(own), key=lambda block: block.hash)
    faults = [_found(chain.check_candidate(block, None, drafts, witnessed, shown)) for block in shown]
    first = next(n for n, fault in enumerate(faults) if fault.code is FaultCode.EQUIVOCATION)
    return chain.refuse(shown[first], faults[first]), chain.accuse(*shown)


def _unawaited(
    watch: Watch, chain: Chain, drafts: list[Draft], draw: Draw, witnessed: list[Refusal]
) -> list[Refusal]:  # fmt: skip
    """The block of the next in line, if it claims that the producer that is due, and is there, did not turn up."""
    if Conduct.JUMPS not in watch.conduct:
        return []
    block = chain.jump(drafts, draw, witnessed)
    if block is None or watch.of(chain.roster.index_of[block.header.producer]) is not Conduct.JUMPS:
        return []
    return [chain.refuse(block, _found(chain.check_candidate(block, None, drafts, witnessed)))]


def _found(fault: Fault | None) -> Fault:
    if fault is None:
        raise AssertionError("a dishonest block passed the check")
    return fault
