"""Secrets of any maker: private keys, signed tokens, passwords in addresses and assignments."""

from __future__ import annotations

import base64
import binascii
import json
import re

from luthier.screen import checks
from luthier.screen.rule import Rule

_NAME = (
    r"(?:[a-z0-9_.-]{0,30}(?:password|passwd|pwd|passphrase|secret|api[_-]?key|apikey|access[_-]?key|"
    r"auth[_-]?token|access[_-]?token|private[_-]?key|client[_-]?secret|token|credential|encryption[_-]?key|"
    r"signing[_-]?key|webhook[_-]?key|master[_-]?key)[a-z0-9_]{0,12})"
)


def _json_web_token(text: str) -> bool:
    head = text.split(".", 1)[0]
    try:
        found = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError):
        return False
    return isinstance(found, dict) and ("alg" in found or "typ" in found or "enc" in found)


def _password(text: str) -> bool:
    """A quoted value under a telling name: no stand-in, no path, no sentence, no code."""
    return (
        len(text) >= 6
        and checks.random_looking(text)
        and not re.search(r"[\s(){}\[\]]|\.\w{2,4}$|^/|://", text)
    )


_WRITTEN = frozenset(
    [
        "pass",
        "passwd",
        "password",
        "pwd",
        "secret",
        "tiger",
        "user",
        "username",
        "postgres",
        "root",
        "admin",
        "guest",
        "test",
        "pw",
        "mypassword",
        "hostname",
        "host",
        "s3cr3t",
        "token",
        "key",
        "foo",
        "bar",
        "baz",
        "foobar",
        "mysecret",
        "changeit",
        "hunter2",
    ]
)  # what documentation writes in place of a password


def _in_address(text: str) -> bool:
    drawn = not checks.stand_in(text) and text.lower().split("^")[0] not in _WRITTEN
    return len(text) >= 3 and drawn and not text.startswith(("$", "{", "<", "%", "["))


RULES: tuple[Rule, ...] = (
    Rule("private-key", "secrets",
         re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
                    r"(?:(?:\s|\\[rn]){1,4}[A-Za-z-]{1,20}: [^\r\n\\]{1,80}){0,5}"
                    r"[A-Za-z0-9+/=\\\s]{0,6500}(?:-----END [A-Z0-9 ]{1,50}-----)?"), 7300,
         hint=("private key",)),
    Rule("putty-private-key", "secrets",
         re.compile(r"PuTTY-User-Key-File-\d: [\w-]{3,30}[\s\S]{0,5000}?Private-MAC: [0-9a-f]{40,64}"), 5200,
         hint=("putty-user-key-file",)),
    Rule("json-web-token", "secrets",
         re.compile(r"(?<![\w.-])eyJ[\w-]{8,700}\.eyJ[\w-]{8,3000}\.[\w-]{0,1000}"), 4800,
         _json_web_token, hint=("eyj",)),
    Rule("password-in-address", "secrets",
         re.compile(r"(?<!\w)[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"'<>]{0,60}:(?P<value>[^\s:/@\"'<>]{3,120})@(?=[\w\[])", re.IGNORECASE),
         230, _in_address, hint=("://",)),
    Rule("connection-password", "secrets",
         re.compile(r"(?<!\w)(?:password|pwd)=(?P<value>[^;\s\"'&]{6,120})(?=;|\"|'|\s|$|&)", re.IGNORECASE), 140,
         lambda t: checks.random_looking(t) , hint=("password=", "pwd=")),
    Rule("authorization-header", "secrets",
         re.compile(r"(?<!\w)authorization['\"]?\s{0,3}[:=]\s{0,3}['\"]?(?:bearer|basic|token|ssws)\s{1,3}"
                    r"(?P<value>[A-Za-z0-9+/_.~=-]{12,1000})", re.IGNORECASE), 1060,
         checks.drawn, hint=("authorization",)),
    Rule("password-hash", "secrets",
         re.compile(r"\$(?:2[abxy]\$\d\d\$[./A-Za-z0-9]{53}|[156]\$(?:rounds=\d{1,9}\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{22,86}|"
                    r"argon2id?\$v=\d{1,3}\$[\w=,]{5,40}\$[A-Za-z0-9+/]{10,90}\$[A-Za-z0-9+/]{20,120})"), 300,
         hint=("$",)),
    Rule("netrc-password", "secrets",
         re.compile(r"(?<!\w)machine \S{1,80}\s{1,4}login \S{1,80}\s{1,4}password (?P<value>\S{4,120})"), 310,
         hint=("machine ",)),
    Rule("npmrc-token", "secrets",
         re.compile(r"_auth(?:Token)?\s{0,2}=\s{0,2}(?P<value>[\w+/=.-]{16,200})"), 220, checks.drawn, hint=("_auth",)),
    Rule("assigned-secret", "secrets",
         re.compile(rf"(?<![a-z0-9_-]){_NAME}['\"]?\s{{0,3}}(?:=>|:=|[:=])\s{{0,3}}(?P<quote>[\"'`])(?P<value>[^\"'`\r\n]{{6,200}})(?P=quote)",
                    re.IGNORECASE), 300, _password,
         hint=("pass", "pwd", "secret", "key", "token", "credential"), score=0.8),
    Rule("assigned-secret", "secrets",
         re.compile(rf"(?m)^(?:export |set |- |\s{{0,8}})?{_NAME}\s{{0,2}}[:=]\s{{0,3}}(?P<value>[^\s\"'`,;(){{}}\[\]<>$]{{8,200}})\s{{0,4}}$",
                    re.IGNORECASE), 300, _password,
         hint=("pass", "pwd", "secret", "key", "token", "credential"), score=0.7),
    Rule("spoken-password", "secrets",
         re.compile(r"(?<!\w)(?:password|passcode|pin|passwort|mot de passe|contraseña) (?:is|was|ist|est|es|:) ?[\"'`]?(?P<value>[^\s\"'`,;]{6,64})",
                    re.IGNORECASE), 110, lambda t: checks.random_looking(t.rstrip(".!?")), hint=("pass", "pin", "mot de", "contra"), score=0.7),
)  # fmt: skip
