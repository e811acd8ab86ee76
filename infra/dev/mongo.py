"""A server of the MongoDB protocol: DocumentDB 1.0 on PostgreSQL 18 behind FerretDB 2.7.0. It is not MongoDB, and says so."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from infra.dev.cache import NotHere, call, has, kept, missing, need, remove
from infra.dev.processes import Process, answers, free_port

FERRETDB = "2.7.0"
POSTGRESQL = "18"
_DATABASE = f"documentdb-postgresql-{POSTGRESQL}"
_PROTOCOL = f"ferretdb-{FERRETDB}"
_SUITE = "forky"
_CONFIGURATION = """
listen_addresses='127.0.0.1'
unix_socket_directories='{data}'
dynamic_shared_memory_type=mmap
shared_preload_libraries='pg_cron,pg_documentdb_core,pg_documentdb'
cron.database_name='postgres'
port={port}
"""

_SMALL = "min_wal_size=32MB\nmax_wal_size=64MB\n"


def fetch() -> tuple[Path, Path]:
    """(a Debian root with PostgreSQL and DocumentDB, the ferretdb program). Raises NotHere."""
    return postgresql(), ferretdb()


def lacks() -> list[str]:
    """What this machine must have first, to start it and, where it was not fetched before, to fetch it; found out without trying."""
    user = [] if os.geteuid() == 0 else ["root"]
    builders = [] if has(_DATABASE) or not missing("debootstrap") else missing("apt-get")
    return user + builders + ([] if has(_PROTOCOL) else missing("go"))


def present() -> bool:
    """Whether both were fetched before and can be started here."""
    return has(_DATABASE, _PROTOCOL) and not lacks()


def postgresql() -> Path:
    def build(folder: Path) -> None:
        if shutil.which("debootstrap") is None:
            need("apt-get")
            call("apt-get", "update", "-qq")
            call("apt-get", "install", "-y", "-qq", "debootstrap")
        call(
            "debootstrap",
            "--variant=minbase",
            f"--include=postgresql-{POSTGRESQL}-documentdb",
            _SUITE,
            folder,
            _mirror(),
            "/usr/share/debootstrap/scripts/sid",
        )
        remove(folder / "var" / "cache" / "apt")

    return kept(_DATABASE, build)


def _mirror() -> str:
    """The Debian mirror that apt uses here."""
    said = call("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages")
    found = [line for line in said.splitlines() if re.search(r"/debian/?$", line)]
    if not found:
        raise NotHere("apt names no Debian mirror")
    return found[0]


def ferretdb() -> Path:
    def build(folder: Path) -> None:
        need("go")
        environment = {**os.environ, "GOBIN": str(folder), "GOFLAGS": "-modcacherw"}
        call("go", "install", f"github.com/FerretDB/FerretDB/v2/cmd/ferretdb@v{FERRETDB}", env=environment)

    return kept(_PROTOCOL, build) / "ferretdb"


@dataclass
class Mongo:
    """A running server. ``database`` keeps the data; ``protocol`` speaks to clients."""

    address: str
    database: Process
    protocol: Process
    data: Path
    mounted: bool = False

    def stop(self) -> None:
        self.protocol.stop()
        self.database.stop()
        if self.mounted:
            call("umount", self.data)
        remove(self.data)


def start(folder: Path, megabytes: int = 0) -> Mongo:
    """Start a new, empty server. Raises NotHere, or RuntimeError where it does not start.

    With ``megabytes`` its data lies on a disk of that size, in memory, which may be filled.
    """
    root, ferretdb = fetch()
    port, protocol_port = free_port(), free_port()
    inside = f"/srv/{port}"
    data = root / inside.lstrip("/")
    data.mkdir(parents=True)
    if megabytes:
        call("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", data)
    within = ["chroot", "--userspec=postgres", str(root)]
    programs = f"/usr/lib/postgresql/{POSTGRESQL}/bin"
    environment = {"PATH": f"{programs}:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/srv", "LC_ALL": "C.UTF-8"}
    folder.mkdir(parents=True, exist_ok=True)

    def run(*command: str) -> None:
        said = subprocess.run([*within, *command], env=environment, capture_output=True, text=True, check=False)
        if said.returncode != 0:
            raise RuntimeError(f"{command[0]} failed: {said.stderr.strip()}")

    subprocess.run(["chroot", str(root), "chown", "postgres", inside], check=True)
    run("initdb", "-D", inside, "-A", "trust", "-U", "postgres")
    with (data / "postgresql.conf").open("a") as settings:
        settings.write(_CONFIGURATION.format(data=inside, port=port))
        if megabytes:
            settings.write(_SMALL)
    database = Process(
        "PostgreSQL",
        [*within, "postgres", "-D", inside],
        folder / "postgresql.log",
        lambda: (
            subprocess.run(
                [*within, "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], env=environment, check=False
            ).returncode
            == 0
        ),
        environment,
    )
    database.start()
    run("psql", "-h", inside, "-p", str(port), "-U", "postgres", "-qc", "CREATE EXTENSION documentdb CASCADE")
    state = folder / "ferretdb"
    state.mkdir(exist_ok=True)
    protocol = Process(
        "FerretDB",
        [
            str(ferretdb),
            f"--postgresql-url=postgres://postgres@127.0.0.1:{port}/postgres",
            f"--listen-addr=127.0.0.1:{protocol_port}",
            "--no-auth",
            "--telemetry=disable",
            "--debug-addr=-",
            f"--state-dir={state}",
        ],
        folder / "ferretdb.log",
        lambda: answers(protocol_port),
        {**os.environ, "DO_NOT_TRACK": "1"},
    )
    protocol.start()
    address = f"mongodb://127.0.0.1:{protocol_port}/?directConnection=true&retryWrites=false"
    return Mongo(address, database, protocol, data, mounted=bool(megabytes))
