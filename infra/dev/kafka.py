"""Kafka: the broker itself, its jars from Maven Central, one node or three."""

import base64
import subprocess
import uuid
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from infra.dev.cache import call, has, kept, missing, need
from infra.dev.processes import Process, answers, free_port

VERSION = "4.3.1"
_LOGGING = "2.25.4"
_NAME = f"kafka-{VERSION}"
_MEMORY = "-Xmx512m"
_SECONDS = 180.0
"""Until a broker must answer: three of them start in turn where processors are few."""


def _dependency(group: str, artifact: str, version: str) -> str:
    return f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"


def _pom() -> str:
    wanted = [
        ("org.apache.kafka", "kafka_2.13", VERSION),
        ("org.apache.kafka", "kafka-tools", VERSION),
        ("org.apache.logging.log4j", "log4j-core", _LOGGING),
        ("org.apache.logging.log4j", "log4j-slf4j-impl", _LOGGING),
    ]
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>atelier</groupId><artifactId>servers</artifactId><version>1</version><packaging>pom</packaging>"
        f"<dependencies>{''.join(_dependency(*one) for one in wanted)}</dependencies></project>\n"
    )


def fetch() -> Path:
    """The folder of the jars; fetched where it is absent. Raises NotHere."""

    def build(folder: Path) -> None:
        need("mvn")
        (folder / "pom.xml").write_text(_pom())
        call("mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={folder / 'jars'}", cwd=folder)

    return kept(_NAME, build) / "jars"


def lacks() -> list[str]:
    """What this machine must have first, to start it and, where it was not fetched before, to fetch it; found out without trying."""
    return missing("java") if has(_NAME) else missing("java", "mvn")


def present() -> bool:
    """Whether it was fetched before and can be started here."""
    return has(_NAME) and not lacks()


@dataclass
class Kafka:
    """A running cluster: ``address`` is the bootstrap list; ``nodes`` may be killed and started again one by one."""

    address: str
    nodes: list[Process]

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()


def start(folder: Path, nodes: int = 1) -> Kafka:
    """Start a new, empty cluster with its data in ``folder``. Raises NotHere, or RuntimeError where it does not start."""
    need("java")
    jars = fetch()
    cluster = _cluster_id()
    ports = [(free_port(), free_port()) for _ in range(nodes)]
    voters = ",".join(f"{number}@127.0.0.1:{controller}" for number, (_, controller) in enumerate(ports, 1))
    made: list[Process] = []
    for number, (port, controller) in enumerate(ports, 1):
        home = folder / f"node-{number}"
        home.mkdir(parents=True)
        settings = home / "server.properties"
        settings.write_text(_settings(number, nodes, port, controller, voters, home / "data"))
        java = ["java", _MEMORY, "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*"]
        format_storage = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings)]
        said = subprocess.run(format_storage, capture_output=True, text=True, check=False)
        if said.returncode != 0:
            raise RuntimeError(f"Kafka's storage cannot be formatted: {said.stdout.strip()} {said.stderr.strip()}")
        command = [*java, "kafka.Kafka", str(settings)]
        made.append(Process(f"Kafka {number}", command, home / "log", partial(answers, port), seconds=_SECONDS))
    running = Kafka(",".join(f"127.0.0.1:{port}" for port, _ in ports), made)
    try:
        for node in made:
            node.start(wait=False)  # the first of several answers only once most of them are there
        for node in made:
            node.wait()
    except BaseException:
        running.stop()
        raise
    return running


def _cluster_id() -> str:
    """As Kafka makes them; one that begins with a hyphen its own tool would take for an option."""
    while (made := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return made


def _settings(number: int, nodes: int, port: int, controller: int, voters: str, data: Path) -> str:
    least = 2 if nodes > 2 else 1
    lines = {
        "process.roles": "broker,controller",
        "node.id": number,
        "controller.quorum.voters": voters,
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dir": data,
        "default.replication.factor": nodes,
        "min.insync.replicas": least,
        "offsets.topic.replication.factor": nodes,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": nodes,
        "transaction.state.log.min.isr": least,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": nodes,
        "share.coordinator.state.topic.min.isr": least,
        "group.initial.rebalance.delay.ms": 0,
        "auto.create.topics.enable": "false",
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())
