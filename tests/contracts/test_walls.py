"""The walls themselves can fail, and pure code calls no clock, no chance and no world."""

import ast
from pathlib import Path

import pytest
from grimp import ImportGraph

from tests.contracts.walls import IMPURE, KeptTo, OnlyImports

ROOT = Path(__file__).resolve().parents[2]
PURE_FOLDERS = sorted(
    folder for kind in ("domain", "engine") for folder in ROOT.glob(f"services/*/src/*/{kind}") if folder.is_dir()
)
# Calls that read a clock, draw a lot or touch the world although their module may be imported.
IMPURE_METHODS = {"now", "utcnow", "today", "uuid1", "uuid4"}
IMPURE_FUNCTIONS = IMPURE_METHODS | {"open", "print", "input"}


def graph_of(*imports: tuple[str, str]) -> ImportGraph:
    graph = ImportGraph()
    for importer, imported in imports:
        for module in (importer, imported):
            if module not in graph.modules:
                graph.add_module(module)
        graph.add_import(importer=importer, imported=imported, line_number=3, line_contents="import it")
    return graph


def only_imports(**options: object) -> OnlyImports:
    return OnlyImports("wall", {}, {"modules": ["harbour.domain"], **options})


def test_an_allow_list_keeps_what_it_allows() -> None:
    graph = graph_of(("harbour.domain.pier", "dataclasses"), ("harbour.domain.pier", "harbour.domain.crane"))
    assert only_imports(pure="True").check(graph, False).kept


def test_an_allow_list_names_what_it_does_not_allow() -> None:
    check = only_imports().check(graph_of(("harbour.domain.pier", "harbour.api")), False)
    assert not check.kept
    assert check.metadata["broken"] == ["harbour.domain.pier imports harbour.api (line 3)"]


@pytest.mark.parametrize("module", sorted(IMPURE))
def test_pure_code_may_not_import(module: str) -> None:
    graph = graph_of(("harbour.domain.pier", module))
    assert not only_imports(pure="True").check(graph, False).kept
    assert only_imports().check(graph, False).kept


def test_a_wall_around_nothing_is_a_broken_wall() -> None:
    check = only_imports().check(graph_of(("elsewhere.domain", "dataclasses")), False)
    assert check.metadata["broken"] == ["harbour.domain does not exist, so its imports cannot be checked"]


def test_an_import_kept_to_one_module_is_refused_to_another() -> None:
    wall = KeptTo("wall", {}, {"imported": ["sqlite3"], "importers": ["harbour.store"]})
    assert wall.check(graph_of(("harbour.store", "sqlite3")), False).kept
    check = wall.check(graph_of(("harbour.store", "sqlite3"), ("harbour.pier", "sqlite3")), False)
    assert check.metadata["broken"] == ["harbour.pier imports sqlite3 (line 3)"]


def test_every_service_has_a_domain_to_look_at() -> None:
    owners = {folder.parent.name for folder in PURE_FOLDERS if folder.name == "domain"}
    assert owners == {"atelier_profile", "atelier_assessment", "atelier_pathing", "atelier_scheduling"}


@pytest.mark.parametrize("folder", PURE_FOLDERS, ids=lambda folder: f"{folder.parent.name}.{folder.name}")
def test_pure_code_calls_no_clock_no_chance_and_no_world(folder: Path) -> None:
    found = []
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(attr=name)) if name in IMPURE_METHODS:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno} calls {name}()")
                case ast.Call(func=ast.Name(id=name)) if name in IMPURE_FUNCTIONS:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno} calls {name}()")
    assert found == []
