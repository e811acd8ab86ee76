"""The door of the planning engine: plain data in, plain data out. Everything else in this package is its inside."""

from atelier_scheduling.engine.applying import apply_changes
from atelier_scheduling.engine.assembling import ENGINE
from atelier_scheduling.engine.diagnosis import diagnose
from atelier_scheduling.engine.explanation import explain
from atelier_scheduling.engine.planning import plan
from atelier_scheduling.engine.rendering import render, school_sentence, sentence
from atelier_scheduling.engine.repair import repair

__all__ = ["ENGINE", "apply_changes", "diagnose", "explain", "plan", "render", "repair", "school_sentence", "sentence"]
