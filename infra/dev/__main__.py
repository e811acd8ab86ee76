"""``python -m infra.dev check|fetch|run|distributed``."""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from shlex import quote

from infra.dev import kafka, mongo
from infra.dev.availability import check, fetch
from infra.dev.cache import NotHere, root


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m infra.dev",
        description="Real servers without a container engine: Kafka, and DocumentDB behind FerretDB (MongoDB protocol).",
    )
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("check", help="say at once what this machine lacks to fetch and start both")
    actions.add_parser("fetch", help="fetch and build both into the cache, and say where it is")
    run = actions.add_parser("run", help="start both on free ports of the loopback until Ctrl-C")
    run.add_argument("--nodes", type=int, default=1, choices=(1, 3), help="Kafka brokers (default 1)")
    job = actions.add_parser("distributed", help="the main job of `make demo`, each service a process, on real servers")
    job.add_argument("--replicas", type=int, default=1, help="processes of each service (default 1)")
    job.add_argument("--json", action="store_true", help="the results for machines")
    job.add_argument(
        "--against", type=Path, help="what `atelier demo --once --json` printed: fail where the results differ"
    )
    options = parser.parse_args()
    try:
        if options.action == "check":
            check()
            return 0
        if options.action == "fetch":
            fetch()
            print(root())
            return 0
        if options.action == "distributed":
            return _distributed(options.replicas, options.json, options.against)
        return _run(options.nodes)
    except NotHere as missing:
        print(f"these servers cannot be had here: {missing}", file=sys.stderr)
        return 1


@contextmanager
def servers(folder: Path, nodes: int = 1) -> Iterator[tuple[str, str]]:
    """(Kafka's address, MongoDB's): those given by environment, or new ones for as long as the block lasts."""
    with ExitStack() as stack:
        mongo_address, kafka_address = os.environ.get("ATELIER_MONGO", ""), os.environ.get("ATELIER_KAFKA", "")
        if not mongo_address:
            database = mongo.start(folder / "mongo")
            stack.callback(database.stop)
            mongo_address = database.address
        if not kafka_address:
            broker = kafka.start(folder / "kafka", nodes)
            stack.callback(broker.stop)
            kafka_address = broker.address
        yield kafka_address, mongo_address


def _run(nodes: int) -> int:
    with _temporary() as folder, servers(folder, nodes) as (kafka_address, mongo_address):
        # As a shell reads it: the address has characters that mean something there.
        print(f"export ATELIER_KAFKA={quote(kafka_address)}\nexport ATELIER_MONGO={quote(mongo_address)}", flush=True)
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)
    return 0


def _distributed(replicas: int, as_json: bool, against: Path | None) -> int:
    from infra.dev import distributed

    with _temporary() as folder, servers(folder) as (kafka_address, mongo_address):
        distributed.run(folder, kafka_address, mongo_address, replicas, as_json=as_json, against=against)
    return 0


@contextmanager
def _temporary() -> Iterator[Path]:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="atelier-servers-") as folder:
        yield Path(folder)


if __name__ == "__main__":
    raise SystemExit(main())
