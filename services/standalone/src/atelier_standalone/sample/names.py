"""Names that nobody bears: a bird, and a tree joined to a mineral."""

from collections.abc import Iterator
from random import Random


def words(text: str, separator: str | None = None) -> tuple[str, ...]:
    """The parts of a text, so that long lists stay readable."""
    return tuple(text.split(separator))


_BIRDS = words(
    "Avocet Bittern Chough Dipper Dunlin Egret Fulmar Gadwall Godwit Goosander Heron Hoopoe Kestrel Knot Lapwing Linnet "
    "Nuthatch Osprey Petrel Pipit Plover Pochard Redshank Sanderling Shearwater Shrike Siskin Smew Tern Turnstone Twite "
    "Wagtail Waxwing Wheatear Whimbrel Wigeon Wryneck Yaffle"
)
_TREES = words(
    "Alder Aspen Baobab Beech Cedar Cypress Hemlock Hornbeam Larch Mangrove Medlar Poplar Quince Spruce Tamarisk"
)
_MINERALS = words(
    "Agate Basalt Calcite Dolomite Feldspar Galena Gneiss Granite Gypsum Marl Mica Olivine Pumice Quartz Schist Talc"
)


def drawn_names(random: Random) -> Iterator[tuple[str, str]]:
    """Pairs of given and family name, no pair twice."""
    every = [(bird, f"{tree}-{mineral}") for bird in _BIRDS for tree in _TREES for mineral in _MINERALS]
    return iter(random.sample(every, len(every)))
