"""Invented names, addresses and numbers in many countries' forms, drawn with Faker (MIT)."""

from __future__ import annotations

import random
from collections.abc import Callable

from faker import Faker

LOCALES = [
    "en_US",
    "en_GB",
    "en_AU",
    "en_CA",
    "en_IN",
    "en_IE",
    "en_NZ",
    "de_DE",
    "de_AT",
    "de_CH",
    "fr_FR",
    "fr_CA",
    "es_ES",
    "es_MX",
    "it_IT",
    "nl_NL",
    "nl_BE",
    "pt_PT",
    "pt_BR",
    "da_DK",
    "sv_SE",
    "no_NO",
    "fi_FI",
    "pl_PL",
    "cs_CZ",
    "sk_SK",
    "sl_SI",
    "hr_HR",
    "hu_HU",
    "ro_RO",
    "tr_TR",
    "et_EE",
    "lv_LV",
    "id_ID",
    "fil_PH",
    "el_GR",
    "bg_BG",
    "ru_RU",
    "vi_VN",
]
NATIONALITIES = [
    "Albanian",
    "American",
    "Argentine",
    "Australian",
    "Austrian",
    "Belgian",
    "Brazilian",
    "British",
    "Bulgarian",
    "Canadian",
    "Chilean",
    "Chinese",
    "Colombian",
    "Croatian",
    "Cuban",
    "Danish",
    "Dutch",
    "Egyptian",
    "Estonian",
    "Filipino",
    "French",
    "German",
    "Ghanaian",
    "Greek",
    "Hungarian",
    "Icelandic",
    "Indian",
    "Indonesian",
    "Iranian",
    "Iraqi",
    "Irish",
    "Israeli",
    "Italian",
    "Jamaican",
    "Japanese",
    "Kenyan",
    "Korean",
    "Latvian",
    "Lebanese",
    "Lithuanian",
    "Malaysian",
    "Mexican",
    "Moroccan",
    "Nigerian",
    "Norwegian",
    "Pakistani",
    "Peruvian",
    "Portuguese",
    "Romanian",
    "Scottish",
    "Serbian",
    "Slovak",
    "Somali",
    "Swiss",
    "Syrian",
    "Thai",
    "Tunisian",
    "Turkish",
    "Ukrainian",
    "Vietnamese",
    "Welsh",
    "Catholic",
    "Protestant",
    "Muslim",
    "Jewish",
    "Hindu",
    "Buddhist",
    "Sikh",
    "Christian",
    "Republican",
    "Democrat",
]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
SUFFIXES = [
    "Inc",
    "LLC",
    "Ltd",
    "Group",
    "Partners",
    "Bank",
    "Foods",
    "Labs",
    "Health",
    "Systems",
    "Media",
    "Energy",
    "AG",
    "GmbH",
]
SYLLABLES = [
    "ver",
    "tel",
    "co",
    "lum",
    "na",
    "zo",
    "ri",
    "qua",
    "med",
    "fin",
    "lex",
    "tra",
    "bio",
    "neo",
    "sol",
    "ark",
    "del",
    "mo",
    "sy",
    "tix",
    "ora",
    "pex",
]
TITLES = ["Mr.", "Mrs.", "Ms.", "Dr.", "Prof.", "Miss", "Mr", "Mrs", "Dr", "mr.", "ms."]


