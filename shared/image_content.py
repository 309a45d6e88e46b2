"""What a model image says, field by field, and the limits of its fields. Runs in MicroPython too.

docs/model-image.md tells the layout, byte by byte.
"""

from shared.signal import definition

MAGIC = b"TCSN"
FORMAT = 2
HEADER_BYTES = 96
TRAILER_BYTES = 104
IMAGE_LIMIT_BYTES = 1 << 20
LAYERS_MAX = 12
#: Inputs of the model; inputs and outputs of a layer, and weights of a row.
WIDTH_MAX = 4096
MULTIPLIER_LIMIT = 1 << 31
SCALE_MULTIPLIER_LIMIT = 1 << 30
SCALE_SHIFT_MAX = 46
LAYER_SHIFT_MAX = 62
SUM_LIMIT = 1 << 39
#: Outputs in the units of the inputs stay within this, so that the score's sum fits 63 bits.
EXPECTED_LIMIT = 1 << 16
SIGNED_PREFIX = b"tocsin model image 2\n"

#: Input of the model.
INPUT_FEATURES = 0
INPUT_SAMPLES = 1
#: Slow devices whose model reads samples may have a window of a single row.
SAMPLES_WINDOW_MIN = 1

#: Kinds of layers.
LAYER_DENSE = 0
LAYER_CONVOLUTION = 1
LAYER_DEPTHWISE = 2

#: How a convolution rounds: once, as dense layers do, or twice, as LiteRT's reference of convolutions does.
ROUNDING_ONCE = 0
ROUNDING_TWICE = 1


class Scaling:
    """``(value - centre) * multiplier / 2**shift``: one channel or one feature."""

    def __init__(self, centre: int, multiplier: int, shift: int) -> None:
        self.centre = centre
        self.multiplier = multiplier
        self.shift = shift


class Layer:
    """One int8 layer as it stands in an image (`shared.quantized.integer.Dense`, `shared.quantized.convolution`).

    `kind` is `LAYER_DENSE`, `LAYER_CONVOLUTION` or `LAYER_DEPTHWISE`. Convolutions have `filters` rows over `taps`
    positions of `channels` values, `stride` positions apart, the first `pad` positions before the first one, and
    `padding` (int8) in place of what lies outside, and round as `rounding` says; dense layers have zeros there. A layer
    that is packed for a processor has its bytes in `packed`, `plain` blocks of which are plain, and no weights, biases,
    multipliers, shifts.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        weights: bytes,
        bias: "list[int]",
        multipliers: "list[int]",
        shifts: "list[int]",
        zero: int,
        low: int,
        kind: int = LAYER_DENSE,
        padding: int = 0,
        channels: int = 0,
        filters: int = 0,
        taps: int = 0,
        stride: int = 0,
        pad: int = 0,
        packed: bytes = b"",
        plain: int = 0,
        rounding: int = ROUNDING_ONCE,
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.weights = weights
        self.bias = bias
        self.multipliers = multipliers
        self.shifts = shifts
        self.zero = zero
        self.low = low
        self.kind = kind
        self.padding = padding
        self.channels = channels
        self.filters = filters
        self.taps = taps
        self.stride = stride
        self.pad = pad
        self.packed = packed
        self.plain = plain
        self.rounding = rounding

    @property
    def rows(self) -> int:
        """Rows of weights: outputs of a dense layer, filters of the others."""
        return self.filters if self.kind else self.outputs

    @property
    def columns(self) -> int:
        """Weights of a row."""
        if self.kind == LAYER_CONVOLUTION:
            return self.taps * self.channels
        return self.taps if self.kind == LAYER_DEPTHWISE else self.inputs

    @property
    def may_be_packed(self) -> bool:
        """Whether an image for one processor holds this layer packed; the others stand row by row in any image."""
        return self.kind == LAYER_DENSE or (self.kind == LAYER_CONVOLUTION and self.rounding == ROUNDING_ONCE)


class ImageContent:
    """What an image says, field by field (names and units as in the tables of docs/model-image.md).

    `samples`: the model reads the samples of the window instead of the features. `envelope_edges` are empty where there
    are no envelope bands. The golden vectors are zeros where none are given; `golden_features` are the model's inputs,
    whichever they are.
    """

    def __init__(
        self,
        version: int,
        kind: int,
        bands: int,
        window: int,
        hop: int,
        gap_ns: int,
        profile_digest: bytes,
        sample_rate_millihertz: int,
        channels: "list[Scaling]",
        edges: "list[int]",
        features: "list[Scaling]",
        weights: "list[int]",
        layers: "list[Layer]",
        input_multiplier: int = 1,
        input_shift: int = 1,
        input_zero: int = 0,
        output_multiplier: int = 1,
        output_shift: int = 1,
        output_zero: int = 0,
        threshold: int = 1,
        golden_features: "list[int] | None" = None,
        golden_output: "list[int] | None" = None,
        golden_score: int = 0,
        target: int = 0,
        samples: bool = False,
        envelope_first: int = 0,
        envelope_bins: int = 0,
        envelope_edges: "list[int] | None" = None,
    ) -> None:
        self.version = version
        self.kind = kind
        self.bands = bands
        self.window = window
        self.hop = hop
        self.gap_ns = gap_ns
        self.profile_digest = profile_digest
        self.sample_rate_millihertz = sample_rate_millihertz
        self.channels = channels
        self.edges = edges
        self.features = features
        self.weights = weights
        self.layers = layers
        self.input_multiplier = input_multiplier
        self.input_shift = input_shift
        self.input_zero = input_zero
        self.output_multiplier = output_multiplier
        self.output_shift = output_shift
        self.output_zero = output_zero
        self.threshold = threshold
        self.target = target
        self.samples = samples
        self.envelope_first = envelope_first
        self.envelope_bins = envelope_bins
        self.envelope_edges: list[int] = [] if envelope_edges is None else envelope_edges
        self.golden_features = [0] * self.inputs if golden_features is None else golden_features
        self.golden_output = [0] * self.inputs if golden_output is None else golden_output
        self.golden_score = golden_score

    @property
    def envelope_bands(self) -> int:
        """Envelope bands per channel."""
        return len(self.envelope_edges) - 1 if self.envelope_edges else 0

    @property
    def inputs(self) -> int:
        """Values that the model reads, and gives back."""
        return len(self.channels) * self.window if self.samples else len(self.features)


def feature_names(content: ImageContent) -> "list[str]":
    """Names of the features of one channel, in order; a slow device's are told even where its model reads samples."""
    if content.kind == definition.KIND_SLOW:
        return list(definition.SLOW_FEATURES)
    names = list(definition.FAST_FEATURES) + ["band-" + str(band) for band in range(content.bands)]
    return names + ["envelope-" + str(band) for band in range(content.envelope_bands)]
