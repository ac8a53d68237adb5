"""A Ray cluster: an existing one, or one on this machine that lives as long as the search."""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from luthier.core.errors import CheckRun, FixRecipe, need_extra

_QUIET = {
    # Nothing is reported to anybody.
    "RAY_USAGE_STATS_ENABLED": "0",
    # A worker that asks for no GPU sees none: the announced behaviour, without the announcement.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
STORE_BYTES = 100_000_000
"""Slices and their outcomes are small; nothing else goes through Ray's object store."""

WAIT_SECONDS = 10.0
"""How long a cluster may take to answer."""


@dataclass(frozen=True)
class Cluster:
    """How many workers, and where: the address of a running cluster, or None for this machine."""

    workers: int = 1
    address: str | None = None


def connect(cluster: Cluster) -> tuple[Any, bool]:
    """The package, connected; and whether this call began the connection, which must then be
    ended by `disconnect`.

    A local cluster has no dashboard and listens on 127.0.0.1 only.

    Raises: InstallExtra without Ray, FixRecipe when no cluster answers at the address, CheckRun
    when this process is connected to another cluster.
    """
    if importlib.util.find_spec("ray") is None:
        raise need_extra("ray", "ray", "tune.executor: ray")
    os.environ.update(_QUIET)
    import ray

    if ray.is_initialized():
        if cluster.address is None:
            return ray, False
        raise CheckRun("tune.address", "this process is connected to a cluster already",
                       advice="leave tune.address out")  # fmt: skip
    if cluster.address is not None:
        _join(ray, cluster.address)
        return ray, True
    ray.init(
        num_cpus=max(cluster.workers, os.cpu_count() or 1),
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=STORE_BYTES,
        _node_ip_address="127.0.0.1",
    )
    return ray, True


def disconnect(ray: Any) -> None:
    """Leaves the cluster; one that `connect` started ends with it."""
    ray.shutdown()


def _join(ray: Any, address: str) -> None:
    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        lines = str(error).strip().splitlines()
        raise FixRecipe(
            "tune.address",
            f"no cluster answers at {address!r}: {lines[0] if lines else type(error).__name__}",
            "the address that `ray start --head` printed",
        ) from error


def _knock(address: str) -> None:
    """Opens a connection and closes it: Ray itself would try a silent address for minutes.

    Raises: OSError when nobody listens, ValueError for a text that names no port.
    """
    if address in ("auto", "local") or "://" in address:
        return
    host, _, port = address.rpartition(":")
    with closing(socket.create_connection((host, int(port)), timeout=WAIT_SECONDS)):
        return
