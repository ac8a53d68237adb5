"""Where the database is: a URL in one normal form, whose password is never shown."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from luthier.core.errors import RepairStore, need_extra

_ALLOWED = "sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME"
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")


def read_address(url: str | None, folder: Path) -> URL:
    """The URL of the database; the file `luthier.db` in `folder` when none is given.

    Raises: RepairStore for a URL that cannot be used; nothing of it is repeated, because a
    part may be the password. InstallExtra when the driver of PostgreSQL is missing.
    """
    if url is None:
        return URL.create("sqlite", database=str(folder / "luthier.db"))
    parsed = _parse(url)
    if parsed.drivername in _POSTGRES:
        return _postgres(parsed)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise RepairStore("store URL", "a database in memory keeps nothing", _ALLOWED)
        return parsed
    raise RepairStore("store URL", f"the engine is {parsed.drivername!r}", _ALLOWED)


def _parse(url: str) -> URL:
    # Without `from None` the traceback would print the URL's text, password included.
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise RepairStore(
            "store URL",
            "it cannot be read",
            _ALLOWED,
            "write special characters of the password as %XX, such as %40 for @",
        ) from None


def _postgres(parsed: URL) -> URL:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise need_extra("postgres", "psycopg", "a store in PostgreSQL") from error
    password = parsed.query.get("password")
    if isinstance(password, str):
        # Kept in the password's place, SQLAlchemy hides it wherever the URL is shown.
        parsed = parsed.set(password=parsed.password or password)
        parsed = parsed.difference_update_query(["password"])
    return parsed.set(drivername="postgresql+psycopg")


def shown(url: URL) -> str:
    """The URL as a reader may see it."""
    hidden = [key for key in url.query if "password" in key or "token" in key]
    return url.difference_update_query(hidden).render_as_string(hide_password=True)


def without_secrets(text: str, url: URL) -> str:
    """`text` with the password of the URL masked."""
    secrets = [url.password] + [str(v) for k, v in url.query.items() if "password" in k]
    for secret in secrets:
        if secret:
            text = text.replace(str(secret), "***")
    return text
