"""Secrets written as their makers document them, in lines as they occur in code and chat."""

from __future__ import annotations

import base64
import json
import random
import string

HEX, LOWER, DIGITS = "0123456789abcdef", string.ascii_lowercase + string.digits, string.digits
ALNUM, UPPER = string.ascii_letters + string.digits, string.ascii_uppercase + string.digits
URL = ALNUM + "-_"
BASE64 = ALNUM + "+/"
LINES = (
    "{name} = '{value}'", '{name}: "{value}"', '"{name}": "{value}",', "export {name}={value}",
    "client = Client({name}='{value}')", "my {name} is {value} thanks", "curl -H 'X-Key: {value}' # {name}",
    "- {name}: {value}", "{name}={value}", "<{name}>{value}</{name}>",
)  # fmt: skip


class Maker:
    """Draws values; `d("x", 8)` is eight characters of `x`."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def d(self, signs: str, count: int) -> str:
        return "".join(self.random.choices(signs, k=count))

    def uuid(self) -> str:
        return "-".join(self.d(HEX, n) for n in (8, 4, 4, 4, 12))


def jwt(m: Maker) -> str:
    def part(value: dict) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'sub': m.d(DIGITS, 10), 'iat': 1700000000})}.{m.d(URL, 43)}"


def pem(m: Maker) -> str:
    kind = m.random.choice(["RSA ", "EC ", "", "OPENSSH ", "DSA ", "ENCRYPTED "])
    body = "\\n".join(m.d(BASE64, 64) for _ in range(6))
    return f"-----BEGIN {kind}PRIVATE KEY-----\\n{body}\\n-----END {kind}PRIVATE KEY-----"


# name of the variable, maker of the value
SECRETS = {
    "aws_access_key_id": lambda m: m.random.choice(["AKIA", "ASIA"]) + m.d(string.ascii_uppercase + "234567", 16),
    "aws_secret_access_key": lambda m: m.d(BASE64, 40),
    "amazon_mws": lambda m: "amzn.mws." + m.uuid(),
    "google_api_key": lambda m: "AIza" + m.d(URL, 35),
    "google_client_secret": lambda m: "GOCSPX-" + m.d(URL, 28),
    "google_oauth": lambda m: "ya29." + m.d(URL, 120),
    "azure_storage": lambda m: "AccountKey=" + m.d(BASE64, 86) + "==",
    "azure_client_secret": lambda m: m.d(ALNUM, 3) + "8Q~" + m.d(ALNUM + "_.~-", 31) + m.d(ALNUM, 3),
    "alibaba": lambda m: "LTAI" + m.d(ALNUM, 20),
    "digitalocean": lambda m: "dop_v1_" + m.d(HEX, 64),
    "heroku_api_key": lambda m: m.uuid(),
    "cloudflare_api_token": lambda m: m.d(URL[:62], 40),
    "vault_token": lambda m: "hvs." + m.d(URL, 95),
    "terraform": lambda m: m.d(ALNUM, 14) + ".atlasv1." + m.d(URL, 67),
    "pulumi": lambda m: "pul-" + m.d(HEX, 40),
    "doppler": lambda m: "dp.pt." + m.d(ALNUM, 43),
    "github": lambda m: m.random.choice(["ghp_", "gho_", "ghs_", "ghu_", "ghr_"]) + m.d(ALNUM, 36),
    "github_fine": lambda m: "github_pat_" + m.d(ALNUM, 22) + "_" + m.d(ALNUM, 59),
    "gitlab": lambda m: "glpat-" + m.d(URL, 20),
    "bitbucket": lambda m: "ATBB" + m.d(ALNUM, 32),
    "atlassian": lambda m: "ATATT3xFfGF0" + m.d(URL, 172) + "=" + m.d(HEX.upper(), 8),
    "npm": lambda m: "npm_" + m.d(ALNUM, 36),
    "pypi": lambda m: "pypi-AgEIcHlwaS5vcmc" + m.d(URL, 150),
    "rubygems": lambda m: "rubygems_" + m.d(HEX, 48),
    "nuget": lambda m: "oy2" + m.d(LOWER, 43),
    "docker": lambda m: "dckr_pat_" + m.d(URL, 27),
    "databricks": lambda m: "dapi" + m.d(HEX, 32),
    "tailscale": lambda m: "tskey-auth-" + m.d(ALNUM, 17) + "-" + m.d(ALNUM, 32),
    "buildkite": lambda m: "bkua_" + m.d(HEX, 40),
    "openai": lambda m: "sk-proj-" + m.d(URL, 74) + "T3BlbkFJ" + m.d(URL, 74),
    "openai_old": lambda m: "sk-" + m.d(ALNUM, 20) + "T3BlbkFJ" + m.d(ALNUM, 20),
    "sk-ant": lambda m: "sk-ant-api03-" + m.d(URL, 93) + "AA",
    "openrouter": lambda m: "sk-or-v1-" + m.d(HEX, 64),
    "huggingface": lambda m: "hf_" + m.d(string.ascii_letters, 34),
    "replicate": lambda m: "r8_" + m.d(ALNUM, 37),
    "groq": lambda m: "gsk_" + m.d(ALNUM, 52),
    "perplexity": lambda m: "pplx-" + m.d(ALNUM, 48),
    "nvidia": lambda m: "nvapi-" + m.d(URL, 64),
    "wandb_api_key": lambda m: m.d(HEX, 40),
    "langsmith": lambda m: "lsv2_pt_" + m.d(HEX, 32) + "_" + m.d(HEX, 10),
    "slack_bot": lambda m: "xoxb-" + m.d(DIGITS, 12) + "-" + m.d(DIGITS, 12) + "-" + m.d(ALNUM, 24),
    "slack_app": lambda m: "xapp-1-A" + m.d(UPPER, 10) + "-" + m.d(DIGITS, 13) + "-" + m.d(HEX, 64),
    "slack_hook": lambda m: "https://hooks.slack.com/services/T" + m.d(UPPER, 8) + "/B" + m.d(UPPER, 10) + "/" + m.d(ALNUM, 24),
    "discord_bot": lambda m: "M" + m.d(ALNUM, 25) + "." + m.d(URL, 6) + "." + m.d(URL, 37) + m.d(ALNUM, 1),
    "discord_hook": lambda m: "https://discord.com/api/webhooks/" + m.d(DIGITS, 18) + "/" + m.d(URL, 68),
    "telegram": lambda m: m.d("123456789", 10) + ":AA" + m.d(URL, 32) + m.d(ALNUM, 1),
    "twilio": lambda m: "SK" + m.d(HEX, 32),
    "sendgrid": lambda m: "SG." + m.d(URL, 22) + "." + m.d(URL, 42) + m.d(ALNUM, 1),
    "mailgun": lambda m: "key-" + m.d(HEX, 32),
    "mailchimp": lambda m: m.d(HEX, 32) + "-us" + m.d(DIGITS[1:], 1),
    "brevo": lambda m: "xkeysib-" + m.d(HEX, 64) + "-" + m.d(ALNUM, 16),
    "stripe": lambda m: m.random.choice(["sk_live_", "rk_live_", "sk_test_"]) + m.d(ALNUM, 24),
    "stripe_hook": lambda m: "whsec_" + m.d(ALNUM, 32),
    "square": lambda m: "sq0atp-" + m.d(URL, 21) + m.d(ALNUM, 1),
    "plaid": lambda m: "access-production-" + m.uuid(),
    "razorpay": lambda m: "rzp_live_" + m.d(ALNUM, 14),
    "shopify": lambda m: "shpat_" + m.d(HEX, 32),
    "easypost": lambda m: "EZAK" + m.d(ALNUM, 54),
    "grafana": lambda m: "glsa_" + m.d(ALNUM, 32) + "_" + m.d(HEX, 8),
    "newrelic": lambda m: "NRAK-" + m.d(UPPER, 27),
    "sentry": lambda m: "sntryu_" + m.d(HEX, 64),
    "datadog_api_key": lambda m: m.d(HEX, 32),
    "dynatrace": lambda m: "dt0c01." + m.d(string.ascii_uppercase + "234567", 24) + "." + m.d(string.ascii_uppercase + "234567", 64),
    "postman": lambda m: "PMAK-" + m.d(HEX, 24) + "-" + m.d(HEX, 34),
    "launchdarkly": lambda m: "sdk-" + m.uuid(),
    "linear": lambda m: "lin_api_" + m.d(ALNUM, 40),
    "notion": lambda m: "ntn_" + m.d(ALNUM, 46),
    "airtable": lambda m: "pat" + m.d(ALNUM, 14) + "." + m.d(HEX, 64),
    "figma": lambda m: "figd_" + m.d(URL, 39) + m.d(ALNUM, 1),
    "hubspot": lambda m: "pat-na1-" + m.uuid(),
    "contentful": lambda m: "CFPAT-" + m.d(URL, 42) + m.d(ALNUM, 1),
    "jwt": jwt,
    "private_key": pem,
    "database_url": lambda m: f"postgresql://app:{m.d(ALNUM, 16)}@db.{m.d(LOWER, 6)}.com:5432/main",
    "authorization": lambda m: "Authorization: Bearer " + m.d(URL, 40),
    "password": lambda m: m.d(ALNUM + "!#%*?+", 14) + "9xQ",
    "client_secret": lambda m: m.d(ALNUM, 32),
    "bcrypt": lambda m: "$2b$12$" + m.d(ALNUM + "./", 53),
}  # fmt: skip


def fixtures(each: int, seed: int) -> list[tuple[str, str, str]]:
    """Kind, line and value, `each` of every kind."""
    maker = Maker(seed)
    made = []
    for name, make in SECRETS.items():
        for _ in range(each):
            value = make(maker)
            spoken = maker.random.choice([name, name.upper(), name.replace("_", "-")])
            line = maker.random.choice(
                LINES[:4] if "key" in name or "secret" in name or name == "password" else LINES
            )
            made.append((name, line.format(name=spoken, value=value), value))
    return made
