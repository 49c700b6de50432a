"""What it may cost to have filed late: an estimate. The rates are data beside it, each with its legal basis. Imports nothing of Odoo."""

import json
from pathlib import Path

CONFIDENCES = ("high", "medium", "low")
DAYS_OF_YEAR = 365


def shipped_penalties():
    return json.loads((Path(__file__).parent / "penalties.json").read_text(encoding="utf-8"))


def estimate_exposure(penalties, size, filings):
    """What late filings of a month may cost together, in pesos.

    size: of the taxpayer as RR 8-2024 has it (micro, small, medium, large), or None: then by the higher rates.
    filings: of each that is late its form, the amount due (None where nobody has entered it), how many days it is or was late, and whether it
    still is.
    Returns the sum with its parts; None where nothing can be said, because of no filing the amount is known. Lists without an amount cost a fine
    each. `unknown`: how many filings are not in it; `perDay`: what each further day adds.
    """
    rates = next(one for one in penalties["classes"] if (size or penalties["unknownSize"]) in one["sizes"])
    fined = [one for one in filings if one["form"] in penalties["informationReturns"]["forms"]]
    taxed = [one for one in filings if one not in fined and one["amount"] is not None]
    daily = {id(one): one["amount"] * rates["interest"] / DAYS_OF_YEAR for one in taxed}
    parts = {
        "surcharge": sum(one["amount"] * rates["surcharge"] for one in taxed),
        "interest": sum(daily[id(one)] * one["days"] for one in taxed),
        "compromise": sum(_compromise(penalties, one["amount"]) * rates["compromiseShare"] for one in taxed),
        "fines": min(len(fined) * rates["informationReturn"], rates["informationReturnsMax"]),
    }
    used = [rates, *([penalties["compromise"]] if taxed else []), *([penalties["informationReturns"]] if fined else [])]
    unknown = len(filings) - len(fined) - len(taxed)
    is_known = bool(fined or taxed or not filings)
    return {
        "amount": round(sum(parts.values()), 2) if is_known else None,
        **{name: round(value, 2) if is_known else None for name, value in parts.items()},
        "perDay": round(sum(daily[id(one)] for one in taxed if one["isOpen"]), 2) if is_known else None,
        "unknown": unknown,
        "size": size,
        "basis": [one["legalBasis"] for one in used] if filings else [],
        "confidence": max((one["confidence"] for one in used), key=CONFIDENCES.index),
    }


def _compromise(penalties, amount):
    return next(fine for until, fine in penalties["compromise"]["upTo"] if until is None or amount <= until) if amount > 0 else 0
