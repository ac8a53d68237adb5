"""Check digits and ranges of published identifiers: whether a number can be what it looks like."""

from __future__ import annotations

import datetime
import ipaddress
import math
import re
from collections import Counter

_DIGITS = re.compile(r"[^0-9]")
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28,
    "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
    "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20,
    "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18,
    "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24,
    "SC": 31, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24,
    "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip


def digits_of(text: str) -> str:
    """The ASCII digits of a text.

    >>> digits_of("12-3 4")
    '1234'
    """
    return _DIGITS.sub("", text)


def luhn(text: str) -> bool:
    """Whether the digits end in the check digit of ISO/IEC 7812-1, annex B.

    >>> luhn("4111 1111 1111 1111"), luhn("4111 1111 1111 1112")
    (True, False)
    """
    total = 0
    for index, digit in enumerate(reversed(digits_of(text))):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def card(text: str) -> bool:
    """A payment card: 12 to 19 digits, an issuer's first digit, Luhn, not one digit repeated."""
    digits = digits_of(text)
    return 12 <= len(digits) <= 19 and digits[0] in "23456" and len(set(digits)) > 1 and luhn(text)


def iban(text: str) -> bool:
    """A bank account by ISO 13616: the length of its country, and 97 leaves 1.

    >>> iban("DE89 3704 0044 0532 0130 00"), iban("DE89 3704 0044 0532 0130 01")
    (True, False)
    """
    plain = text.replace(" ", "").replace("-", "").upper()
    if _IBAN_LENGTHS.get(plain[:2]) != len(plain) or not plain.isascii():
        return False
    moved = plain[4:] + plain[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def routing(text: str) -> bool:
    """An American bank's routing number: weights 3, 7, 1 and a known first pair.

    >>> routing("021000021"), routing("123456789")
    (True, False)
    """
    d = [int(c) for c in digits_of(text)]
    if len(d) != 9:
        return False
    first = d[0] * 10 + d[1]
    known = first <= 12 or 21 <= first <= 32 or 61 <= first <= 72 or first == 80
    return known and any(d) and sum(v * w for v, w in zip(d, (3, 7, 1) * 3, strict=True)) % 10 == 0


def npi(text: str) -> bool:
    """A provider's number in American health care: Luhn with 80840 before it.

    >>> npi("1234567893"), npi("1234567890")
    (True, False)
    """
    digits = digits_of(text)
    return len(digits) == 10 and digits[0] in "12" and luhn("80840" + digits)


def dea(text: str) -> bool:
    """A number of the American drug agency: two letters, seven digits, the last a check digit.

    >>> dea("AB1234563"), dea("AB1234567")
    (True, False)
    """
    d = [int(c) for c in digits_of(text)]
    if len(d) < 7:
        return False
    d = d[-7:]
    return (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6]


def ssn(text: str) -> bool:
    """An American social security number that may have been issued, or a tax number (9xx).

    >>> ssn("536-90-4399"), ssn("000-12-3456"), ssn("666-12-3456")
    (True, False, False)
    """
    d = digits_of(text)
    return len(d) == 9 and d[:3] not in ("000", "666") and d[3:5] != "00" and d[5:] != "0000"


def nhs(text: str) -> bool:
    """A number of the British health service: modulus 11.

    >>> nhs("943 476 5919"), nhs("943 476 5918")
    (True, False)
    """
    d = [int(c) for c in digits_of(text)]
    if len(d) != 10 or len(set(d)) == 1:
        return False
    rest = 11 - sum(v * w for v, w in zip(d, range(10, 1, -1), strict=False)) % 11
    return rest != 10 and rest % 11 == d[9]


def sin(text: str) -> bool:
    """A Canadian social insurance number.

    >>> sin("046 454 286"), sin("046 454 287")
    (True, False)
    """
    digits = digits_of(text)
    return len(digits) == 9 and len(set(digits)) > 1 and luhn(digits)


_VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", map(int, "12345678123457923456789"), strict=True))
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def vin(text: str) -> bool:
    """A vehicle's number by 49 CFR 565.15: the ninth character checks the others.

    >>> vin("1HGCM82633A004352"), vin("1HGCM82633A004353")
    (True, False)
    """
    upper = text.upper() if text.isascii() else ""
    values = [int(c) if c.isdigit() else _VIN_VALUES.get(c, -99) for c in upper]
    if min(values, default=-1) < 0 or len(upper) != 17 or upper.isdigit() or upper.isalpha():
        return False
    rest = sum(v * w for v, w in zip(values, _VIN_WEIGHTS, strict=True)) % 11
    return upper[8] == ("X" if rest == 10 else str(rest))


def calendar_date(text: str) -> bool:
    """A calendar date in numbers, in any of the three usual orders.

    >>> calendar_date("31.12.1999"), calendar_date("45.13.1999")
    (True, False)
    """
    parts = [int(p) for p in re.split(r"[^0-9]+", text.strip()) if p][:3]
    if len(parts) != 3:
        return False
    a, b, c = parts
    orders = [(a, b, c)] if a > 31 else [(c, a, b), (c, b, a)]
    return any(_is_date(y + (1900 if y < 100 else 0), m, d) for y, m, d in orders)


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        return 1800 <= datetime.date(year, month, day).year <= 2199
    except ValueError:
        return False


def address_of_machine(text: str) -> bool:
    """An IP address of version 4 or 6.

    >>> address_of_machine("10.0.0.1"), address_of_machine("10.0.0.256")
    (True, False)
    """
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def phone(text: str) -> bool:
    """7 to 15 digits, as many as ITU-T E.164 allows, that are no date and not one repeated."""
    digits = digits_of(text)
    return 7 <= len(digits) <= 15 and len(set(digits)) > 1 and not calendar_date(text)


def entropy(text: str) -> float:
    """Shannon entropy of the characters in bits per character.

    >>> entropy("abab")
    1.0
    """
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values()) if text else 0.0


_EXAMPLE = re.compile(
    r"(?i)example|sample|placeholder|changeme|change_me|your[_-]|redacted|dummy|xxxx|\*\*\*\*|"
    r"\$\{|\{\{|<[a-z_ -]+>|123456789|todo|insert|none$|null$|test[_-]?(?:key|token)|notreal|"
    r"process\.env|os\.environ|getenv|abcdefgh"
)


def stand_in(text: str) -> bool:
    """Whether a value is written in place of a secret, such as `your_password` or `${TOKEN}`.

    >>> stand_in("${DB_PASSWORD}"), stand_in("hunter2")
    (True, False)
    """
    return bool(_EXAMPLE.search(text))


def random_looking(text: str) -> bool:
    """Whether a value looks drawn and not written: no stand-in, mixed characters, high entropy.

    >>> random_looking("k9Jd72nQp0sLx4Vb"), random_looking("your_password_here")
    (True, False)
    """
    if stand_in(text):
        return False
    kinds = sum(bool(re.search(p, text)) for p in ("[a-z]", "[A-Z]", "[0-9]", "[^a-zA-Z0-9]"))
    need = 2.8 if len(text) < 16 else 3.2 if len(text) < 32 else 3.0
    return kinds >= 2 and bool(re.search("[0-9]", text)) and entropy(text) >= need


def drawn(text: str) -> bool:
    """Whether the body of a token with a known beginning is no stand-in."""
    return not stand_in(text) and len(set(text)) >= 8
