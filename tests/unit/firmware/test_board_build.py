"""A board's firmware: the same bytes twice, files that agree, memories that are counted, and what is refused."""

import importlib.util
import itertools
import shutil

import pytest
from emulated_boards import device_of
from factory_device import ASSET, DEVICE
from layer_images import layered_image
from typer.testing import CliRunner

from firmware.board_build import (
    BOOT_RECORD_BYTES,
    FACTORY_FOLDER,
    BoardOptions,
    build_board,
    check_options,
    read_board_device,
)
from firmware.board_kernel import board_model, counted_instructions
from firmware.board_report import model_lines, report_lines
from firmware.boards.registry import board_named
from firmware.cli import app
from firmware.codegen import board_device
from firmware.elf_files import flash_content, read_sizes
from firmware.emulator.run import FACTORY_HEALTHY_ROWS, FACTORY_SEED
from firmware.errors import CompilerError, FirmwareError
from firmware.kernels.packing import pack_image, unpacked
from firmware.micropython.slots import Slots
from shared import model_image
from shared.errors import ImageError, UsageError
from shared.model_image import ImageContent, Layer, Scaling
from shared.quantized.scorer import Scorer
from shared.quantized.targets import TARGET_CORTEX_M0, TARGET_DSP
from shared.recordings.profile import profile_of
from shared.recordings.simulator import simulate

BOARD = board_named("stm32f405")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    pytest.importorskip("ziglang", reason="ziglang is not installed: pip install 'tocsin[firmware]'")
    return build_board(BOARD, tmp_path_factory.mktemp("boards"))


def image_with(*, kind=0, channels=1, window=4, bands=0, hidden=()) -> ImageContent:
    """A simple image of any size."""
    features = channels * (3 + bands if kind else 4)
    widths = [features, *hidden, features] if hidden else []
    layers = [
        Layer(inputs, outputs, bytes(inputs * outputs), [0] * outputs, [1 << 30] * outputs, [31] * outputs, 0, -128)
        for inputs, outputs in itertools.pairwise(widths)
    ]
    one = Scaling(0, 1 << 14, 14)
    content = ImageContent(
        version=1,
        kind=kind,
        bands=bands,
        window=window,
        hop=window if kind else 1,
        gap_ns=10**9,
        profile_digest=bytes(8),
        sample_rate_millihertz=1000,
        channels=[one] * channels,
        edges=list(range(1, bands + 2)) if bands else [],
        features=[one] * features,
        weights=[1] * features,
        layers=layers,
        input_multiplier=1 << 30,
        input_shift=30,
        input_zero=0,
        output_multiplier=1 << 30,
        output_shift=30,
        output_zero=0,
        threshold=1,
    )
    if layers:
        content.golden_features = [0] * features
        scorer = Scorer(content)
        content.golden_score = scorer.score(content.golden_features)[0]
        content.golden_output = list(scorer.output)
    return content


def test_the_factorys_device_is_the_simulated_pumps():
    device = read_board_device(FACTORY_FOLDER)
    assert (device.birth.profile.device, device.birth.profile.asset) == (DEVICE, ASSET)
    seconds = float(FACTORY_HEALTHY_ROWS)
    recording = simulate(FACTORY_SEED, duration_s=seconds, onset_s=seconds / 2).process
    assert profile_of(recording, FACTORY_HEALTHY_ROWS, DEVICE, ASSET)[0] == device.birth.profile
    assert device.content.layers
    assert not Scorer(device.content).golden_fails()


def test_the_same_firmware_twice_is_the_same_bytes(built, tmp_path):
    again = build_board(BOARD, tmp_path)
    for name in ("elf", "bin", "hex"):
        assert getattr(again, name).read_bytes() == getattr(built, name).read_bytes(), name
    assert again.elf.parent.name == built.elf.parent.name
    kept = again.elf.stat().st_mtime_ns
    assert build_board(BOARD, tmp_path).elf.stat().st_mtime_ns == kept
    other = build_board(BOARD, tmp_path, options=BoardOptions(first_boot=2))
    assert other.bin.read_bytes() != again.bin.read_bytes()


def hex_bytes(text):
    """Intel HEX back to (begin, bytes)."""
    upper, found = 0, {}
    for line in text.splitlines():
        record = bytes.fromhex(line.removeprefix(":"))
        assert sum(record) % 256 == 0
        length, address, kind, data = record[0], int.from_bytes(record[1:3], "big"), record[3], record[4:-1]
        assert len(data) == length
        if kind == 4:
            upper = int.from_bytes(data, "big") << 16
        elif kind == 0:
            found.update({upper + address + i: byte for i, byte in enumerate(data)})
    begin = min(found)
    return begin, bytes(found[begin + i] for i in range(len(found)))


def test_the_three_files_say_the_same(built):
    begin, content = flash_content(built.elf)
    assert begin == BOARD.flash_origin
    assert built.bin.read_bytes() == content
    assert hex_bytes(built.hex.read_text("ascii")) == (begin, content)
    stack, reset = (int.from_bytes(content[i : i + 4], "little") for i in (0, 4))
    sizes = read_sizes(built.elf)
    assert stack == BOARD.ram_origin + sizes.stack
    assert reset % 2 == 1, "the entry is Thumb code"
    assert begin <= reset < begin + sizes.vectors_and_code
    assert built.model.image in content
    assert built.model.image != built.device.image


