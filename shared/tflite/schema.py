"""Numbers of the .tflite format (TensorFlow Lite's schema, version 3): operators, types, fields of tables."""

FULLY_CONNECTED = 9
CONV_2D = 3
DEPTHWISE_CONV_2D = 4
CUSTOM = 32
QUANTIZE = 114
DEQUANTIZE = 6
#: RESHAPE, SQUEEZE and EXPAND_DIMS only tell the same values another shape.
RESHAPES = (22, 43, 70)

#: Names of the operators by their number; later ones are told by their number alone.
OPERATOR_NAMES = (  # noqa: SIM905 - a line a name would be two pages
    "ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR "
    "FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC "
    "LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH "
    "SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER "
    "BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE "
    "BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM "
    "ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE "
    "TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK "
    "LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL "
    "FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL "
    "REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND "
    "HARD_SWISH IF WHILE"
).split()

FLOAT32 = 0
INT32 = 2
INT64 = 4
INT8 = 9
TYPE_NAMES = (  # noqa: SIM905
    "float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128 uint64 resource variant "
    "uint32 uint16 int4 bfloat16"
).split()

NO_ACTIVATION = 0
RELU = 1
RELU6 = 3
ACTIVATION_NAMES = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")

PADDING_SAME = 0
PADDING_VALID = 1

#: Fields of the tables that are read here, by name: their number in the table.
MODEL = {"operator_codes": 1, "subgraphs": 2, "buffers": 4}
OPERATOR_CODE = {"deprecated": 0, "custom": 1, "code": 3}
SUBGRAPH = {"tensors": 0, "inputs": 1, "outputs": 2, "operators": 3}
TENSOR = {"shape": 0, "type": 1, "buffer": 2, "name": 3, "quantization": 4, "sparsity": 6}
QUANTIZATION = {"scale": 2, "zero": 3, "details": 5, "axis": 6}
BUFFER = {"data": 0}
OPERATOR = {"code": 0, "inputs": 1, "outputs": 2, "options_type": 3, "options": 4}

#: Number of an options table in the union of all of them, and its fields.
OPTIONS_TYPE = {FULLY_CONNECTED: 8, CONV_2D: 1, DEPTHWISE_CONV_2D: 2}
DENSE_OPTIONS = {"activation": 0, "weights_format": 1}
CONVOLUTION_OPTIONS = {"padding": 0, "stride_w": 1, "stride_h": 2, "activation": 3, "dilation_w": 4, "dilation_h": 5}
DEPTHWISE_OPTIONS = {
    "padding": 0,
    "stride_w": 1,
    "stride_h": 2,
    "channel_filters": 3,
    "activation": 4,
    "dilation_w": 5,
    "dilation_h": 6,
}


def operator_name(number: int) -> str:
    """The name of an operator, or its number.

    >>> operator_name(25), operator_name(999)
    ('SOFTMAX', 'operator code 999')
    """
    return OPERATOR_NAMES[number] if 0 <= number < len(OPERATOR_NAMES) else f"operator code {number}"


def type_name(number: int) -> str:
    """The name of a tensor's type, or its number.

    >>> type_name(9), type_name(99)
    ('int8', 'type 99')
    """
    return TYPE_NAMES[number] if 0 <= number < len(TYPE_NAMES) else f"type {number}"
