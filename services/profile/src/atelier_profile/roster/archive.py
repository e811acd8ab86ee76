"""From the bytes of a zip to its tables as rows of text, with limits against bombs. Raises InvalidInput or TooLarge."""

import csv
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from atelier_common.errors import InvalidInput, TooLarge

from atelier_profile.roster.tables import MANIFEST, NEEDED, SET_ASIDE, TABLES, Table

MAX_MEMBERS = 64
MAX_UNPACKED = 512_000_000
"""Bytes of all tables together; a district of half a million learners stays well below."""
MAX_RATIO = 200
"""Roster tables pack at most some 20 to 1; what unpacks further than this is not a roster."""
_RATIO_MATTERS_FROM = 1_000_000
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    IndexError,
    NotImplementedError,
    RuntimeError,
)
"""What the standard library raises, now here and now there, for a zip whose bytes are not what they should be."""


@dataclass(frozen=True, slots=True)
class Row:
    """One data row; ``number`` counts from 1 at the header, as a spreadsheet shows it."""

    number: int
    values: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.values[column]


Tables = Mapping[str, tuple[Row, ...]]


def read_archive(content: bytes) -> Tables:
    """Every roster table of the zip that its manifest calls bulk; a table that it calls absent is empty."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except _DAMAGE as error:
        raise InvalidInput("this is not a zip file", table="", row=0, column="") from error
    with archive:
        members = _members(archive)
        modes = _modes(archive, members)
        return {name: _rows(archive, members[f"{name}.csv"], TABLES[name]) for name in TABLES if modes[name] == "bulk"}


def refused(detail: str, table: str, row: int = 0, column: str = "", **more: object) -> InvalidInput:
    """The refusal of a whole zip, naming the place. ``row`` 0 means the table itself, ``column`` '' the row itself."""
    place = f"{table}.csv" + (f", row {row}" if row else "") + (f", column {column}" if column else "")
    return InvalidInput(f"{place}: {detail}", table=table, row=row, column=column, **more)


def _members(archive: zipfile.ZipFile) -> Mapping[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise TooLarge(f"the zip holds {len(infos)} files; at most {MAX_MEMBERS}")
    if sum(info.file_size for info in infos) > MAX_UNPACKED:
        raise TooLarge(f"the zip unpacks to more than {MAX_UNPACKED} bytes")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = info.filename
        table = name.removesuffix(".csv")
        if "/" in name or "\\" in name:
            raise refused("the files of a roster lie at the top of the zip, in no folder", table)
        if name in members:
            raise refused("this file is in the zip twice", table)
        if info.flag_bits & 0x1:
            raise refused("encrypted files cannot be read", table)
        if info.file_size > _RATIO_MATTERS_FROM and info.file_size > MAX_RATIO * max(1, info.compress_size):
            raise TooLarge(f"{name} unpacks to more than {MAX_RATIO} times its packed size")
        members[name] = info
    return members


def _modes(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> Mapping[str, str]:
    """What the manifest says of each roster table: bulk or absent."""
    if "manifest.csv" not in members:
        raise refused("the table is missing", "manifest")
    said: dict[str, tuple[int, str]] = {}
    for number, cells in _cells(archive, members["manifest.csv"], "manifest"):
        if number == 1:
            if tuple(cells) != MANIFEST:
                raise refused(f"the header must be {','.join(MANIFEST)}", "manifest", 1)
            continue
        if len(cells) != 2:
            raise refused("a manifest row has a name and a value", "manifest", number)
        if cells[0] in said:
            raise refused(f"{cells[0]} stands here twice", "manifest", number, "propertyName")
        said[cells[0]] = (number, cells[1])
    _require(said, "manifest.version", "1.0")
    _require(said, "oneroster.version", "1.2")
    modes = {name: _mode(name, said, members) for name in TABLES}
    for name in members:
        table = name.removesuffix(".csv")
        if name != "manifest.csv" and table not in TABLES and table not in SET_ASIDE:
            raise refused("OneRoster 1.2 has no such table", table)
    return modes


def _require(said: Mapping[str, tuple[int, str]], name: str, value: str) -> None:
    row, found = said.get(name, (0, ""))
    if found != value:
        raise refused(f"{name} must be {value}", "manifest", row, "value")


def _mode(name: str, said: Mapping[str, tuple[int, str]], members: Mapping[str, zipfile.ZipInfo]) -> str:
    row, mode = said.get(f"file.{name}", (0, "absent"))
    present = f"{name}.csv" in members
    if mode == "delta":
        raise refused(
            f"{name} is sent as delta; send the whole table (bulk), the difference is found here", "manifest", row
        )
    if mode not in ("bulk", "absent"):
        raise refused("a table is bulk, delta or absent", "manifest", row, "value")
    if mode == "bulk" and not present:
        raise refused("the manifest promises this table and the zip does not hold it", name)
    if mode == "absent" and present:
        raise refused("the zip holds this table and the manifest calls it absent", name)
    if mode == "absent" and name in NEEDED:
        raise refused("the table is missing; there is no roster without it", name)
    return mode


def _rows(archive: zipfile.ZipFile, member: zipfile.ZipInfo, table: Table) -> tuple[Row, ...]:
    columns: list[str] = []
    rows: list[Row] = []
    for number, cells in _cells(archive, member, table.name):
        if number == 1:
            columns = _header(cells, table)
        elif cells:
            if len(cells) != len(columns):
                raise refused(f"the row has {len(cells)} cells and the header {len(columns)}", table.name, number)
            rows.append(Row(number, dict(zip(columns, cells, strict=True))))
    if not columns:
        raise refused("the file is empty; it needs at least its header", table.name)
    return tuple(rows)


def _header(cells: list[str], table: Table) -> list[str]:
    for place, expected in enumerate(table.columns):
        found = cells[place] if place < len(cells) else ""
        if found != expected:
            # What stands there instead is not repeated: a file without a header has a person in its first row.
            said = "is another" if found else "is missing"
            raise refused(f"column {place + 1} must be {expected} and {said}", table.name, 1, expected)
    for place, extra in enumerate(cells[len(table.columns) :], start=len(table.columns) + 1):
        if not extra.startswith("metadata."):
            raise refused(f"column {place} is none of this table; own columns begin with metadata.", table.name, 1)
    return cells


def _cells(archive: zipfile.ZipFile, member: zipfile.ZipInfo, table: str) -> Iterator[tuple[int, list[str]]]:
    row = 0
    try:
        # utf-8-sig: spreadsheets put a byte order mark in front.
        with archive.open(member) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
            for row, cells in enumerate(csv.reader(text, strict=True), start=1):
                yield row, cells
    except UnicodeDecodeError as error:
        raise refused("the file is not UTF-8", table, row + 1) from error
    except csv.Error as error:
        raise refused(f"this is not CSV as RFC 4180 has it ({error})", table, row + 1) from error
    except _DAMAGE as error:
        raise refused("the zip is damaged here", table, row + 1) from error
