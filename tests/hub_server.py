"""A small hub on this machine: repositories with commits, spoken to as the real one is."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Repository:
    """Commits in order, newest last; each is the bytes of its files by path."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    refusal: tuple[int, str] | None = None
    """Status and error code that answer everything."""

    def push(self, files: dict[str, bytes]) -> str:
        """Adds a commit and gives back its name."""
        commit = hashlib.sha1(f"{len(self.commits)}".encode()).hexdigest()
        self.commits[commit] = files
        return commit

    def commit(self, revision: str) -> str | None:
        """The commit of a branch, tag or commit."""
        newest = list(self.commits)[-1] if self.commits else None
        known = self.tags | {name: name for name in self.commits}
        return newest if revision == "main" else known.get(revision)


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    token: str
    agent: str


@dataclass
class HubServer:
    """The hub and what was asked of it; repositories by `datasets/owner/name` or `owner/name`."""

    address: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def repository(self, name: str) -> Repository:
        """The repository of that name, made where there is none."""
        return self.repositories.setdefault(name, Repository())

    def revisions(self, name: str) -> set[str]:
        """The revisions at which files or trees of a repository were asked for."""
        marks = ("/resolve/", "/tree/", "/paths-info/")
        paths = [a.path for a in self.asked if name in a.path]
        return {
            unquote(p.split(mark)[1].split("/")[0].split("?")[0])
            for p in paths
            for mark in marks
            if mark in p
        }


@contextmanager
def serving() -> Iterator[HubServer]:
    """A hub that answers until the block ends."""
    hub = HubServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

        def do_GET(self) -> None:
            self._answer()

        def do_HEAD(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = self.headers.get("Authorization", "")
            hub.asked.append(
                Asked(self.command, self.path, token, self.headers.get("User-Agent", ""))
            )
            path = urlsplit(self.path).path
            if path.startswith("/api/"):
                self._api(path.removeprefix("/api/"), body)
            elif "/resolve/" in path:
                self._file(path.lstrip("/"))
            else:
                self._refuse(404, "EntryNotFound")

        def _api(self, path: str, body: bytes) -> None:
            kind, *rest = path.split("/")
            name = "/".join([*(["datasets"] if kind == "datasets" else []), *rest[:2]])
            verb, revision = (rest[2], unquote(rest[3])) if len(rest) > 3 else ("revision", "main")
            commit = self._commit(name, revision)
            if commit is None:
                return
            files = hub.repositories[name].commits[commit]
            if verb == "revision":
                names = [{"rfilename": f} for f in files]
                bare = name.removeprefix("datasets/")
                self._json({"id": bare, "sha": commit, "siblings": names, "tags": []})
            elif verb == "tree":
                under = "/".join(map(unquote, rest[4:]))
                self._json([_entry(f, files[f]) for f in files if f.startswith(under)])
            elif verb == "paths-info":
                sent = body.decode()
                wanted = json.loads(sent)["paths"] if sent[:1] == "{" else parse_qs(sent)["paths"]
                wanted = [wanted] if isinstance(wanted, str) else wanted
                self._json([_entry(f, files[f]) for f in wanted if f in files])
            else:
                self._refuse(404, "EntryNotFound")

        def _file(self, path: str) -> None:
            name, _, rest = path.partition("/resolve/")
            revision, _, file = unquote(rest).partition("/")
            commit = self._commit(name, revision)
            if commit is None:
                return
            content = hub.repositories[name].commits[commit].get(file)
            if content is None:
                self._refuse(404, "EntryNotFound", commit)
                return
            etag = hashlib.sha1(content).hexdigest()
            status, sent, extra = 200, content, {}
            if asked := self.headers.get("Range"):
                start, _, end = asked.removeprefix("bytes=").partition("-")
                sent = content[int(start) : int(end) + 1 if end else None]
                last = int(start) + len(sent) - 1
                extra = {"Content-Range": f"bytes {start}-{last}/{len(content)}"}
                status = 206
            self._send(status, sent, {"ETag": f'"{etag}"', "X-Repo-Commit": commit} | extra)

        def _commit(self, name: str, revision: str) -> str | None:
            """The commit asked for; None once the refusal has been sent."""
            found = hub.repositories.get(name)
            if found is None:
                self._refuse(404, "RepoNotFound")
                return None
            if found.refusal is not None:
                self._refuse(*found.refusal)
                return None
            commit = found.commit(revision)
            if commit is None:
                self._refuse(404, "RevisionNotFound")
            return commit

        def _refuse(self, status: int, code: str, commit: str | None = None) -> None:
            # A careless server that sends back what it was sent.
            said = f"{code} for {self.headers.get('Authorization', 'nobody')}"
            extra = {"X-Error-Message": said} | ({"X-Error-Code": code} if code else {})
            extra |= {"X-Repo-Commit": commit} if commit else {}
            self._send(status, json.dumps({"error": said}).encode(), extra)

        def _json(self, value: Any) -> None:
            self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

        def _send(self, status: int, body: bytes, extra: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in extra.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler


def _entry(path: str, content: bytes) -> dict[str, Any]:
    oid = hashlib.sha1(content).hexdigest()
    return {"type": "file", "oid": oid, "size": len(content), "path": path}
