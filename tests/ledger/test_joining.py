"""A node joins mid-chain by application, admission and certificate; each broken condition is refused and named."""

import json

import pytest

from ledger.__main__ import main
from ledger.chain import Chain
from ledger.check_joining import decisions
from ledger.faults import LedgerFault
from ledger.identity import Role, derive_private_key
from ledger.joining import Condition, EnergyType, apply_for
from ledger.kinds import Kind
from ledger.params import Params
from ledger.records import Draft
from ledger.roster import AUTHORITY, NodeSpec
from ledger.store import Store
from ledger.verify import verify_file
from tests.ledger.conftest import AGGREGATOR, ENO, FIRST, period_drafts

NAME, CAPACITY_W = "newcomer", 8_000
KEY = derive_private_key(7, NAME)
SOLAR = EnergyType.LOAD | EnergyType.PHOTOVOLTAIC
OFFERED = SOLAR | EnergyType.STORAGE
CONDITIONS = [[int(Role.PROSUMER)], 1_000, 10_000, int(OFFERED), 15, 4]
WELL = {"subject": NAME, "bus": 14, "energy_types": SOLAR, "capacity_w": CAPACITY_W,
        "generated_wh": [0, 500, 2_000, 100], "consumed_wh": [300, 2_000, 10, 0]}  # fmt: skip


@pytest.fixture
def chain(roster, history):
    conditions = Draft(Kind.CONDITIONS, AUTHORITY, 0, CONDITIONS)
    return Chain.create(Params(gamma=20, window_periods=24), roster, history, [conditions])


def application(chain, sender=AGGREGATOR, key=KEY, **changes):
    return Draft(Kind.APPLICATION, sender, 0, apply_for(key, chain.chain_id, **(WELL | changes)))


def admissions(chain):
    return [Draft(Kind.ADMISSION, ENO, 0, body) for body in decisions(chain.state)]


def certificate(roster):
    return Draft(Kind.CERTIFICATE, AUTHORITY, 0, list(roster.members[-1].certificate.body()))


def joined(chain, capacity_w=CAPACITY_W, name=NAME):
    return chain.roster.join(7, NodeSpec(name, Role.PROSUMER, capacity_w), chain.height + 1)


def test_a_node_joins_and_weighs_by_what_is_verified(chain):
    chain.seal([application(chain), *period_drafts(chain.roster, 1)])
    chain.seal([*admissions(chain), *period_drafts(chain.roster, 2)])
    newcomer = joined(chain)
    assert newcomer.members[-1].certificate.serial == next(iter(chain.state.admissions.values())).serial
    chain.seal([certificate(newcomer), *period_drafts(chain.roster, 3)])
    chain.roster = newcomer
    me, address = len(newcomer) - 1, newcomer.members[-1].address
    assert chain.state.weights()[address] == 0
    chain.seal([Draft(Kind.READING, me, 0, [2, 1_000, 50, 0])])
    rows = [[address, 1_000, 50, 0, 0]]
    chain.seal([Draft(Kind.VERIFICATION, ENO, 0, [3, rows])])
    assert chain.state.weights()[address] == 0  # what a block holds weighs two blocks later
    chain.seal([])
    assert chain.state.weights()[address] == 1_050 * 500_000


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"role": Role.AGGREGATOR}, Condition.ROLE),
        ({"capacity_w": 999, "generated_wh": [0] * 4, "consumed_wh": [0] * 4}, Condition.CAPACITY),
        ({"capacity_w": 10_001}, Condition.CAPACITY),
        ({"energy_types": SOLAR | EnergyType.VEHICLE}, Condition.ENERGY_TYPE),
        ({"energy_types": EnergyType(0)}, Condition.ENERGY_TYPE),
        ({"bus": 15}, Condition.LOCATION),
        ({"generated_wh": [0, 1, 2]}, Condition.DATA_LENGTH),
        ({"generated_wh": [0] * 3, "consumed_wh": [0] * 3}, Condition.DATA_LENGTH),
        ({"generated_wh": [0, 2_001, 0, 0]}, Condition.GENERATION),
        ({"energy_types": EnergyType.LOAD}, Condition.GENERATION),
        ({"consumed_wh": [0, 0, 0, 2_001]}, Condition.CONSUMPTION),
    ],
)  # fmt: skip
def test_each_broken_condition_is_refused_and_named(chain, changes, broken):
    chain.seal([application(chain, **changes)])
    (application_id,) = chain.state.applications
    with pytest.raises(LedgerFault, match=f"JOINING: the decision is not the one due: newcomer breaks {broken.name}"):
        chain.seal([Draft(Kind.ADMISSION, ENO, 0, [application_id, 9, 0])])
    chain.seal(admissions(chain))
    assert chain.state.admissions[application_id].broken is broken
    assert chain.state.admissions[application_id].serial == 0
    with pytest.raises(LedgerFault, match="JOINING: newcomer was not admitted"):
        chain.seal([certificate(joined(chain))])
    chain.seal([application(chain)])  # corrected, it may apply again
    chain.seal(admissions(chain))
    assert [each.broken for each in chain.state.admissions.values()] == [broken, Condition.NONE]


