"""Puts the assessment service together, from parts that are handed in."""

from collections.abc import Mapping
from dataclasses import dataclass

from atelier.pathing.v1.events_pb2 import FrameworkListed
from atelier.profile.v1.events_pb2 import LearnerChanged, LearnerErased
from atelier_common.backfill import Backfill
from atelier_common.bus.port import Bus
from atelier_common.clock import Clock
from atelier_common.consumer import Subscription
from atelier_common.documents.port import Documents
from atelier_common.eventstore.port import EventStore
from atelier_common.grpc.kit import GrpcService
from atelier_common.lease import LEASE_MS
from atelier_common.privacy.keysource import KeySource
from atelier_common.security.tokens import TokenVerifier
from atelier_common.service import Service
from fastapi import APIRouter, FastAPI

from atelier_assessment.api.grpc import grpc_service
from atelier_assessment.api.http import LARGER_BODIES, assessment_app, routers
from atelier_assessment.api.parts import Parts
from atelier_assessment.domain.registry import registry
from atelier_assessment.projections.competencies import FRAMEWORK_LISTED, competencies
from atelier_assessment.projections.learners import LEARNER_CHANGED, LEARNER_ERASED, learners
from atelier_assessment.projections.mastery import mastery
from atelier_assessment.projections.parked import parked
from atelier_assessment.projections.waiting import waiting
from atelier_assessment.publish import TYPES, translate
from atelier_assessment.reactions import (
    when_evidence_recorded_then_estimate_mastery,
    when_facts_arrive_then_resolve_evidence,
    when_rules_adopted_then_reestimate,
    when_voiding_stated_then_void_evidence,
)
from atelier_assessment.recording.known import Known
from atelier_assessment.recording.recorder import Recorder
from atelier_assessment.rules_source import RulesSource

NAME = "assessment"


@dataclass(frozen=True)
class Assessment:
    """The service with its doors. ``app`` serves it alone; ``routers`` join an app that serves several."""

    service: Service
    parts: Parts
    routers: list[APIRouter]
    larger_bodies: Mapping[str, int]
    app: FastAPI
    grpc: GrpcService


def build(
    store: EventStore,
    documents: Documents,
    bus: Bus,
    backfill: Mapping[str, Backfill],
    clock: Clock,
    keysource: KeySource,
    verifier: TokenVerifier,
    *,
    owner: str = "",
    lease_ms: int = LEASE_MS,
) -> Assessment:
    """Everything wired, nothing started: ``service.start()`` begins to take in, follow and publish."""
    service = Service(
        NAME,
        registry,
        store=store,
        documents=documents,
        bus=bus,
        clock=clock,
        backfills=backfill,
        owner=owner,
        lease_ms=lease_ms,
    )
    service.subscribe(Subscription("pathing", ("pathing.framework",), {FRAMEWORK_LISTED: FrameworkListed}))
    service.subscribe(
        Subscription("profile", ("profile.learner",), {LEARNER_CHANGED: LearnerChanged, LEARNER_ERASED: LearnerErased})
    )
    models = {each.name: service.project(each) for each in (competencies, learners, mastery, parked, waiting)}
    known = Known(models["learners"], models["competencies"])
    rules = RulesSource(service.commands)
    service.react(when_evidence_recorded_then_estimate_mastery.reaction(rules))
    for reaction in when_facts_arrive_then_resolve_evidence.reactions(models["waiting"], known):
        service.react(reaction)
    service.react(when_voiding_stated_then_void_evidence.reaction)
    service.react(when_rules_adopted_then_reestimate.reaction(rules, models["mastery"]))
    service.publish(translate, TYPES)
    parts = Parts(
        commands=service.commands,
        store=store,
        clock=clock,
        recorder=Recorder(service.commands, keysource, known),
        known=known,
        rules=rules,
        mastery=models["mastery"],
        parked=models["parked"],
    )
    app = assessment_app(parts, verifier)
    return Assessment(service, parts, routers(parts), LARGER_BODIES, app, grpc_service(parts))
