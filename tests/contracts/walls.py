"""The two kinds of wall that import-linter does not bring: an allow-list, and an import kept to one module.

Both fail when they name a module that is not there: a wall that cannot be checked is a broken wall.
"""

import sys
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

# What the standard library has of clocks, chance and the world outside; pure code imports none of it.
IMPURE = frozenset(
    {
        "asyncio",
        "ctypes",
        "http",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "random",
        "secrets",
        "select",
        "shutil",
        "signal",
    }
    | {"socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib"}
)


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _modules_of(graph: ImportGraph, packages: list[str]) -> tuple[list[str], list[str]]:
    """Every module inside ``packages``, and the packages that do not exist."""
    found: list[str] = []
    missing: list[str] = []
    for package in packages:
        inside = [module for module in graph.modules if _within(module, package)]
        found += inside
        if not inside:
            missing.append(package)
    return sorted(set(found)), missing


def _lines(graph: ImportGraph, importer: str, imported: str) -> str:
    details = graph.get_import_details(importer=importer, imported=imported)
    return ", ".join(f"line {detail['line_number']}" for detail in details) or "unknown line"


class OnlyImports(Contract):
    """Modules in ``modules`` import directly only: each other, the standard library, and ``allowed``.

    With ``pure``, nothing of the standard library that reaches a clock, chance or the world outside.
    """

    type_name = "only_imports"
    modules = fields.ListField(subfield=fields.StringField())
    allowed = fields.ListField(subfield=fields.StringField(), required=False, default=[])
    pure = fields.BooleanField(required=False, default=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002
        packages: Any = self.modules
        importers, missing = _modules_of(graph, packages)
        broken = [
            (importer, imported)
            for importer in importers
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if not self._may(imported, packages)
        ]
        described = [f"{a} imports {b} ({_lines(graph, a, b)})" for a, b in broken]
        described += [f"{package} does not exist, so its imports cannot be checked" for package in missing]
        return ContractCheck(kept=not described, metadata={"broken": described})

    def _may(self, imported: str, packages: list[str]) -> bool:
        allowed: Any = self.allowed
        if any(_within(imported, package) for package in [*packages, *allowed]):
            return True
        top = imported.partition(".")[0]
        return top in sys.stdlib_module_names and not (self.pure and top in IMPURE)

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["broken"]:
            output.print_error(line)


class KeptTo(Contract):
    """Only ``importers`` import ``imported`` directly, among the modules of ``within`` (or all, if it is not given)."""

    type_name = "kept_to"
    imported = fields.ListField(subfield=fields.StringField())
    importers = fields.ListField(subfield=fields.StringField())
    within = fields.ListField(subfield=fields.StringField(), required=False, default=[])

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002
        imported: Any = self.imported
        importers: Any = self.importers
        places: Any = self.within
        described = []
        for package in imported:
            if package not in graph.modules:
                continue  # Nobody imports it: the wall stands.
            for importer in sorted(graph.find_modules_that_directly_import(package)):
                inside = not places or any(_within(importer, place) for place in places)
                if inside and importer not in importers:
                    described.append(f"{importer} imports {package} ({_lines(graph, importer, package)})")
        _, missing = _modules_of(graph, places)
        described += [f"{place} does not exist, so its imports cannot be checked" for place in missing]
        return ContractCheck(kept=not described, metadata={"broken": described})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["broken"]:
            output.print_error(line)
