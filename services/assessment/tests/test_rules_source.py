"""The rules in force, as the reactions of one process see them while another adopts others."""

from dataclasses import replace

from atelier_assessment.domain.rules import POLICY_KEY, AdoptPolicy, policy
from atelier_assessment.engine.policy import DEFAULT_POLICY
from atelier_assessment.rules_source import RulesSource
from atelier_common.commands import Commands, Request
from atelier_common.commit import Context
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.eventstore.documents import DocumentEventStore

TENANT = "fictional-district"


async def test_what_one_reaction_has_seen_adopted_counts_for_the_others_of_its_process_at_once():
    store = DocumentEventStore(MemoryDocuments())
    await store.start()
    here, there = RulesSource(Commands(store)), Commands(store)
    assert (await here.of(TENANT, within=60.0)).policy.version == 1
    strict = AdoptPolicy(replace(DEFAULT_POLICY, level=0.8), "admin-1", "agreed by the board", 5)
    await there.execute(Request(policy, POLICY_KEY, strict, Context(TENANT, "admin-1", "adopt", 5)))

    assert (await here.of(TENANT, within=60.0)).policy.version == 1, "it was looked up a moment ago"
    assert (await here.of(TENANT)).policy.version == 2
    assert (await here.of(TENANT, within=60.0)).policy.version == 2
    await store.close()
