"""Personal data that can be told by form: the classes of 45 CFR 164.514(b)(2)(i) with numbers.

Names and addresses without a form are left to the learned tagger (class A and most of B).
"""

from __future__ import annotations

import re

from luthier.screen import checks
from luthier.screen.rule import Rule, words

_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    "sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_STREET = (
    "street|st|avenue|ave|road|rd|boulevard|blvd|drive|dr|lane|ln|court|ct|place|pl|square|sq|"
    "terrace|way|parkway|pkwy|circle|cir|highway|hwy|crescent|close|row|alley"
)


def _p(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


RULES: tuple[Rule, ...] = (
    Rule(
        "email", "personal",
        _p(r"(?<![\w.+-])[\w.+%'-]{1,64}@(?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,24}(?![\w-])"),
        420, hint=("@",),
    ),
    Rule(
        "url", "personal",
        _p(r"(?<![a-z0-9])(?:https?://|ftp://|www\.)[^\s<>\"'`\])}]{3,400}"),
        420, hint=("://", "www."),
    ),
    Rule(
        "ip-address", "personal", re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]?\d)"), 16,
        checks.address_of_machine,
    ),
    Rule(
        "ip-address", "personal",
        _p(r"(?<![\w:.])(?=[0-9a-f:.]{0,4}:)[0-9a-f:]{3,39}(?:%[a-z0-9]{1,12})?(?![\w:])"), 52,
        lambda t: t.count(":") >= 2 and len(t) > 4 and checks.address_of_machine(t), hint=(":",),
    ),
    Rule(
        "mac-address", "personal",
        _p(r"(?<![0-9a-f:-])[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}(?![0-9a-f:-])"),
        17,
    ),
    Rule("imei", "personal", re.compile(r"(?<!\d)\d{2}[ -]?\d{6}[ -]?\d{6}[ -]?\d(?!\d)"), 18,
         checks.luhn, words("imei", "device id", "device")),
    Rule("us-ssn", "personal", re.compile(r"(?<![\d-])\d{3}([- ])\d{2}\1\d{4}(?![\d-])"), 11,
         checks.ssn),
    Rule("us-ssn", "personal", re.compile(r"(?<!\d)\d{9}(?!\d)"), 9, checks.ssn,
         words("ssn", "social security", "social security number", "itin", "tax ?id")),
    Rule("uk-nhs-number", "personal", re.compile(r"(?<!\d)\d{3}[ -]?\d{3}[ -]?\d{4}(?!\d)"), 12,
         checks.nhs, words("nhs", "patient", "health")),
    Rule("uk-ni-number", "personal",
         re.compile(r"(?<!\w)(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?"
                    r"(?:\d{2} ?){3}[A-D](?!\w)"), 13),
    Rule("ca-sin", "personal", re.compile(r"(?<!\d)\d{3}[ -]\d{3}[ -]\d{3}(?!\d)"), 11, checks.sin,
         words("sin", "social insurance", "insurance number")),
    Rule("us-npi", "personal", re.compile(r"(?<!\d)[12]\d{9}(?!\d)"), 10, checks.npi,
         words("npi", "provider", "provider id")),
    Rule("us-dea-number", "personal", re.compile(r"(?<!\w)[A-HJ-MPRSTUX][A-Z9]\d{7}(?!\w)"), 9,
         checks.dea),
    Rule("us-medicare-id", "personal",
         re.compile(r"(?<!\w)[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y]"
                    r"[AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y]{2}\d{2}(?!\w)"), 13),
    Rule("passport", "personal", _p(r"(?<!\w)[a-z]{0,2}\d{6,9}(?!\w)"), 11, None,
         words("passport", "passport (?:no|number|#)", "travel document")),
    Rule("drivers-licence", "personal", _p(r"(?<!\w)[a-z]{0,2}[- ]?\d(?:[- ]?[0-9a-z]){4,16}(?!\w)"),
         40, lambda t: sum(c.isdigit() for c in t) >= 4,
         words(r"driver.{0,2} ?licen[cs]e(?: ?(?:no|number|#))?", r"driving licen[cs]e", "dl#?")),
    Rule("vin", "personal", _p(r"(?<!\w)[a-hj-npr-z0-9]{17}(?!\w)"), 17, checks.vin),
    Rule("licence-plate", "personal", _p(r"(?<!\w)(?=[a-z0-9 -]{0,9}\d)[a-z0-9]{1,4}[ -]?[a-z0-9]{2,5}(?!\w)"),
         10, None, words("plate", "licen[cs]e plate", "registration number", "number plate")),
    Rule("medical-record", "personal", _p(r"(?<!\w)(?:[a-z]{1,4}-?)?\d(?:-?\d){4,11}(?!\w)"), 28, None,
         words("mrn", "medical record", r"medical record (?:no|number|#)", "patient id",
               "patient (?:no|number)", "chart", "hospital number", "accession")),
    Rule("member-number", "personal", _p(r"(?<!\w)(?=[a-z-]{0,6}\d)[a-z0-9](?:-?[a-z0-9]){5,16}(?!\w)"), 36,
         lambda t: sum(c.isdigit() for c in t) >= 4,
         words("member", "member id", "policy", "policy (?:no|number)", "beneficiary",
               "subscriber", "insurance id", "health plan", "group number")),
    Rule("account", "personal", _p(r"(?<!\w)(?:[a-z]{1,3}-?)?\d(?:[ -]?\d){5,17}(?!\w)"), 42, None,
         words("account", "acct", r"a/c", "account (?:no|number|#)", "customer (?:no|number|id)",
               "reference number", "case number", "certificate")),
    Rule("date", "personal",
         re.compile(r"(?<![\d./-])\d{1,4}([./-])\d{1,2}\1\d{2,4}(?![\d/-]|\.\d)"), 12,
         checks.calendar_date, score=0.9),
    Rule("date", "personal",
         _p(rf"(?<!\w){_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?(?!\w)"), 26, score=0.8,
         hint=("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    Rule("date", "personal",
         _p(rf"(?<![\w.])\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH}\.?(?:,? \d{{4}})?(?!\w)"), 30,
         score=0.8,
         hint=("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    Rule("age", "personal", _p(r"(?<!\w)(?P<value>\d{2,3})[ -]{0,2}(?:years?|yrs?|y)[ -]?(?:old|o)(?!\w)"),
         20, lambda t: 12 <= int(t) <= 125, score=0.8, hint=("y",)),
    Rule("phone", "personal",
         re.compile(r"(?<![\w+])(?<!\d[ -])(?:\+|00)[1-9]\d{0,2}(?:[ ()./-]{0,2}\d){6,13}(?:\s?(?:x|ext\.?)\s?\d{1,5})?(?!\w)"),
         60, checks.phone),
    Rule("phone", "personal",
         re.compile(r"(?<![\w.+-])(?:1[ .-]?)?(?:\(\d{3}\)[ .-]?|\d{3}[ .-])\d{3}[ .-]\d{4}"
                    r"(?:\s?(?:x|ext\.?)\s?\d{1,5})?(?![\w-])"), 34, checks.phone),
    Rule("phone", "personal", re.compile(r"(?<![\w.-])\(?\d{2,5}\)?(?:[ ./-]?\d){5,10}(?:x\d{1,5})?(?!\w)"), 34,
         checks.phone,
         words("phone", "phone (?:no|number)", "tel", "telephone", "mobile", "cell", "fax", "call",
               "call me(?: at| back at| on)?", "whatsapp", "dial", "contact", "reach(?: me)?(?: at)?",
               "ph", "number is", "sms", "text me")),
    Rule("street-address", "personal",
         re.compile(rf"(?<![\w-])\d{{1,6}}[a-zA-Z]? (?:[NSEW]\.? )?(?:[A-Z][\w'.-]{{1,20}} ){{1,4}}"
                    rf"(?i:{_STREET})(?!\w)\.?(?:,? (?i:apt|apartment|suite|ste|unit|flat|floor)\.? ?#?\w{{1,6}})?"),
         130, score=0.9),
    Rule("post-box", "personal", _p(r"(?<!\w)p\.? ?o\.? ?box \d{1,7}(?!\w)"), 18, hint=("box",)),
    Rule("uk-postcode", "personal",
         re.compile(r"(?<!\w)[A-PR-UWYZ][A-HK-Y]?\d[\dA-HJKMNP-Y]? \d[ABD-HJLNP-UW-Z]{2}(?!\w)"), 8),
    Rule("zip-code", "personal", re.compile(r"(?<=[A-Z]{2} )\d{5}(?:-\d{4})?(?![\w-])"), 10, score=0.8),
    Rule("zip-code", "personal", _p(r"(?<![\w-])(?=[a-z0-9 -]{0,4}\d)[a-z0-9]{2,5}(?:[ -][a-z0-9]{2,4})?(?![\w-])"), 10,
         lambda t: sum(c.isdigit() for c in t) >= 2, words(r"zip(?: ?code)?(?: is)?\W{0,3}$",
         r"post(?:al)? ?code(?: is)?\W{0,3}$")),
    Rule("biometric", "personal", _p(r"(?<!\w)[0-9a-f]{32,128}(?!\w)"), 128, None,
         words("fingerprint", "biometric", "iris", "face ?id", "voice ?print", "retina")),
    Rule("photo", "personal", _p(r"(?<![\w/])[\w-]{1,60}\.(?:jpe?g|png|heic|dicom|dcm)(?!\w)"), 70, None,
         words("photo", "face", "portrait", "picture of", "image of", "selfie", "scan of")),
    Rule("handle", "personal", _p(r"(?<![^\s(,;:\"'\[])@[a-z_][a-z0-9_]{2,29}(?![\w@]|\.\w)"), 31,
         None, score=0.7, hint=("@",)),
)  # fmt: skip