def test_the_model_is_packed_for_the_boards_core(built):
    model = built.model
    assert (model.kernel.name, model.content.target) == ("dsp", TARGET_DSP)
    again = unpacked(model_image.read(model.image))
    assert model_image.encode(again) == built.device.image[:-72]
    # two buffers of lanes: 8 and 8 values wide, 4 and the scored rows
    assert model.memory_bytes == 2 * 8 + 16
    lines = "\n".join(model_lines(model))
    assert lines.startswith("kernel dsp for images packed for dsp, built for this model alone\n")
    assert "plain loop" not in lines


def test_options_choose_the_kernel(built):
    device = built.device
    small = board_model(BOARD, device.image, device.content, BoardOptions(small=True))
    assert (small.kernel.name, small.kernel.lane_bytes) == ("dsp-small", 1)
    steady = board_model(BOARD, device.image, device.content, BoardOptions(worst_case=True))
    assert steady.kernel == built.model.kernel, "one kernel is both on this core"


@pytest.mark.parametrize("options", [BoardOptions(), BoardOptions(small=True), BoardOptions(worst_case=True)])
def test_every_build_leaves_out_what_its_model_does_not_need(options):
    device = read_board_device(FACTORY_FOLDER)
    model = board_model(BOARD, device.image, device.content, options)
    assert model.kernel.defines[-2:] == ("TOCSIN_KERNEL_NO_PLAIN", "TOCSIN_KERNEL_DENSE_ONLY")
    assert model.core_defines == ("TOCSIN_WINDOW_LIMIT=32",)
    assert model.kernel.optimization == "-Os"


@pytest.mark.parametrize(("small", "optimization"), [(False, "-O2"), (True, "-Os")])
def test_a_build_keeps_what_its_model_needs(small, optimization):
    image = device_of(image_with(kind=1, channels=2, window=256, bands=3, hidden=(5,)))
    model = board_model(BOARD, image.image, image.content, BoardOptions(small=small))
    assert model.plain_rows[0] > 0
    assert model.kernel.defines[-1] == "TOCSIN_KERNEL_DENSE_ONLY"
    assert "TOCSIN_KERNEL_NO_PLAIN" not in model.kernel.defines
    assert model.kernel.optimization == optimization
    assert model.core_defines == ("TOCSIN_WINDOW_LIMIT=256",)
    device = device_of(layered_image(3))
    model = board_model(BOARD, device.image, device.content, BoardOptions(small=small))
    assert "TOCSIN_KERNEL_DENSE_ONLY" not in model.kernel.defines


def test_a_small_firmware_is_smaller_and_neither_holds_a_table_for_longer_windows(built, tmp_path):
    small = read_sizes(build_board(BOARD, tmp_path, options=BoardOptions(small=True)).elf)
    sizes = read_sizes(built.elf)
    turns = 24 * 3 * (4096 - 32) // 16
    assert max(sizes.constants, small.constants) < turns
    assert small.vectors_and_code < 0.7 * sizes.vectors_and_code
    assert small.ram <= sizes.ram


def test_an_image_that_is_packed_for_the_core_keeps_its_bytes_and_signature(built):
    device = built.device
    signed = model_image.seal(model_image.encode(pack_image(device.content, TARGET_DSP)), b"k" * 8, b"s" * 64)
    assert board_model(BOARD, signed, model_image.read(signed), BoardOptions()).image == signed
    other = pack_image(device.content, TARGET_CORTEX_M0)
    sealed = model_image.seal(model_image.encode(other), b"k" * 8, b"s" * 64)
    assert board_model(BOARD, sealed, other, BoardOptions()).image == built.model.image


def test_rows_of_the_plain_loop_and_instructions_are_told():
    content = image_with(channels=2, hidden=(5,))
    pytest.importorskip("unicorn", reason="unicorn is not installed: pip install 'tocsin[firmware]'")
    image = model_image.seal(model_image.encode(content))
    model = board_model(BOARD, image, content, BoardOptions())
    assert model.plain_rows == (12, 13), "a shift of 31 is below what the kernel takes, but in a lone row"
    lines = model_lines(model)
    assert "12 rows of 13 are computed by the plain loop" in lines
    assert lines[-1].endswith("for the golden inputs")
    for layer in content.layers:
        layer.shifts = [40] * layer.outputs
    model = board_model(BOARD, image, content, BoardOptions())
    counted = counted_instructions(model)
    assert counted[0] == counted[1] > 100
    assert model_lines(model)[-1] == f"instructions of an inference: {counted[0]:,} for every input"


