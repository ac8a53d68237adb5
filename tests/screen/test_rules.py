"""Rules find what they are for, leave what only looks like it, and need linear time."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.errors import FixRecipe
from luthier.screen import checks
from luthier.screen.rules.table import RULES, SECRETS
from luthier.screen.screen import Screen

SCREEN = Screen()


def kinds(text: str) -> set[str]:
    return {span.kind for span in SCREEN.find(text)}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to anna.b+x@mail.example.co.uk please", "email"),
        ("see https://clinic.org/p/17?id=3 now", "url"),
        ("from 192.168.10.7 today", "ip-address"),
        ("host 2001:db8::8a2e:370:7334 answered", "ip-address"),
        ("nic 00:1B:44:11:3A:B7", "mac-address"),
        ("his SSN is 536-90-4399", "us-ssn"),
        ("social security number: 536904399", "us-ssn"),
        ("NHS number 943 476 5919", "uk-nhs-number"),
        ("NI number AB 12 34 56 C", "uk-ni-number"),
        ("SIN 046 454 286", "ca-sin"),
        ("provider NPI 1234567893", "us-npi"),
        ("DEA AB1234563", "us-dea-number"),
        ("passport no. X1234567", "passport"),
        ("driver's license number D123-4567-8901", "drivers-licence"),
        ("VIN 1HGCM82633A004352", "vin"),
        ("license plate KX 4821", "licence-plate"),
        ("MRN: 00482913", "medical-record"),
        ("member id XYZ123456789", "member-number"),
        ("account number 4820 1193 22", "account"),
        ("born 12/31/1969", "date"),
        ("on March 3rd, 2020", "date"),
        ("am 3 March 2020", "date"),
        ("a 93-year-old man", "age"),
        ("+44 20 7946 0958", "phone"),
        ("(415) 555-0132", "phone"),
        ("call 0171 5550132", "phone"),
        ("at 221 Baker Street", "street-address"),
        ("P.O. Box 1182", "post-box"),
        ("SW1A 1AA", "uk-postcode"),
        ("fingerprint 9f86d081884c7d659a2feaa0c55ad015", "biometric"),
        ("photo of her: anna_portrait.jpg", "photo"),
        ("ask @anna_b for it", "handle"),
        ("4111 1111 1111 1111", "payment-card"),
        ("GB82 WEST 1234 5698 7654 32", "iban"),
        ("SWIFT code DEUTDEFF500", "bic"),
        ("routing number 021000021", "us-routing-number"),
        ("sort code 20-00-00", "uk-sort-code"),
        ("EIN 12-3456789", "us-ein"),
        ("VAT no DE123456789", "eu-vat-number"),
        ("0x52908400098527886E0F7030069857D2E4169EE7", "ethereum-address"),
    ],
)
def test_what_is_found(text: str, kind: str) -> None:
    assert kind in kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3 of 4.5.6.7.8",
        "the sum is 4111 1111 1111 1112",
        "000-12-3456 is not one",
        "in chapter 12, section 3.4, page 221",
        "a ratio of 3:2 at 10:30",
        "sha 9f86d081884c7d659a2feaa0c55ad015 of the file",
        "DE89 3704 0044 0532 0130 03",
        "on 45.13.1999",
        'password = "your_password_here"',
        "api_key: ${API_KEY}",
        "token = os.environ['TOKEN']",
        'secret: "the quick brown fox"',
        "postgres://user:${PASSWORD}@host/db",
    ],
)
def test_what_is_left(text: str) -> None:
    assert kinds(text) == set()


def test_a_kind_can_be_left_alone() -> None:
    assert not Screen(without=frozenset({"date"})).find("born 12/31/1969")
    with pytest.raises(FixRecipe, match="did you mean 'date'"):
        Screen(without=frozenset({"dat"}))


@given(st.text("0123456789", min_size=12, max_size=18))
def test_one_changed_digit_breaks_a_card(digits: str) -> None:
    body = "4" + digits[1:]
    whole = next(body + d for d in "0123456789" if checks.luhn(body + d))
    place = len(whole) // 2
    other = whole[:place] + str((int(whole[place]) + 1) % 10) + whole[place + 1 :]
    assert checks.luhn(whole)
    assert not checks.luhn(other)


@given(st.text(max_size=60))
def test_checks_answer_on_any_text(text: str) -> None:
    for check in (checks.luhn, checks.iban, checks.routing, checks.npi, checks.dea, checks.ssn,
                  checks.nhs, checks.sin, checks.vin, checks.calendar_date, checks.phone,
                  checks.address_of_machine, checks.random_looking):  # fmt: skip
        assert check(text) in (True, False)


def test_no_match_is_longer_than_its_rule_says() -> None:
    chance = random.Random(1)
    signs = "aZ09-_.:/@=+ \n\"'$(){}"
    text = "".join(chance.choice(signs) for _ in range(20000))
    for rule in RULES:
        assert all(len(m.group()) <= rule.longest for m in rule.pattern.finditer(text)), rule.kind


HARD = (
    "0", "0 ", "0-", "1.", "a.", "a@", "a-", "-", "A", "aA1", ":", "a:", "://a", "eyJa.", "http://",
    "password=", "key ", "-----BEGIN PRIVATE KEY-----", "\\n", "$2a$", "mar ", "4111 ", "\n", '"',
    "AKIA", "pat", "EAAA", "A%", "/api/webhooks/", "AQEa", "ya29.", "token: ", "machine a login ",
)  # fmt: skip


@pytest.mark.parametrize("unit", HARD)
def test_time_grows_as_the_text_does(unit: str) -> None:
    short, long = (unit * 60000)[:6000], (unit * 60000)[:48000]
    for rule in RULES:
        steps = [_seconds(rule, text) for text in (short, long)]
        # Eight times the text may take eight times as long, with room for noise; not sixty-four.
        assert steps[1] <= 30 * steps[0] + 0.02, (rule.kind, steps)


def _seconds(rule, text: str) -> float:  # type: ignore[no-untyped-def]
    best = 9.0
    for _ in range(2):
        began = time.process_time()
        for _ in rule.pattern.finditer(text):
            pass
        best = min(best, time.process_time() - began)
    return best


def test_there_are_about_a_hundred_kinds_of_secrets() -> None:
    names = [rule.kind for rule in SECRETS]
    assert len(set(names)) >= 100