class Values:
    """Draws values by kind; none of `forbidden` (lower case) ever comes out."""

    def __init__(self, seed: int, forbidden: frozenset[str]) -> None:
        self.random = random.Random(seed)
        self.forbidden = forbidden
        self.fakers = {name: Faker(name) for name in LOCALES}
        for faker in self.fakers.values():
            faker.seed_instance(seed)

    def draw(self, kind: str) -> str:
        """A value of a kind of the tagger.

        Raises: KeyError for an unknown kind.
        """
        makers: dict[str, Callable[[Faker], str]] = {
            "PERSON": self._person, "STREET_ADDRESS": self._address, "GPE": self._place,
            "ORGANIZATION": self._organisation, "TITLE": self._title, "AGE": self._age,
            "NRP": lambda _: self.random.choice(NATIONALITIES), "DATE_TIME": self._date,
            "PHONE_NUMBER": lambda f: f.phone_number(), "ZIP_CODE": lambda f: f.postcode(),
            "EMAIL_ADDRESS": lambda f: f.ascii_email(), "DOMAIN_NAME": self._domain,
            "CREDIT_CARD": lambda f: f.credit_card_number(),
            "IBAN_CODE": lambda f: self.fakers["en_GB"].iban(), "IP_ADDRESS": self._ip,
            "US_SSN": lambda f: self.fakers["en_US"].ssn(),
            "US_DRIVER_LICENSE": self._licence, "ID": self._number,
        }  # fmt: skip
        for _ in range(50):
            faker = self.fakers[self.random.choice(LOCALES)]
            try:
                made = makers[kind](faker)
            except AttributeError:  # not every country has every kind
                continue
            if made.lower() not in self.forbidden:
                return made
        raise KeyError(f"every {kind} that came was forbidden")

    def _person(self, faker: Faker) -> str:
        first, last = faker.first_name(), faker.last_name()
        middle = self.random.choice("ABCDEFGHIJKLMNOPRSTVW")
        if len(last) < 2 or not last[0].isalpha():
            last = self.fakers["en_US"].last_name()
        forms = [f"{first} {last}"] * 8 + [first] * 5 + [last] * 2 + [
            f"{first} {middle}. {last}", f"{last}, {first}", f"{first[0]}. {last}",
            f"{first} {faker.last_name()} {last}", f"{first}-{faker.first_name()} {last}",
        ]  # fmt: skip
        return self.random.choice(forms)

    def _address(self, faker: Faker) -> str:
        number, street = self.random.randint(1, 9999), faker.street_name()
        unit = self.random.choice(["Apt.", "Suite", "Unit", "Flat", "#", "Apt"])
        unit = f"{unit} {self.random.randint(1, 990)}"
        city, code, land = faker.city(), faker.postcode(), self.fakers["en_US"].country()
        road = self.random.choice([street, faker.street_address()])
        forms = [
            faker.street_address(), f"{street} {number % 300}", f"{number} {road}",
            f"{number} {road} {unit}", f"{number} {road} {unit} {city.upper()} {code[:2]}",
            f"{number} {road}\n{city}\n{code}", f"{number} {road}, {city}, {land} {code}",
            faker.address(), faker.address().replace("\n", ", "), unit, str(number), street,
            f"P.O. Box {number}", f"{number} {road}\n {unit}\n {city}\n {land} {code}",
            f"the corner of {street} and {faker.street_name()}",
            f"PSC {number}, Box {number % 977}\nAPO AE {code}", f"{road}, {code} {city}",
            f"{number} {road} {unit} {city} {land}", f"USS {faker.last_name()}\nFPO AP {code}",
        ]  # fmt: skip
        return self.random.choice(forms)

    def _place(self, faker: Faker) -> str:
        country = self.fakers["en_US"].country()
        place = self.random.choice([faker.city(), faker.city(), country, country.split(",")[0]])
        return self.random.choice([place, place, place, place.upper(), place.lower()])

    def _organisation(self, faker: Faker) -> str:
        made = "".join(self.random.sample(SYLLABLES, self.random.choice([2, 3]))).title()
        end = self.random.choice(SUFFIXES)
        last = self.fakers["en_US"].last_name()
        forms = [faker.company(), made, f"{made} {end}", f"{last} {end}", f"{last}-{made}"]
        forms += [f"{last}, {faker.last_name()} and {faker.last_name()}", f"the {made} Foundation"]
        forms += [f"{faker.city()} Hospital", f"University of {faker.city()}", faker.company()]
        return self.random.choice(forms)

    def _title(self, faker: Faker) -> str:
        english = self.fakers["en_US"]
        job = english.job().replace("/", " ")
        return self.random.choice([*TITLES, *TITLES, job, job.lower(), job.capitalize()])

    def _age(self, faker: Faker) -> str:
        return str(self.random.randint(1, 101))

    def _date(self, faker: Faker) -> str:
        when = self.fakers["en_US"].date_time_between("-80y", "now")
        forms = [
            "%m/%d/%Y", "%Y-%m-%d", "%d.%m.%Y", "%B %d, %Y", "%d %B %Y", "%B %Y", "%Y", "%Y",
            "%Y-%m-%d %H:%M:%S", "%b %d", "%d/%m/%y", "%A", "the %dth of %B", "%I:%M %p",
        ]  # fmt: skip
        return self.random.choice([when.strftime(self.random.choice(forms))] * 5 + DAYS)

    def _domain(self, faker: Faker) -> str:
        name = "".join(self.random.sample(SYLLABLES, 3)).title()
        host = f"{name}.{self.random.choice(['com', 'org', 'de', 'co.uk', 'fr', 'io', 'cz'])}"
        return self.random.choice([f"http://www.{host}/", f"https://{host}/", f"www.{host}", host])

    def _ip(self, faker: Faker) -> str:
        return self.random.choice([faker.ipv4(), faker.ipv4(), faker.ipv6()])

    def _licence(self, faker: Faker) -> str:
        letters = self.random.choice("ABCDEFGHJKLMNPRSTVW")
        return letters + str(self.random.randrange(10**6, 10**14))

    def _number(self, faker: Faker) -> str:
        form = self.random.choice(["########", "??######", "###-##-###", "#######", "?-######"])
        return faker.bothify(form).upper()