def test_every_byte_is_counted(built):
    sizes = read_sizes(built.elf)
    assert 0 <= built.bin.stat().st_size - sizes.flash < 64, "sections are aligned"
    assert 0 <= BOARD.ram_bytes - sizes.ram - sizes.waiting < 64
    lines = "\n".join(report_lines(built))
    assert f"{sizes.flash:>7} of  {BOARD.flash_bytes - BOOT_RECORD_BYTES} bytes" in lines
    assert f"{100 * sizes.ram / BOARD.ram_bytes:.1f} %" in lines
    assert str(built.bin) in lines


def test_an_image_that_does_not_fit_the_ram_is_refused_in_one_sentence(built, tmp_path):
    large = device_of(image_with(kind=1, channels=20, window=4096, bands=3))
    with pytest.raises(FirmwareError, match=r"image of press-7 needs \d+ bytes of RAM more than board stm32f405 has"):
        build_board(BOARD, tmp_path, device=large)
    assert list(tmp_path.iterdir()) == []


def test_an_image_that_does_not_fit_the_flash_is_refused_in_one_sentence(built, tmp_path):
    large = device_of(image_with(channels=100, hidden=(1000,)))
    with pytest.raises(FirmwareError, match=r"firmware of press-7 is \d+ bytes too large for the flash"):
        build_board(BOARD, tmp_path, device=large)


def test_another_image_for_a_device(tmp_path):
    device = read_board_device(FACTORY_FOLDER)
    newer = device.content
    newer.version = 7
    path = tmp_path / "newer.tcsn"
    path.write_bytes(model_image.seal(model_image.encode(newer)))
    chosen = read_board_device(FACTORY_FOLDER, None, path)
    assert chosen.content.version == 7
    assert chosen.birth.feature_names == device.birth.feature_names
    path.write_bytes(device_of(image_with()).image)
    with pytest.raises(UsageError, match=r"newer\.tcsn was made for other channels"):
        read_board_device(FACTORY_FOLDER, None, path)


def test_a_name_a_boot_and_lines_of_its_own():
    device = read_board_device(FACTORY_FOLDER, "press-3")
    options = BoardOptions(9600, (3, 6), 70)
    header = board_device.header(device.birth, device.content, options, "stm32f405", "9.9")
    for line in ('DEVICE_ID "press-3"', "FIRST_BOOT 70u", "BAUD 9600u", "GATEWAY_USART 3", "SAMPLES_USART 6"):
        assert f"#define TOCSIN_{line}\n" in header
    assert "press-3" in bytes.fromhex(board_device.birth_parts(device.birth)[0].hex()).decode("latin-1")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (BoardOptions(baud=300), "--baud 300"),
        (BoardOptions(usarts=(1, 1)), "--lines 1,1"),
        (BoardOptions(usarts=(1, 4)), "--lines 1,4"),
        (BoardOptions(first_boot=0), "--first-boot 0"),
    ],
)
def test_options_that_cannot_be(options, said):
    with pytest.raises(UsageError, match=said):
        check_options(options)


def test_folders_that_are_no_device(tmp_path):
    with pytest.raises(UsageError, match=r"not a provisioned device .*profile.cbor"):
        read_board_device(tmp_path)
    (tmp_path / "profile.cbor").write_bytes(b"\0")
    (tmp_path / "model.image").write_bytes(b"\0")
    with pytest.raises(UsageError, match="not a device's birth"):
        read_board_device(tmp_path)
    shutil.copy(FACTORY_FOLDER / "profile.cbor", tmp_path)
    with pytest.raises(ImageError):
        read_board_device(tmp_path)
    (tmp_path / "model.image").write_bytes(device_of(image_with()).image)
    with pytest.raises(UsageError, match="made for other channels"):
        read_board_device(tmp_path)
    with pytest.raises(UsageError, match="--name"):
        read_board_device(FACTORY_FOLDER, "Press 3")


def test_a_folder_with_slots_gives_the_proved_image(tmp_path):
    shutil.copy(FACTORY_FOLDER / "profile.cbor", tmp_path)
    factory = read_board_device(FACTORY_FOLDER)
    newer = factory.content
    newer.version = 2
    slots = Slots(str(tmp_path))
    slots.provision(factory.image)
    slots.store(model_image.seal(model_image.encode(newer)))
    assert read_board_device(tmp_path).content.version == 1
    slots.prove()
    assert read_board_device(tmp_path).content.version == 2


def test_without_the_compiler_one_sentence(tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ziglang" else find_spec(name))
    with pytest.raises(
        CompilerError, match=r"needs the package ziglang; install it with pip install 'tocsin\[firmware\]'"
    ):
        build_board(BOARD, tmp_path)


def test_what_the_command_refuses():
    run = CliRunner()
    for words, said in (
        (["--board", "abacus"], "there are stm32f405 and esp32"),
        (["--board", "esp32"], "runs MicroPython"),
        (["--board", "stm32f405", "--lines", "1"], "two USARTs"),
        (["--board", "stm32f405", "--small", "--worst-case"], "exclude each other"),
        (["--small"], "name one with --board"),
        (["--board", "stm32f405", "--image", "absent.tcsn"], "No such file"),
    ):
        result = run.invoke(app, ["build", *words])
        assert isinstance(result.exception, UsageError)
        assert said in str(result.exception)
