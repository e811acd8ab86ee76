"""Which subject an item belongs to, when packages say it in three different places or nowhere."""

from collections.abc import Mapping, Sequence
from typing import Any

from atelier_words.plain import without_grades

from atelier_pathing.case.grades import betrays_grade

NO_NAME = "General"


def subject_of_document(document: Mapping[str, Any]) -> str:
    """The document's own subject, if it names exactly one; else its title. Without a grade, if it names one."""
    subjects = _texts(document.get("subject"))
    return without_grades(subjects[0] if len(subjects) == 1 else str(document["title"])) or NO_NAME


def subjects_of_items(
    items: Sequence[Mapping[str, Any]], parents: Mapping[str, str], document: Mapping[str, Any]
) -> list[str]:
    """One subject per item: its own or its nearest heading's, else its topmost heading, else the document's.

    ``parents`` maps an item to the item it is a child of. A subject is shown to learners, so topmost headings serve
    only where none of them is a grade or level and the document does not name one subject for all.
    """
    by_id = {item["identifier"]: item for item in items}
    fallback = subject_of_document(document)
    chains = [_chain(item, by_id, parents) for item in items]
    names = {chain[-1]["identifier"]: _name(chain[-1]) for chain in chains if len(chain) > 1}
    by_heading = len(_texts(document.get("subject"))) != 1 and all(names.values())

    def of(chain: Sequence[Mapping[str, Any]]) -> str:
        stated = next((texts[0] for link in chain if (texts := _texts(link.get("subject")))), "")
        return without_grades(stated) or (names.get(chain[-1]["identifier"], "") if by_heading else "") or fallback

    return [of(chain) for chain in chains]


def _chain(
    item: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]], parents: Mapping[str, str]
) -> list[Mapping[str, Any]]:
    """The item, its heading, the heading's heading, up to the topmost; a circle of headings is walked once."""
    chain, met = [item], {item["identifier"]}
    while (above := by_id.get(parents.get(chain[-1]["identifier"], ""))) and above["identifier"] not in met:
        chain.append(above)
        met.add(above["identifier"])
    return chain


def _name(heading: Mapping[str, Any]) -> str:
    """What a topmost heading is called, or nothing where that would betray a grade."""
    text = str(heading.get("abbreviatedStatement") or heading["fullStatement"]).strip()
    kind = str(heading.get("CFItemType") or "")
    betrays = heading.get("educationLevel") or betrays_grade(text) or betrays_grade(kind)
    return "" if betrays or len(text) > 60 else text


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        return []
    return [text.strip() for text in value if isinstance(text, str) and text.strip()]
