"""The tables of docs/model-image.md say what the reader does: offsets, sizes, ranges, reasons."""

import hashlib
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from image_verdicts import verdict_of
from layer_images import convolution, dense, layered_image, with_drawn_blocks
from small_devices import small_image, small_profile

from firmware.build import C_FOLDER
from firmware.codegen.limits import header_offsets
from shared import model_image
from shared.image_sections import REASONS
from shared.quantized import targets

PAGE = Path(__file__).parents[3] / "docs" / "model-image.md"
CODES = {"uint8": "B", "int8": "b", "uint16": "H", "uint32": "I", "uint64": "Q"}
#: Offset of the first layer of `slow_samples`, behind one channel and four weights.
LAYER = 96 + 12 + 8


def tables() -> dict[str, list[list[str]]]:
    """Rows of cells of the page's tables, by "the heading above: the cell at the upper left"."""
    found: dict[str, list[list[str]]] = {}
    heading, rows = "", []
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            rows = []
        elif not rows:
            rows = found.setdefault(f"{heading}: {cells[0]}", [])
            rows.append(cells)
        elif not set(line) <= set("|-"):
            rows.append(cells)
    return {name: rows[1:] for name, rows in found.items()}


TABLES = tables()
HEADER = TABLES["Header: offset"]
LAYER_FIELDS = TABLES["Layers: offset"]


def number(text: str) -> int:
    """A number of the page, such as `2^31` with or without what is added; those of this page alone are evaluated."""
    assert re.fullmatch(r"[-0-9^ +]+", text), text
    return int(eval(text.replace("^", "**")))


def range_of(cell: str, kind: str = "") -> tuple[int, int] | None:
    """The range that a cell gives, to devices of this kind where it tells two apart; None: no plain range."""
    if kind and f"{kind}: " in cell:
        cell = cell.split(f"{kind}: ")[1]
    found = re.match(r"(-?[0-9^]+)(?: to (-?[0-9^]+(?: - 1)?))", cell)
    return None if found is None else (number(found[1]), number(found[2]))


def sealed(content) -> bytearray:
    return bytearray(model_image.seal(model_image.encode(content)))


def with_number(image: bytearray, place: int, code: str, value: int) -> bytes:
    changed = bytearray(image)
    struct.pack_into(f"<{code}", changed, place, value)
    changed[-104:-72] = hashlib.sha256(changed[:-104]).digest()
    return bytes(changed)


def slow() -> bytearray:
    return sealed(small_image(small_profile()))


def fast() -> bytearray:
    content = layered_image(
        3, kind=1, channels=1, window=128, hop=64, bands=2, samples=False, envelope=(1, 16, [0, 4, 9])
    )
    content.output_multiplier, content.output_shift = 1, 62  # room for every multiplier
    return sealed(content)


def slow_samples() -> bytearray:
    rng = np.random.default_rng(0)
    layers = [convolution(rng, 4, 1, filters=2, taps=3, pad=1), dense(rng, 8, 4)]
    layers[0].outputs = 8
    return sealed(layered_image(0, channels=1, window=4, layers=layers))


def test_the_header_has_the_offsets_of_the_code():
    offsets = [int(row[0]) for row in HEADER]
    assert offsets == [offset for _, offset in header_offsets()]
    assert [int(row[1]) for row in HEADER] == [
        after - offset for offset, after in zip(offsets, [*offsets[1:], model_image.HEADER_BYTES], strict=True)
    ]


@pytest.mark.parametrize("row", [*HEADER, *LAYER_FIELDS], ids=lambda row: row[3][:20])
def test_a_type_has_the_bytes_that_stand_beside_it(row):
    assert row[2] == "bytes" or struct.calcsize(f"<{CODES[row[2]]}") == int(row[1])


@pytest.mark.parametrize("kind", ["slow", "fast"])
@pytest.mark.parametrize("row", HEADER[4:-1], ids=lambda row: row[3][:20])
def test_the_range_of_a_header_field(row, kind):
    """A number beside its ends is refused at that field, the ends and *any* are not."""
    image, place = slow() if kind == "slow" else fast(), int(row[0])
    if row[4] == "any":
        for value in (0, 255):
            changed = image[:place] + bytes([value]) * int(row[1]) + image[place + int(row[1]) :]
            assert verdict_of(with_number(changed, 12, "I", 1)) == ("", 0)
        return
    limits = range_of(row[4], kind)
    if limits is None:
        assert place in {22, 24, 80, 82}  # told in words, tried below
        return
    for value in limits:
        whole = with_features(with_number(image, place, CODES[row[2]], value), place)
        assert verdict_of(whole) != ("header", place), value
    tried = [value for value in (limits[0] - 1, limits[1] + 1) if 0 <= value < 1 << 8 * int(row[1])]
    for value in tried:
        whole = with_features(with_number(image, place, CODES[row[2]], value), place)
        assert verdict_of(whole) == ("header", place), value


def with_features(image: bytes, place: int) -> bytes:
    """As many features as the bands and envelope bands ask for, where these were changed."""
    (bands, channels), (envelope_bands,) = struct.unpack_from("<HH", image, 18), struct.unpack_from("<H", image, 78)
    if place not in {18, 78} or image[16] != 1:
        return image
    return with_number(bytearray(image), 22, "H", channels * (3 + bands + envelope_bands))


@pytest.mark.parametrize("row", HEADER[:4], ids=lambda row: row[3])
def test_the_first_fields_have_reasons_of_their_own(row):
    reason = re.search(r"else \*(\w+)\*", row[4])
    assert reason is not None
    image = slow()
    image[int(row[0])] ^= 1
    assert verdict_of(bytes(image)) == (reason[1], int(row[0]))


