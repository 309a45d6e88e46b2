"""How a convolution goes along its one axis: TensorFlow's rule for SAME and VALID."""

from dataclasses import dataclass

from shared.tflite import schema
from shared.tflite.graph import Graph, Operator, Tensor

#: What an image holds taps and strides in.
_BYTE_MAX = 255


@dataclass(frozen=True)
class Track:
    """The way along an axis of `positions` with `channels` values each.

    `taps` positions are read at each of `places`, `stride` apart; the first one begins `pad` positions before the axis.
    """

    positions: int
    channels: int
    taps: int
    stride: int
    pad: int
    places: int


def track_of(graph: Graph, operator: Operator, source: Tensor, weights: Tensor, options: dict[str, int]) -> Track:
    """The track of CONV_2D or DEPTHWISE_CONV_2D over a map that has one axis longer than 1.

    `source` is (1, height, width, channels); height and width are the middle two of `weights`; `options` numbers the
    fields of the operator's options. TfliteError where an image cannot say it.
    """
    if len(source.shape) != 4 or len(weights.shape) != 4 or source.shape[0] != 1:
        raise graph.refuse(
            operator,
            f"has values of the shape {list(source.shape)} and weights of {list(weights.shape)}; "
            "one map of height 1 is expected",
            weights.shape_offset if len(weights.shape) != 4 else source.shape_offset,
        )
    _, height, width, channels = source.shape
    _, taps_high, taps_wide, _ = weights.shape
    along_width = height == 1 and taps_high == 1
    if not along_width and not (width == 1 and taps_wide == 1):
        raise graph.refuse(
            operator,
            f"goes over a map of {height} x {width} with filters of {taps_high} x {taps_wide}; "
            "only maps and filters of height 1 are known here (Conv1D and DepthwiseConv1D in Keras)",
            weights.shape_offset,
        )
    positions, taps, axis = (width, taps_wide, "w") if along_width else (height, taps_high, "h")
    stride = operator.option(options[f"stride_{axis}"], "i")
    dilation = operator.option(options[f"dilation_{axis}"], "i", 1)
    if dilation != 1:
        place = operator.where(options[f"dilation_{axis}"])
        raise graph.refuse(operator, f"has a dilation of {dilation}; use filters without gaps", place)
    if not 1 <= stride <= _BYTE_MAX or taps > _BYTE_MAX:
        place = weights.shape_offset if taps > _BYTE_MAX else operator.where(options[f"stride_{axis}"])
        raise graph.refuse(operator, f"has {taps} taps and a stride of {stride}; each may be 1 to {_BYTE_MAX}", place)
    padding = operator.option(options["padding"])
    if padding == schema.PADDING_SAME:
        places = -(-positions // stride)
        pad = max((places - 1) * stride + taps - positions, 0) // 2
    elif padding == schema.PADDING_VALID:
        places, pad = (positions - taps) // stride + 1, 0
    else:
        place = operator.where(options["padding"])
        raise graph.refuse(operator, f"has padding of kind {padding}; SAME and VALID are known here", place)
    if places < 1:
        said = f"has {taps} taps, more than the {positions} positions that they go over"
        raise graph.refuse(operator, said, weights.shape_offset)
    return Track(positions, channels, taps, stride, pad, places)
