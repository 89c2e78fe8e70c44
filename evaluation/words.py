"""Numbers and findings in words: rounding by unit, intervals, the verdict's sentences."""

from __future__ import annotations

from evaluation.measures import Value
from evaluation.statistics import Estimate
from evaluation.study import Part, Study

NONE = "–"
DIGITS = {
    "%": 1,
    "kWh": 1,
    "¤": 2,
    "¤/kWh": 3,
    "kWp": 0,
    "pu": 4,
    "pu·h": 4,
    "h": 3,
    "1": 2,
    "1 or 0": 0,
    "bytes": 0,
    "events": 1,
    "periods": 1,
    "blocks": 1,
    "records": 0,
    "readings": 1,
    "sites": 1,
    "trades": 0,
    "metrics": 0,
}


def number(value: Value, unit: str) -> str:
    """A value rounded as its unit deserves; a true minus sign; – where there is no number."""
    if value is None:
        return NONE
    digits = DIGITS.get(unit, 3)
    if digits == 1 and unit != "%" and unit != "kWh" and float(value).is_integer():
        digits = 0
    text = f"{value:,.{digits}f}".replace(",", "\u202f")
    if float(text.replace("\u202f", "")) == 0.0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def interval(estimate: Estimate, unit: str) -> str:
    """Mean ± half width of the 95 % interval; the mean alone where there is one value."""
    if estimate.mean is None:
        return NONE
    if estimate.half_width is None:
        return number(estimate.mean, unit)
    width = number(estimate.half_width, unit)
    mean = number(estimate.mean, unit)
    if "." in width and "." not in mean:
        mean += "." + "0" * len(width.split(".")[1])
    return f"{mean} ± {width}"


def signed(estimate: Estimate, unit: str) -> str:
    """A difference with its sign."""
    text = interval(estimate, unit)
    return f"+{text}" if estimate.mean is not None and estimate.mean > 0 else text


def clear(estimate: Estimate) -> bool:
    """Whether a difference's interval leaves out zero."""
    if estimate.mean is None or estimate.half_width is None:
        return False
    return abs(estimate.mean) > estimate.half_width and estimate.mean != 0.0


def label_of(metric: str) -> str:
    """A metric's name as text."""
    text = metric.replace("_", " ")
    for ending, meaning in ((" without", ", without orders"), (" with", ", as lived")):
        if text.endswith(ending):
            text = text.removesuffix(ending) + meaning
    return text[:1].upper() + text[1:]


def outside(value: float, low: float, high: float, digits: int, floor: float = 0.0) -> str:
    """A value with ``digits`` decimals, more where it is beyond a limit, by over ``floor``, and would not show it."""
    text = f"{value:.{digits}f}"
    while not low - floor <= value <= high + floor and low <= float(text) <= high and digits < 6:
        digits += 1
        text = f"{value:.{digits}f}"
    return text


def _mean(part: Part, metric: str) -> float | None:
    return part.estimate(metric).mean


def grid_sentence(part: Part) -> str:
    """What the market's orders did to the violations of the planning limits."""
    before, after = _mean(part, "violated_periods_without"), _mean(part, "violated_periods_with")
    own_before, own_after = (
        _mean(part, "violated_periods_own_limits_without"),
        _mean(part, "violated_periods_own_limits_with"),
    )
    periods = part.runs[0].book.periods
    assert before is not None
    assert after is not None
    if before == 0.0 and after == 0.0:
        return f"None of the {periods} periods violates a planning limit, with or without orders."
    if before == 0.0:
        return (
            f"Without orders no period violates a planning limit; with them {number(after, 'periods')} of {periods} do."
        )
    word = "The market removed" if after <= before else "The market added"
    text = (
        f"{word} {number(abs(before - after), 'periods')} of {number(before, 'periods')} periods in which a planning "
        f"limit was violated; {number(after, 'periods')} remain (of {periods} in a run)."
    )
    overload = number(_mean(part, "overload_without"), "h"), number(_mean(part, "overload_with"), "h")
    voltage = (
        number(_mean(part, "voltage_violation_without"), "pu·h"),
        number(_mean(part, "voltage_violation_with"), "pu·h"),
    )
    return (
        f"{text} The net's own limits were violated in {number(own_before, 'periods')} periods before and in "
        f"{number(own_after, 'periods')} after. Overload went from {overload[0]} to {overload[1]} h, voltage beyond "
        f"the planning band from {voltage[0]} to {voltage[1]} pu·h.{_outages(part)}"
    )


def _outages(part: Part) -> str:
    """A sentence about periods without an operating point; empty where there was none."""
    outages = _mean(part, "outage_periods")
    if not outages:
        return ""
    lost = number(_mean(part, "energy_not_served"), "kWh")
    return (
        f" In {number(outages, 'periods')} periods the net had no operating point: protection disconnected buses, "
        f"whose sites lost {lost} kWh; they count as violated."
    )


def delivery_sentence(part: Part) -> str:
    """Events and what was delivered of the orders."""
    events = (_mean(part, "grid_events") or 0.0) + (_mean(part, "upper_level_orders") or 0.0)
    if events == 0.0:
        return "No event was triggered and no order came from the upper level."
    completion = part.estimate("completion")
    if completion.mean is None:
        return f"{number(events, 'events')} events were triggered; nothing was ordered from a site."
    return (
        f"Of {number(_mean(part, 'ordered_energy'), 'kWh')} kWh ordered in {number(events, 'events')} events, "
        f"{interval(completion, '%')} % was delivered and verified."
    )


def money_sentence(part: Part) -> str:
    """What the market was worth to the prosumers, and what it cost the operator."""
    gain = part.estimate("prosumers_gain")
    operator = _mean(part, "operator_balance") or 0.0
    traded = number(_mean(part, "traded_share"), "%")
    word = "more" if (gain.mean or 0.0) >= 0.0 else "less"
    size = Estimate(abs(gain.mean or 0.0), gain.half_width, gain.seeds)
    return (
        f"Peers traded {traded} % of the consumption among themselves. Prosumers ended with {interval(size, '¤')} ¤ "
        f"{word} than tariffs alone would have given them for the same metered energy; the operator "
        f"{'earned' if operator >= 0 else 'paid'} {number(abs(operator), '¤')} ¤."
    )


def chain_sentence(study: Study, public: int) -> tuple[bool, str]:
    """(all is well, what verification of the stored ledgers found)."""
    facts = [run.chain for part in study.parts for run in part.runs if run.chain is not None]
    if not facts:
        return True, "No ledger was kept (ledger.mode is off)."
    faulty = [f for f in facts if not f.sound]
    differing = [f for f in facts if f.sound and f.differing]
    if faulty:
        return False, f"{len(faulty)} of {len(facts)} ledgers are not sound; the first fault: {faulty[0].fault}."
    if differing:
        return False, (
            f"All {len(facts)} ledgers are sound, but {len(differing)} do not reproduce: "
            f"{', '.join(differing[0].differing)}."
        )
    many = f"All {len(facts)} ledgers were" if len(facts) > 1 else "The ledger was"
    return True, (
        f"{many} verified from the file after the run: no fault. Each of the {public} public metrics was derived again "
        "from the ledger alone (given the scenario's limits and tariffs) and agrees to the last digit."
    )