def test_an_application_is_its_applicants(chain, roster):
    taken = roster.members[FIRST]
    other = derive_private_key(7, "other")
    stolen = list(application(chain).body)
    stolen[5] += 1
    foreign = apply_for(KEY, bytes(16), **WELL)
    for body, reason in (
        (stolen, "the applicant did not sign"),
        (foreign, "the applicant did not sign"),
        (application(chain, key=taken.private_key).body, "the key of newcomer is in use"),
        (application(chain, subject="prosumer 3").body, "the name 'prosumer 3' is taken"),
        (application(chain, subject="").body, "the name '' is taken"),
    ):
        with pytest.raises(LedgerFault, match=f"JOINING: {reason}"):
            chain.seal([Draft(Kind.APPLICATION, AGGREGATOR, 0, body)])
    chain.seal([application(chain)])
    with pytest.raises(LedgerFault, match="the name 'newcomer' is taken"):
        chain.seal([application(chain, key=other)])
    with pytest.raises(LedgerFault, match="second name applies a second time"):
        chain.seal([application(chain, subject="second name")])
    with pytest.raises(LedgerFault, match="ROLE"):
        chain.seal([admissions(chain)[0]._replace(sender=AGGREGATOR)])


def test_a_decision_is_made_once_and_its_certificate_says_the_same(chain):
    chain.seal([application(chain)])
    decided = admissions(chain)
    with pytest.raises(LedgerFault, match="is open"):
        chain.seal([decided[0], decided[0]])
    with pytest.raises(LedgerFault, match="id 10 where 9 is due"):
        chain.seal([Draft(Kind.ADMISSION, ENO, 0, [decided[0].body[0], 10, 0])])
    with pytest.raises(LedgerFault, match="newcomer was not admitted"):
        chain.seal([*decided, certificate(joined(chain))])  # not in the block of its own admission
    chain.seal(decided)
    with pytest.raises(LedgerFault, match="is open"):
        chain.seal(decided)
    with pytest.raises(LedgerFault, match="not what was admitted"):
        chain.seal([certificate(joined(chain, CAPACITY_W + 1))])
    with pytest.raises(LedgerFault, match="prosumer 9 was not admitted"):
        chain.seal([certificate(joined(chain, name="prosumer 9"))])
    chain.seal([certificate(joined(chain, CAPACITY_W - 1))])


def test_two_applicants_get_different_ids(chain):
    second = derive_private_key(7, "second")
    chain.seal([application(chain), application(chain, key=second, subject="second")])
    assert [body[1] for body in decisions(chain.state)] == [9, 10]
    chain.seal(admissions(chain))
    assert [each.serial for each in chain.state.admissions.values()] == [9, 10]


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (0, [], "roles"), (0, [0], "roles"), (1, 20_000, "no range"), (2, 10**11, "no range"),
        (3, 0, "energy types 0"), (3, 32, "energy types 32"), (4, 0, "a bus at least"),
    ],
)  # fmt: skip
def test_conditions_that_nobody_can_meet_are_refused(chain, place, value, reason):
    conditions = [*CONDITIONS[:place], value, *CONDITIONS[place + 1 :]]
    with pytest.raises(LedgerFault, match=f"JOINING: .*{reason}"):
        chain.seal([Draft(Kind.CONDITIONS, AUTHORITY, 0, conditions)])


def test_later_conditions_hold_for_later_decisions(chain):
    stricter = [*CONDITIONS[:2], 5_000, *CONDITIONS[3:]]
    chain.seal([application(chain), Draft(Kind.CONDITIONS, AUTHORITY, 0, stricter)])
    assert decisions(chain.state)[0][2] == Condition.CAPACITY


def test_a_chain_without_conditions_takes_no_applications(make_chain):
    chain = make_chain()
    with pytest.raises(LedgerFault, match="no conditions for joining"):
        chain.seal([application(chain)])


def test_the_file_shows_and_verifies_it(roster, history, tmp_path, capsys):
    path = tmp_path / "joining.sqlite"
    conditions = Draft(Kind.CONDITIONS, AUTHORITY, 0, CONDITIONS)
    with Store.create(path) as store:
        chain = Chain.create(Params(gamma=20, window_periods=24), roster, history, [conditions], store=store)
        chain.seal([application(chain), application(chain, key=derive_private_key(7, "far"), subject="far", bus=99)])
        chain.seal(admissions(chain))
        chain.seal([certificate(joined(chain)), application(chain, key=derive_private_key(7, "x"), subject="late")])
    assert verify_file(path, closed=False).sound
    assert main(["show", str(path), "--joining", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["conditions"]["most_capacity_w"] == 10_000
    outcomes = [(row["subject"], row["decision"], row["id"], row["certified_in"]) for row in shown["applications"]]
    assert outcomes == [
        ("newcomer", "accepted", 9, 3), ("far", "refused: LOCATION", None, None), ("late", "open", None, None)
    ]  # fmt: skip
    assert main(["view", str(path), "--as", "prosumer 0", "--block", "1"]) == 0
    assert "APPLICATION" not in capsys.readouterr().out  # generation data are not everybody's to read
