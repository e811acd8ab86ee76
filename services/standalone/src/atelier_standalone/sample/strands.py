"""The sample framework's subjects, strands and steps, read from ``competencies.txt`` beside this module."""

import re
from dataclasses import dataclass
from importlib.resources import files

NUMBERS, LANGUAGE, NATURE, SOCIETY, MAKING = SUBJECTS = ("Numbers", "Language", "Nature", "Society", "Making")
_BRIDGE = re.compile(r"(\w+\.\d) (=>|->) (\w+\.\d)")
_STRAND = re.compile(r"## (\w+) (.+)")


@dataclass(frozen=True, slots=True)
class Strand:
    """Steps that build on each other. ``essential`` are the places, from 2, of steps that nobody begins without the step before."""

    subject: str
    code: str
    title: str
    steps: tuple[str, ...]
    essential: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """``first`` comes before ``then``; both are codes of steps, such as ``NCO.2``."""

    first: str
    then: str
    essential: bool


def read_strands() -> tuple[tuple[Strand, ...], tuple[Edge, ...]]:
    """Every strand, and the edges between strands."""
    subject = ""
    strands: list[Strand] = []
    bridges: list[Edge] = []
    for line in files(__package__).joinpath("competencies.txt").read_text("utf-8").splitlines():
        if line.removeprefix("# ") in SUBJECTS:
            subject = line.removeprefix("# ")
        elif heading := _STRAND.fullmatch(line):
            strands.append(Strand(subject, heading[1], heading[2], (), ()))
        elif strands and line[:2] in ("- ", "* "):
            strands[-1] = _with_step(strands[-1], line[2:], line.startswith("*"))
        elif bridge := _BRIDGE.fullmatch(line):
            bridges.append(Edge(bridge[1], bridge[3], bridge[2] == "=>"))
    return tuple(strands), tuple(bridges)


def _with_step(strand: Strand, text: str, essential: bool) -> Strand:
    steps = (*strand.steps, text)
    places = (*strand.essential, len(steps)) if essential else strand.essential
    return Strand(strand.subject, strand.code, strand.title, steps, places)


STRANDS, BRIDGES = read_strands()
