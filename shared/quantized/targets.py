"""For which processors the layers of an image may be packed, and how many bytes that makes. Runs in MicroPython too.

A packed layer stands in blocks of `block_rows` rows with the columns of each row padded to a multiple of `column_step`:

    4 * block_rows               start values: int32 (biases where the block is plain)
    block_rows * columns         weights, in the order in which the processor's kernel reads them
    4 * block_rows               multipliers, uint32
    block_rows                   shifts, one byte each

What the bytes mean is the subject of `firmware/kernels`; here is what a reader of images must know to check sizes.
"""

#: Layers row by row, as the plain loops of every device read them.
TARGET_ANY = 0
TARGET_CORTEX_M0 = 1
TARGET_DSP = 2
TARGET_MVE = 3


class Target:
    """One layout: its number in the image, its name, rows of a block, and the step to which columns are padded.

    `shift_least` and `shift_most` bound the shift byte of a packed row; a negative one is held as int8. The rows of a
    plain block have the shifts of unpacked layers instead.
    """

    def __init__(
        self, number: int, name: str, block_rows: int, column_step: int, shift_least: int, shift_most: int
    ) -> None:
        self.number = number
        self.name = name
        self.block_rows = block_rows
        self.column_step = column_step
        self.shift_least = shift_least
        self.shift_most = shift_most

    def columns_of(self, columns: int) -> int:
        """Columns of a packed row of `columns` weights."""
        return -(-columns // self.column_step) * self.column_step

    def blocks_of(self, rows: int) -> int:
        """Blocks of a layer of `rows` rows."""
        return -(-rows // self.block_rows)

    def block_bytes(self, columns: int) -> int:
        """Bytes of one block with rows of `columns` weights: a multiple of 4."""
        return self.block_rows * (9 + self.columns_of(columns))

    def bitmap_bytes(self, rows: int, plain: int) -> int:
        """Bytes of the bitmap of plain blocks: none without them."""
        return -(-self.blocks_of(rows) // 32) * 4 if plain else 0

    def layer_bytes(self, rows: int, columns: int, plain: int) -> int:
        """Bytes behind the length of a packed layer: the bitmap and the blocks.

        >>> packed(TARGET_DSP).layer_bytes(6, 5, 0), packed(TARGET_MVE).layer_bytes(6, 5, 1)
        (136, 204)
        """
        return self.bitmap_bytes(rows, plain) + self.blocks_of(rows) * self.block_bytes(columns)


_TARGETS = (
    Target(TARGET_CORTEX_M0, "cortex-m0", 8, 1, 0, 37),
    Target(TARGET_DSP, "dsp", 4, 4, 0, 37),
    Target(TARGET_MVE, "mve", 8, 16, -30, -1),
)
#: The last number that an image may name.
TARGET_LAST = TARGET_MVE


def packed(number: int) -> Target:
    """The layout of a number from 1 to `TARGET_LAST`."""
    return _TARGETS[number - 1]


def target_name(number: int) -> str:
    """The name of any target.

    >>> [target_name(number) for number in range(TARGET_LAST + 1)]
    ['any', 'cortex-m0', 'dsp', 'mve']
    """
    return _TARGETS[number - 1].name if number else "any"
