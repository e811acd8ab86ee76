"""The container files say only what is there: settings that exist, commands that exist, files that exist; hardened and kept to loopback.

No engine is asked: what only a running container can show is said in docs/operations.md.
"""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from atelier_hosting.process import SERVICES
from atelier_hosting.settings import VARIABLES, read

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
PARTS: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
INSTRUCTIONS = [tuple(line.split(maxsplit=1)) for line in DOCKERFILE.splitlines() if line and line[0] not in "# "]
LAST_STAGE = INSTRUCTIONS[max(n for n, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM") :]
EXACT = re.compile(r"[a-z0-9./-]+:\d+\.\d+\.\d+(-[a-z0-9.-]+)?")
KEPT_WITHOUT_PROBE = {"collector": "its image has no shell", "mongo-replica-set": "it ends"}
ours = pytest.mark.parametrize("service", SERVICES)
part = pytest.mark.parametrize("name", PARTS)


def environment_of_image() -> dict[str, str]:
    found = {}
    for name, given in LAST_STAGE:
        if name == "ENV":
            found |= dict(pair.split("=", 1) for pair in shlex.split(given))
    return found


def said(name: str) -> str:
    return next(given for instruction, given in LAST_STAGE if instruction == name)


def test_there_is_a_container_for_each_service() -> None:
    assert set(SERVICES) <= set(PARTS)


@ours
def test_what_a_service_is_told_is_a_complete_environment_and_nothing_else(service: str) -> None:
    given = {name: str(value) for name, value in PARTS[service]["environment"].items()}
    settings = read(service, given)
    assert set(given) <= {variable.name for variable in VARIABLES}
    assert settings.mongo == f"mongodb://mongo:27017/?replicaSet={PARTS['mongo']['command'][1]}"
    assert {name: str(address) for name, address in settings.neighbours.items()} == {
        name: f"{name}:{settings.grpc.port}" for name in SERVICES
    }
    assert settings.owner != read(service, given).owner, "two replicas must not have one name"


@ours
def test_each_service_runs_its_own_command_from_one_image_that_is_built_here(service: str) -> None:
    assert PARTS[service]["command"] == ["serve", service]
    assert said("ENTRYPOINT") == '["atelier"]'
    assert (PARTS[service]["image"], PARTS[service]["build"]) == ("atelier:0.1.0", ".")


@ours
def test_two_replicas_share_neither_a_port_nor_a_folder(service: str) -> None:
    (published,) = PARTS[service]["ports"]
    host, ports, inside = published.split(":")
    first, last = ports.split("-")
    assert host == "127.0.0.1"
    assert int(last) - int(first) >= 1
    assert int(inside) == read(service, dict(PARTS[service]["environment"])).http.port
    assert PARTS[service]["volumes"] == [PARTS[service]["environment"]["ATELIER_DATA"]], (
        "a named volume would be shared"
    )
    assert "container_name" not in PARTS[service]


def test_ranges_of_ports_do_not_meet() -> None:
    taken = [PARTS[service]["ports"][0].split(":")[1].split("-") for service in SERVICES]
    ports = [port for first, last in taken for port in range(int(first), int(last) + 1)]
    assert len(ports) == len(set(ports))


@part
def test_nothing_listens_beyond_this_machine(name: str) -> None:
    assert all(published.startswith("127.0.0.1:") for published in PARTS[name].get("ports", []))
    assert "network_mode" not in PARTS[name]
    if name not in SERVICES:
        assert PARTS[name]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}


@part
def test_no_container_runs_as_root_or_writes_its_own_image(name: str) -> None:
    described = PARTS[name]
    assert described["user"].split(":")[0] not in ("", "0", "root")
    assert described["read_only"] is True
    assert described["cap_drop"] == ["ALL"]
    assert described["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in described


@part
def test_every_image_is_pinned_to_one_version(name: str) -> None:
    assert EXACT.fullmatch(PARTS[name]["image"])


def test_every_stage_of_the_image_is_pinned_to_one_version() -> None:
    stages = [given.split()[0] for instruction, given in INSTRUCTIONS if instruction == "FROM"]
    assert len(stages) == 3
    assert all(EXACT.fullmatch(stage) for stage in stages)
    assert stages[1] == stages[2], "what is built with one Python must run on it"


@part
def test_whoever_is_waited_for_is_there_and_can_say_that_it_is_ready(name: str) -> None:
    for other, how in PARTS[name].get("depends_on", {}).items():
        wanted = "service_completed_successfully" if PARTS[other]["restart"] == "no" else "service_healthy"
        assert how == {"condition": wanted}
    own_probe = "healthcheck" in PARTS[name] or (name in SERVICES and said("HEALTHCHECK"))
    assert bool(own_probe) != (name in KEPT_WITHOUT_PROBE)


@part
def test_every_volume_network_secret_and_config_is_declared(name: str) -> None:
    described = PARTS[name]
    named = {mounted.split(":")[0] for mounted in described.get("volumes", []) if not mounted.startswith("/")}
    assert named <= set(COMPOSE["volumes"])
    assert set(described["networks"]) <= set(COMPOSE["networks"])
    assert {one["source"] for one in described.get("secrets", [])} <= set(COMPOSE["secrets"])
    assert {one["source"] for one in described.get("configs", [])} <= set(COMPOSE["configs"])


def test_what_is_mounted_from_this_folder_is_in_it_and_secrets_never_are_in_git() -> None:
    assert all((ROOT / config["file"]).is_file() for config in COMPOSE["configs"].values())
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    for secret in COMPOSE["secrets"].values():
        assert f"/{Path(secret['file']).parent}/" in ignored


@ours
def test_secrets_are_files_where_the_service_looks_for_them_and_only_the_owner_of_keys_has_the_master_key(
    service: str,
) -> None:
    assert PARTS[service]["environment"]["ATELIER_KEYS"] == "/run/secrets"
    targets = {one["target"] for one in PARTS[service]["secrets"]}
    assert targets == ({"token-key.json", "master.key"} if service == "profile" else {"token-key.json"})
    assert not [name for name in PARTS[service]["environment"] if re.search("PASSWORD|SECRET|TOKEN", name)]


@ours
def test_a_service_has_longer_to_end_than_it_takes_to_drain(service: str) -> None:
    drains = read(service, dict(PARTS[service]["environment"])).drain_seconds
    assert int(PARTS[service]["stop_grace_period"].removesuffix("s")) > drains


def test_the_image_alone_says_where_a_service_listens_and_keeps_what_is_its_own() -> None:
    of_image = environment_of_image()
    for service in SERVICES:
        told = PARTS[service]["environment"]
        assert {name: told[name] for name in of_image if name.startswith("ATELIER_")} == {
            name: value for name, value in of_image.items() if name.startswith("ATELIER_")
        }
        assert f"http://127.0.0.1:{read(service, dict(told)).http.port}/health/ready" in said("HEALTHCHECK")


def test_the_last_stage_has_a_user_without_rights_and_nothing_to_build_with() -> None:
    names = [name for name, _ in LAST_STAGE]
    assert said("USER") == PARTS["profile"]["user"] == "10001:10001"
    assert names.index("USER") > max(n for n, name in enumerate(names) if name == "RUN")
    assert "pip uninstall" in said("RUN")
    assert "apt-get" not in DOCKERFILE
    assert [given for name, given in LAST_STAGE if name == "COPY"] == ["--from=build /opt/atelier /opt/atelier"]


def test_the_image_is_built_from_the_lock_and_from_nothing_but_what_it_needs() -> None:
    (sync,) = [given for name, given in INSTRUCTIONS if name == "RUN" and "uv sync" in given]
    assert sync.endswith("uv sync --locked --no-dev --no-editable")
    sent = (ROOT / ".dockerignore").read_text().split()
    wanted = [given.split() for name, given in INSTRUCTIONS if name == "COPY" and "--from" not in given]
    copied = {source for words in wanted for source in words[:-1]}
    assert sent[0] == "*"
    assert {line.removeprefix("!") for line in sent if line.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)


@pytest.mark.parametrize("path", ["infra/otel/collector.yaml"])
def test_the_collector_listens_where_the_services_send(path: str) -> None:
    collector = yaml.safe_load((ROOT / path).read_text())
    port = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]
    for service in SERVICES:
        assert PARTS[service]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://collector:{port}"
    assert set(collector["service"]["pipelines"]) == {"traces", "metrics", "logs"}
    for pipeline in collector["service"]["pipelines"].values():
        for kind, names in pipeline.items():
            assert set(names) <= set(collector[kind])


def test_a_collector_can_be_built_that_has_all_its_configuration_names_in_the_version_of_the_image() -> None:
    named = yaml.safe_load((ROOT / "infra/otel/collector.yaml").read_text())
    built = yaml.safe_load((ROOT / "infra/otel/builder.yaml").read_text())
    assert PARTS["collector"]["image"].endswith(f":{built['dist']['version']}")
    for kind in ("receivers", "processors", "exporters"):
        modules = dict(one["gomod"].split() for one in built[kind])
        names = {name.replace("_", "") + kind.removesuffix("s") for name in named[kind]}
        assert {module.rpartition("/")[2] for module in modules} == names
        assert set(modules.values()) == {f"v{built['dist']['version']}"}
