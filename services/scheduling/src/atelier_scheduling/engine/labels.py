"""Labels for studios and home groups: words without an order, dealt by the seed, the same for a whole term.

A label must never betray a level: which word a studio gets depends on a permutation that differs per site, term and
seed, and on nothing about its learners.
"""

import hashlib
from collections.abc import Iterable

_STUDIO_WORDS_TEXT = (
    "Alder Amber Anchor Aspen Aurora Bamboo Basil Bayou Beacon Birch Breeze Brook Canyon Cedar Cinder Citrus Clover "
    "Cobalt Comet Copper Coral Cove Cypress Dahlia Delta Dune Ember Falcon Fern Fjord Flint Forest Garnet Geyser "
    "Ginger Glade Granite Grove Harbor Hazel Heron Indigo Iris Island Ivy Jade Jasper Juniper Kelp Lagoon Lantern "
    "Larch Laurel Lichen Lilac Linden Lotus Magnet Mango Maple Marble Marigold Meadow Mesa Mint Mosaic Myrtle "
    "Nectar Nova Oasis Ochre Olive Onyx Opal Orchid Osprey Otter Pebble Pepper Petal Pine Plum Poppy Prairie Quartz "
    "Quill Raven Reed Ridge River Robin Rowan Saffron Sage Sequoia Shore Sierra Silver Sorrel Sparrow Spruce Summit "
    "Swift Teal Thistle Thyme Tide Topaz Tulip Tundra Valley Velvet Violet Walnut Willow Wren Yarrow Zephyr "
)
_STUDIO_WORDS = tuple(_STUDIO_WORDS_TEXT.split())
_HOME_WORDS_TEXT = (
    "Badger Beaver Bison Bobcat Caribou Condor Cougar Crane Dolphin Eagle Egret Elk Ermine Finch Fox Gecko Hare "
    "Hawk Ibis Jay Kestrel Kite Lark Lemur Lynx Manatee Marten Moose Newt Ocelot Orca Owl Pelican Penguin Puffin "
    "Puma Quail Salmon Seal Stork Swan Tapir Tern Turtle Walrus Wolf Wombat Yak "
)
_HOME_WORDS = tuple(_HOME_WORDS_TEXT.split())


class Labels:
    """Deals words in the order of a permutation made from ``salt`` (site, term, seed); words in ``taken`` are kept by
    who has them."""

    def __init__(self, salt: str, home: bool, taken: Iterable[str]) -> None:
        words = _HOME_WORDS if home else _STUDIO_WORDS
        self._words = sorted(words, key=lambda word: hashlib.blake2b(f"{salt}/{word}".encode()).digest())
        self._taken = set(taken)

    def deal(self, about: str) -> str:
        """A label for the thing named ``about``: its own place in the permutation, or the next free one; then pairs
        of words."""
        count = len(self._words)
        start = int.from_bytes(hashlib.blake2b(about.encode(), digest_size=6).digest(), "big")
        for step in range(count):
            word = self._words[(start + step) % count]
            if word not in self._taken:
                self._taken.add(word)
                return word
        for step in range(count * count):
            first = self._words[(start + step // count) % count]
            word = f"{first} {self._words[(start + 7 * step + 1) % count]}"
            if word not in self._taken:
                self._taken.add(word)
                return word
        return f"{self._words[start % count]} {start}"
