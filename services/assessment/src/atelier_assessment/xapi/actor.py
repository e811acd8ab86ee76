"""Who: by account only. The account's name is the OneRoster sourcedId; it is turned into a pseudonym before anything is stored."""

from typing import Any

from atelier_assessment.recording.report import Person
from atelier_assessment.xapi.malformed import MalformedStatement
from atelier_assessment.xapi.values import a_text, an_iri, an_object

_AGENT = frozenset({"objectType", "name", "mbox", "mbox_sha1sum", "openid", "account"})
_GROUP = _AGENT | {"member"}
_ACCOUNT = frozenset({"homePage", "name"})


def read_agent(value: Any, field: str) -> Person:
    """The person of an Agent. Raises MalformedStatement for one named by mail address or OpenID, and for a Group."""
    agent = an_object(value, field, _GROUP)
    kind = agent.get("objectType", "Agent")
    if kind == "Group":
        raise MalformedStatement(
            f"{field} is a Group; send a statement for each learner and name the others in context.team", field=field
        )
    if kind != "Agent":
        raise MalformedStatement(f"{field}.objectType is Agent", field=f"{field}.objectType")
    if "member" in agent:
        raise MalformedStatement(f"{field} is an Agent and has no members", field=f"{field}.member")
    for name in ("mbox", "mbox_sha1sum", "openid"):
        if name in agent:
            raise MalformedStatement(
                f"{field} is named by {name}; here people are named by account only, so that no address is kept",
                field=f"{field}.{name}",
            )
    if "account" not in agent:
        raise MalformedStatement(f"{field} has an account (homePage and name)", field=f"{field}.account")
    if "name" in agent:
        a_text(agent["name"], f"{field}.name")
    account = an_object(agent["account"], f"{field}.account", _ACCOUNT)
    an_iri(account.get("homePage"), f"{field}.account.homePage")
    return Person(a_text(account.get("name"), f"{field}.account.name", 255))


def read_team(value: Any, field: str) -> tuple[Person, ...]:
    """The members of a Group."""
    group = an_object(value, field, _GROUP)
    if group.get("objectType") != "Group":
        raise MalformedStatement(f"{field} is a Group", field=f"{field}.objectType")
    members = group.get("member", [])
    if type(members) is not list:
        raise MalformedStatement(f"{field}.member is a list of Agents", field=f"{field}.member")
    return tuple(read_agent(member, f"{field}.member") for member in members)
