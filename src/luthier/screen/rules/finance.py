"""Identifiers of accounts, cards, taxes and wallets."""

from __future__ import annotations

import re

from luthier.screen import checks
from luthier.screen.rule import Rule, words

RULES: tuple[Rule, ...] = (
    Rule("payment-card", "personal", re.compile(r"(?<![\w.-])[2-6]\d{3}(?:[ -]?\d){8,15}(?![\w-])"), 40,
         checks.card),
    Rule("payment-card", "personal", re.compile(r"(?<![\w.])\d{4}(?:[ -]?\d){7,15}(?!\w)"), 40, None,
         words("card", r"card (?:no|number|#)(?: is)?", "credit", "debit", "visa", "mastercard", "amex"),
         score=0.8),
    Rule("card-code", "personal", re.compile(r"(?<!\w)\d{3,4}(?!\w)"), 4, None,
         words(r"cvv2?(?: ?code)?\W{0,3}$", r"cvc2?\W{0,3}$", r"security code(?: is)?\W{0,3}$")),
    Rule("iban", "personal",
         re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}(?!\w)"), 64, checks.iban),
    Rule("iban", "personal",
         re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}(?!\w)", re.IGNORECASE), 64, None,
         words("iban"), score=0.8),
    Rule("bic", "personal", re.compile(r"(?<!\w)[A-Z]{6}[A-Z2-9][A-NP-Z0-9](?:[A-Z0-9]{3})?(?!\w)"), 11,
         None, words("bic", "swift", r"swift(?:/bic)?(?: code)?")),
    Rule("us-routing-number", "personal", re.compile(r"(?<!\d)\d{9}(?!\d)"), 9, checks.routing,
         words("routing", "aba", "rtn", "routing (?:no|number)", "transit")),
    Rule("uk-sort-code", "personal", re.compile(r"(?<![\d-])\d{2}-\d{2}-\d{2}(?![\d-])"), 8, None,
         words("sort code", "sort")),
    Rule("us-ein", "personal", re.compile(r"(?<![\d-])\d{2}-\d{7}(?![\d-])"), 10, None,
         words("ein", "employer id", "federal tax", "tax id", "fein")),
    Rule("eu-vat-number", "personal",
         re.compile(r"(?<!\w)(?:ATU|BE0|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GB|HR|HU|IE|IT|LT|LU|LV|MT|NL|"
                    r"PL|PT|RO|SE|SI|SK)[0-9A-Z]{7,12}(?!\w)"), 15, None,
         words("vat", "ust", "mwst", "tva", r"vat (?:no|id|number)")),
    Rule("bitcoin-address", "personal", re.compile(r"(?<!\w)(?:[13][1-9A-HJ-NP-Za-km-z]{25,34}|bc1[02-9ac-hj-np-z]{11,71})(?!\w)"),
         74, lambda t: any(c.isdigit() for c in t) and any(c.isalpha() for c in t)),
    Rule("ethereum-address", "personal", re.compile(r"(?<!\w)0x[0-9a-fA-F]{40}(?!\w)"), 42, hint=("0x",)),
    Rule("isin-holding", "personal", re.compile(r"(?<!\w)[A-Z]{2}[A-Z0-9]{9}\d(?!\w)"), 12,
         lambda t: checks.luhn("".join(str(int(c, 36)) for c in t)), words("isin", "securities", "holding")),
)  # fmt: skip