def test_windows_and_envelopes_told_in_words():
    cells = {int(row[0]): row[4] for row in HEADER}
    for image, kind in ((slow(), "slow"), (fast(), "fast")):
        low, high = range_of(cells[24], kind)
        accepted = {window for window in range(1, 8193) if verdict_of(with_number(image, 24, "I", window))[1] != 24}
        assert accepted == {2**power for power in range(14) if low <= 2**power <= high}
    low, high = range_of(cells[82].split("a power of two, ")[1])
    for bins in (low // 2, low, 24, high, high * 2):
        whole = with_number(bytearray(with_number(fast(), 24, "I", 4096)), 82, "H", bins)
        assert (verdict_of(whole) == ("header", 82)) == (bins not in {low, high}), bins
    assert verdict_of(with_number(fast(), 80, "H", 0)) == ("header", 80)
    assert verdict_of(with_number(fast(), 82, "H", 64)) == ("header", 82)  # first bin and bins pass half the window
    assert verdict_of(with_number(slow(), 80, "H", 1)) == ("header", 80)
    assert verdict_of(with_number(slow(), 82, "H", 16)) == ("header", 82)


@pytest.mark.parametrize("row", LAYER_FIELDS, ids=lambda row: row[3][:20])
def test_the_range_of_a_layer_field(row):
    """A number beside the range of its field is refused at that field, every byte of a free one is not."""
    image, place = slow_samples(), LAYER + int(row[0])
    assert verdict_of(bytes(image)) == ("", 0)
    code, limits = CODES[row[2]], range_of(row[4])
    if limits is None:
        assert row[4].startswith(("any", "as many as", "below taps"))
        if row[4].startswith("any"):
            assert {verdict_of(with_number(image, place, code, value)) for value in (-128, 0, 127)} == {("", 0)}
        else:
            assert verdict_of(with_number(image, place, code, 5)) == ("layer", place)
        return
    for value in (limits[0] - 1, limits[1] + 1):
        if 0 <= value < 1 << 8 * int(row[1]):
            assert verdict_of(with_number(image, place, code, value)) == ("layer", place), value
    assert limits[0] <= struct.unpack_from(f"<{code}", image, place)[0] <= limits[1]


def test_scalings_rows_and_blocks_have_the_ranges_of_the_page():
    image = slow_samples()
    channels = TABLES["Sections and trailer: section"][0][3]
    multiplier, shift = (number(each) for each in re.findall(r" to ([0-9^]+(?: - 1)?)", channels))
    rows = {row[0]: row[3] for row in TABLES["Layers: section"]}
    bias = [2**31 - 1 - 2**14 * 3, -(2**31) + 2**14 * 3]
    assert rows["biases"].startswith("-2^31 + 2^14 * columns to 2^31 - 1 - 2^14 * columns")
    body = LAYER + 16
    for place, code, last, step, reason in (
        (100, "I", multiplier, 1, "scaling"),
        (104, "I", shift, 1, "scaling"),
        (body, "i", bias[0], 1, "layer"),
        (body, "i", bias[1], -1, "layer"),
        (body + 8, "I", range_of(rows["multipliers"])[1], 1, "layer"),
        (body + 16, "B", range_of(rows["shifts, padded"])[1], 1, "layer"),
    ):
        assert verdict_of(with_number(image, place, code, last)) == ("", 0), place
        assert verdict_of(with_number(image, place, code, last + step)) == (reason, place), place


def test_reasons_are_those_of_both_readers():
    rows = TABLES["How a reader goes: status in C"]
    assert [(int(row[0]), row[1]) for row in rows] == list(enumerate(REASONS, 1))
    header = (C_FOLDER / "include" / "tocsin_status.h").read_text()
    names = re.findall(r"^    TOCSIN_(\w+)(?: = 0)?,", header, re.MULTILINE)
    assert names[0] == "OK"
    words = [name.removeprefix("IMAGE_").removesuffix("_UNKNOWN").lower() for name in names[1 : len(REASONS) + 1]]
    assert words == list(REASONS)


def test_targets_are_those_of_the_code():
    rows = TABLES["Packed layers: target"]
    told = [[f"{number} {targets.target_name(number)}", targets.packed(number)] for number in (1, 2, 3)]
    assert [row[0] for row in rows] == [name for name, _ in told]
    for row, (_, target) in zip(rows, told, strict=True):
        assert [int(row[1]), int(row[2])] == [target.block_rows, target.column_step]
        assert range_of(row[3]) == (target.shift_least, target.shift_most)


@pytest.mark.parametrize("target", [1, 2, 3])
def test_the_parts_of_a_block_stand_where_the_page_says(target):
    """A number out of its range, put where the table says that its part begins, is refused there."""
    content = with_drawn_blocks(layered_image(6, channels=1, window=16), target, plain_part=0.0)
    image, body = sealed(content), content.layers[0].packed
    assert verdict_of(bytes(image)) == ("", 0)
    block, layout = bytes(image).index(body), targets.packed(target)
    values = {"R": layout.block_rows, "C": layout.columns_of(content.layers[0].columns)}
    starts = [eval(row[0], {}, values) for row in TABLES["Packed layers: offset in the block"]]
    sizes = [eval(row[1], {}, values) for row in TABLES["Packed layers: offset in the block"]]
    assert starts == [sum(sizes[:part]) for part in range(4)]
    assert sum(sizes) == layout.block_bytes(content.layers[0].columns)
    assert verdict_of(with_number(image, block + starts[2], "I", 0)) == ("layer", block + starts[2])
    assert verdict_of(with_number(image, block + starts[3], "B", 63)) == ("layer", block + starts[3])
    assert verdict_of(with_number(image, block - 6, "H", 1)) == ("padding", block - 6)
    assert verdict_of(with_number(image, block - 4, "I", 4)) == ("layer", block - 4)
