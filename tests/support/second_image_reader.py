"""A second reader of model images that needs no more than docs/model-image.md: it shares no code and no constant."""

import hashlib
import struct


class SecondRefusalError(Exception):
    """The second reader's word: a reason of the page and an offset."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} at {offset}")
        self.verdict = reason, offset


def need(holds: bool, reason: str, offset: int) -> None:
    if not holds:
        raise SecondRefusalError(reason, offset)


class Numbers:
    """The sections between header and trailer, one after the other; each method takes one section."""

    def __init__(self, image: bytes) -> None:
        self.image = image
        self.next = 96
        self.start = 96
        self.end = len(image) - 104

    def take(self, length: int, *, padded: bool = False) -> bytes:
        self.start = self.next
        whole = -(-length // 4) * 4 if padded else length
        need(self.start + whole <= self.end, "truncated", self.start)
        self.next += whole
        for place in range(self.start + length, self.next):
            need(self.image[place] == 0, "padding", place)
        return self.image[self.start : self.start + length]

    def all(self, code: str, count: int, *, padded: bool = False) -> tuple[int, ...]:
        return struct.unpack(f"<{count}{code}", self.take(count * struct.calcsize(f"<{code}"), padded=padded))

    def within(self, values: tuple[int, ...], size: int, low: int, high: int, begin: int | None = None) -> None:
        """Numbers of a layer in their range; they stand from `begin` on, or are the last section."""
        for index, value in enumerate(values):
            need(low <= value <= high, "layer", (self.start if begin is None else begin) + size * index)

    def scalings(self, count: int) -> None:
        self.take(12 * count)
        for place in range(self.start, self.next, 12):
            multiplier, shift = struct.unpack_from("<II", self.image, place + 4)
            need(1 <= multiplier <= 2**30 - 1, "scaling", place + 4)
            need(1 <= shift <= 46, "scaling", place + 8)

    def edges(self, bands: int, last: int) -> None:
        edges = self.all("H", bands + 1, padded=True)
        for index in range(1, bands + 1):
            need(edges[index - 1] < edges[index] <= last, "edges", self.start + 2 * index)


class Header:
    """The fields that say what follows."""

    def __init__(self, image: bytes) -> None:
        self.kind, self.layers, self.bands, self.channels, self.features, self.window = struct.unpack_from(
            "<BBHHHI", image, 16
        )
        self.target, self.input, self.envelope_bands, self.first_bin, self.bins = struct.unpack_from(
            "<BBHHH", image, 76
        )
        self.inputs = self.features if self.input == 0 else self.channels * self.window


def check_frame(image: bytes) -> None:
    need(len(image) >= 200, "length", len(image))
    need(len(image) <= 2**20, "length", 2**20)
    magic, version, header_bytes, image_bytes = struct.unpack_from("<4sHHI", image)
    need(magic == b"TCSN", "magic", 0)
    need(version == 2, "format", 4)
    need(header_bytes == 96, "format", 6)
    need(image_bytes == len(image), "length", 8)
    need(hashlib.sha256(image[:-104]).digest() == image[-104:-72], "digest", len(image) - 104)


def windows_of(header: Header) -> set[int]:
    if header.kind == 1:
        return {2**power for power in range(5, 13)}
    return {2**power for power in range(0 if header.input == 1 else 2, 9)}


def check_header(image: bytes) -> Header:
    """The header, when every field is in its range."""
    header = Header(image)
    (version,), (hop, gap_ns) = struct.unpack_from("<I", image, 12), struct.unpack_from("<IQ", image, 28)
    input_multiplier, input_shift, _, zero, shift, multiplier = struct.unpack_from("<IBbbBI", image, 48)
    threshold, rate = struct.unpack_from("<QI", image, 64)
    slow = header.kind == 0
    need(version >= 1, "header", 12)
    need(header.kind in (0, 1), "header", 16)
    need(header.layers <= 12, "header", 17)
    need(header.bands == 0 if slow else header.bands in range(1, 65), "header", 18)
    need(header.channels in range(1, 1025), "header", 20)
    each = (0 if header.input == 1 else 4) if slow else 3 + header.bands + header.envelope_bands
    need(header.features == header.channels * each and header.features <= 4096, "header", 22)
    need(header.window in windows_of(header), "header", 24)
    need(header.input != 1 or header.channels * header.window <= 4096, "header", 24)
    need(hop == 1 if slow else 1 <= hop <= 2**24, "header", 28)
    need(1 <= gap_ns < 2**63, "header", 32)
    need(1 <= input_multiplier < 2**31, "header", 48)
    need(1 <= input_shift <= 62, "header", 52)
    need(1 <= shift <= 62, "header", 55)
    need(1 <= multiplier < 2**31, "header", 56)
    for value in (-128, 127):
        need(abs((value - zero) * multiplier + 2 ** (shift - 1) >> shift) <= 2**16, "header", 56)
    need(1 <= threshold < 2**39, "header", 64)
    need(rate >= 1, "header", 72)
    need(header.target <= 3, "header", 76)
    need(header.input == 0 or (header.input == 1 and header.layers > 0), "header", 77)
    need(header.envelope_bands <= (0 if slow else 64), "header", 78)
    if header.envelope_bands == 0:
        need(header.first_bin == 0, "header", 80)
        need(header.bins == 0, "header", 82)
    else:
        need(header.first_bin > 0, "header", 80)
        need(header.bins in {16, 32, 64, 128, 256, 512, 1024}, "header", 82)
        need(header.first_bin + header.bins <= header.window // 2, "header", 82)
    for place in range(84, 96):
        need(image[place] == 0, "padding", place)
    return header


def check_layer(sections: Numbers, values: int, wanted: int | None, target: int) -> int:
    """The layer's outputs; `values` stand before it, and it makes `wanted`, or as many as it likes."""
    inputs, outputs, _, _, kind, padding = struct.unpack("<HHbbBb", sections.take(8))
    begin = sections.start
    need(inputs == values, "layer", begin)
    need(1 <= outputs <= 4096 and wanted in (None, outputs), "layer", begin + 2)
    need(kind <= 2, "layer", begin + 6)
    need(kind != 0 or padding == 0, "padding", begin + 7)
    rows, columns, rounding = outputs, inputs, 0
    if kind != 0:
        channels, rows, taps, stride, pad, rounding = struct.unpack("<HHBBBB", sections.take(8))
        need(channels > 0 and inputs % channels == 0, "layer", begin + 8)
        need(rows > 0 and outputs % rows == 0 and (kind == 1 or rows % channels == 0), "layer", begin + 10)
        columns = taps * channels if kind == 1 else taps
        need(taps > 0 and columns <= 4096, "layer", begin + 12)
        need(stride > 0 and (outputs // rows - 1) * stride - pad < inputs // channels, "layer", begin + 13)
        need(pad < taps, "layer", begin + 14)
        need(rounding <= 1, "layer", begin + 15)
    if target > 0 and (kind == 0 or (kind == 1 and rounding == 0)):
        check_blocks(sections, rows, columns, target)
    else:
        check_rows(sections, rows, columns)
    return outputs


def check_rows(sections: Numbers, rows: int, columns: int) -> None:
    room = 2**14 * columns
    sections.within(sections.all("i", rows), 4, -(2**31) + room, 2**31 - 1 - room)
    sections.within(sections.all("I", rows), 4, 1, 2**31 - 1)
    sections.within(sections.all("B", rows, padded=True), 1, 1, 62)
    sections.take(rows * columns, padded=True)


def check_blocks(sections: Numbers, rows: int, columns: int, target: int) -> None:
    height, step = {1: (8, 1), 2: (4, 4), 3: (8, 16)}[target]
    width = -(-columns // step) * step
    blocks = -(-rows // height)
    plain, reserved, length = struct.unpack("<HHI", sections.take(8))
    words = -(-blocks // 32) if plain else 0
    need(reserved == 0, "padding", sections.start + 2)
    need(length == 4 * words + blocks * height * (9 + width), "layer", sections.start + 4)
    body = sections.take(length)
    bits = "".join(f"{word:032b}"[::-1] for word in struct.unpack_from(f"<{words}I", body)).ljust(blocks, "0")
    need(bits.count("1") == plain == bits[:blocks].count("1"), "layer", sections.start)
    for block in range(blocks):
        begin = 4 * words + block * height * (9 + width)
        starts = struct.unpack_from(f"<{height}i", body, begin)
        scales = begin + height * (4 + width)
        multipliers = struct.unpack_from(f"<{height}I", body, scales)
        shifts = struct.unpack_from(f"<{height}{'b' if target == 3 else 'B'}", body, scales + 4 * height)
        low, high = (-30, -1) if target == 3 else (0, 37)
        if bits[block] == "1":
            low, high = 1, 62
            room = 2**31 - 1 - 2**15 * width
            sections.within(starts, 4, -room, room, sections.start + begin)
        sections.within(multipliers, 4, 1, 2**31 - 1, sections.start + scales)
        sections.within(shifts, 1, low, high, sections.start + scales + 4 * height)


def second_read(image: bytes) -> None:
    """Nothing, or SecondRefusalError."""
    check_frame(image)
    header = check_header(image)
    sections = Numbers(image)
    sections.scalings(header.channels)
    if header.kind == 1:
        sections.edges(header.bands, header.window // 2 + 1)
    if header.envelope_bands > 0:
        sections.edges(header.envelope_bands, header.bins // 2 + 1)
    sections.scalings(header.features)
    sections.take(2 * header.inputs, padded=True)
    values = header.inputs
    for number in range(header.layers):
        last = number == header.layers - 1
        values = check_layer(sections, values, header.inputs if last else None, header.target)
    sections.take(2 * header.inputs, padded=True)
    sections.take(header.inputs, padded=True)
    need(sections.next == sections.end, "leftover", sections.next)


def second_verdict(image: bytes) -> tuple[str, int]:
    """Reason and offset; empty and 0 where the image is accepted."""
    try:
        second_read(image)
    except SecondRefusalError as refused:
        return refused.verdict
    return "", 0
