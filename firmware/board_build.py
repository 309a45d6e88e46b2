"""Builds a board's firmware, `.elf .bin .hex`, with the compiler from the package index (ziglang).

A firmware holds one device: its profile, its model image packed for the board's core, the kernel that runs it, and
pools of memory of just the size that this image needs.
"""

import hashlib
import importlib.metadata
import importlib.util
import re
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from firmware.board_kernel import BoardModel, board_model
from firmware.boards.board import Board
from firmware.build import C_FOLDER, WARNINGS, packaged_compiler
from firmware.codegen import board_device
from firmware.codegen.board_device import BoardOptions
from firmware.errors import CompilerError, FirmwareError
from firmware.micropython.slots import Slots
from firmware.model_files import content_of_image, read_image
from shared import model_image
from shared.errors import MessageError, UsageError
from shared.messages import codec
from shared.messages.codec import Birth
from shared.model_image import ImageContent

#: The device that a firmware holds unless it is told otherwise.
FACTORY_FOLDER = Path(__file__).resolve().parent / "boards" / "factory"
#: The last two sectors of the flash hold the count of boots, and no firmware.
BOOT_RECORD_BYTES = 2 * (128 << 10)
#: Serial ports of the chip whose pins boards bring out.
USARTS = (1, 2, 3, 6)
BAUD_MIN, BAUD_MAX = 9_600, 2_000_000
FIRST_BOOT_MAX = 2**31
_LIMIT_SECONDS = 300
_INCLUDES = ("include", "generated", "kernels")
#: Without -g this compiler takes the symbols of a small firmware too, which the sizes are read from; the linker script
#: drops the rest.
_NO_DEBUGGING, _SYMBOLS = "-g0", "-g"
_FLAGS = (
    "-std=c99",
    "-ffreestanding",
    "-fno-sanitize=undefined",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-ffunction-sections",
    "-fdata-sections",
    "-Wl,--gc-sections",
    *WARNINGS,
)
#: How the core is compiled, fast or small; loops of layers always as their kernel says, which is how they are counted.
_FAST, _SMALL = "-O2", "-Os"
_LAYER_SOURCES = ("tocsin_layer.c", "tocsin_dense.c", "tocsin_convolution.c")
_OVERFLOW = re.compile(r"section '[^']*' will not fit in region '(\w+)': overflowed by (\d+) bytes")


@dataclass(frozen=True, slots=True)
class BoardDevice:
    """The device that a firmware is made for; `content` is what `image` says."""

    birth: Birth
    image: bytes
    content: ImageContent


@dataclass(frozen=True, slots=True)
class BoardFirmware:
    """A finished firmware: its files, the device in it, and the model as it stands in the flash."""

    board: Board
    device: BoardDevice
    model: BoardModel
    elf: Path
    bin: Path
    hex: Path


def read_board_device(folder: Path, name: str | None = None, image_file: Path | None = None) -> BoardDevice:
    """The device in a provisioned folder, under another `name` and with another model image if they are given.

    Raises UsageError when the folder holds no such device, the name is none, or the image is for other channels, and
    ImageError when the image is damaged.
    """
    try:
        birth = codec.decode_birth((folder / "profile.cbor").read_bytes())
        own = _image_path(folder)
        image = own.read_bytes() if image_file is None else b""
    except OSError as error:
        raise UsageError(
            f"{folder} is not a provisioned device ({error.strerror}: {error.filename}); give a folder with "
            "profile.cbor and a model image"
        ) from error
    except MessageError as error:
        raise UsageError(f"{folder / 'profile.cbor'} is not a device's birth ({error}); provision it again") from error
    if image_file is None:
        content = content_of_image(own, image)
    else:
        from firmware.host.sensor import birth_of

        image, content = read_image(image_file)
        birth = birth_of(birth.profile, birth.boot, content)
    names = len(content.channels) * len(model_image.feature_names(content))
    if content.profile_digest != birth.profile.digest() or names != len(birth.feature_names):
        if image_file is not None:
            raise UsageError(
                f"{image_file} was made for other channels than those of {folder}; give --device with the device that "
                "it is for (tocsin firmware import --provision makes one)"
            )
        raise UsageError(f"the model image in {folder} was made for other channels; provision the device again")
    if name is not None:
        try:
            birth = replace(birth, profile=replace(birth.profile, device=name))
        except ValueError as error:
            raise UsageError(f"--name: {error}") from error
    return BoardDevice(birth, image, content)


def _image_path(folder: Path) -> Path:
    factory = folder / "model.image"
    if factory.is_file():
        return factory
    slots = Slots(str(folder))
    proved = 1 - slots.active if slots.on_trial else slots.active
    return folder / f"slot-{proved}.image"


def check_options(options: BoardOptions) -> BoardOptions:
    """`options`, or UsageError where they cannot be."""
    if not BAUD_MIN <= options.baud <= BAUD_MAX:
        raise UsageError(f"--baud {options.baud} must be from {BAUD_MIN} to {BAUD_MAX}")
    gateway, samples = options.usarts
    if gateway not in USARTS or samples not in USARTS or gateway == samples:
        raise UsageError(f"--lines {gateway},{samples} must be two different ones of {', '.join(map(str, USARTS))}")
    if not 1 <= options.first_boot <= FIRST_BOOT_MAX:
        raise UsageError(f"--first-boot {options.first_boot} must be from 1 to {FIRST_BOOT_MAX}")
    return options


def build_board(
    board: Board, output_folder: Path, *, device: BoardDevice | None = None, options: BoardOptions | None = None
) -> BoardFirmware:
    """Build a board's firmware unless the same one was built before; the factory's device unless one is given.

    Each build has a folder of its own in `output_folder`, named by board, device and digest.

    Raises
    ------
    CompilerError
        The package ziglang or pyelftools is missing, or the compiler refused the sources.
    FirmwareError
        The device's image does not fit the board's memory.
    UsageError
        The board runs no C, or the options cannot be.
    """
    if board.language != "c":
        raise UsageError(f"board {board.name} runs MicroPython and needs no build; use tocsin firmware flash")
    for package in ("ziglang", "elftools"):
        if importlib.util.find_spec(package) is None:
            raise CompilerError(
                f"a firmware for {board.name} needs the package {package.replace('elf', 'pyelf', 1)}; "
                "install it with pip install 'tocsin[firmware]'"
            )
    chosen = check_options(options or BoardOptions())
    inside = device or read_board_device(FACTORY_FOLDER)
    model = board_model(board, inside.image, inside.content, chosen)
    generated = _generated(board, inside, model, chosen)
    command = [
        *(*packaged_compiler(), "-target", "thumb-freestanding-eabi", f"-mcpu={board.zig_cpu}"),
        *((_SMALL, _SYMBOLS) if chosen.small else (_FAST, _NO_DEBUGGING)),
        *_FLAGS,
        *(f"-D{name}" for name in (*model.kernel.all_defines, *model.core_defines)),
    ]
    sources = _sources(board, model)
    digest = _digest([*command, model.kernel.optimization], sources, generated)
    folder = output_folder / f"{board.name}-{inside.birth.profile.device}-{digest}"
    if not folder.is_dir():
        try:
            output_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{output_folder} is no folder ({error.strerror}); give another --out") from error
        _build(board, inside, command, model.kernel.optimization, sources, generated, folder)
    return BoardFirmware(board, inside, model, folder / "tocsin.elf", folder / "tocsin.bin", folder / "tocsin.hex")


def _port(board: Board) -> Path:
    return C_FOLDER / "ports" / board.name


def _sources(board: Board, model: BoardModel) -> list[Path]:
    kernel = tuple(f"kernels/{name}" for name in ("*.h", "run.c", "score.c", *model.kernel.sources))
    patterns = ("include/*.h", "src/*.c", "generated/*.[ch]", *kernel, f"ports/{board.name}/*")
    return [path for pattern in patterns for path in sorted(C_FOLDER.glob(pattern))]


def _version() -> str:
    try:
        return importlib.metadata.version("tocsin")
    except importlib.metadata.PackageNotFoundError:
        return "from source"


def _generated(board: Board, device: BoardDevice, model: BoardModel, options: BoardOptions) -> dict[str, str]:
    header = board_device.header(
        device.birth, model.content, options, board.name, _version(), kernel_bytes=model.memory_bytes
    )
    return {
        board_device.HEADER_NAME: header,
        board_device.SOURCE_NAME: board_device.source(device.birth, model.image),
    }


def _digest(command: list[str], sources: list[Path], generated: dict[str, str]) -> str:
    """Twelve hexadecimal digits over everything that a build is made from."""
    compiler = importlib.metadata.version("ziglang")
    hasher = hashlib.sha256("\0".join([compiler, *command[1:]]).encode())
    contents = [(path.relative_to(C_FOLDER).as_posix(), path.read_bytes()) for path in sources]
    contents += [(name, text.encode()) for name, text in sorted(generated.items())]
    for name, content in contents:
        hasher.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return hasher.hexdigest()[:12]


def _build(
    board: Board,
    device: BoardDevice,
    command: list[str],
    layer_optimization: str,
    sources: list[Path],
    generated: dict[str, str],
    folder: Path,
) -> None:
    """Compile in a folder beside the result, then move it there: a build is whole or absent."""
    from firmware.elf_files import flash_content, intel_hex

    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="build-", ignore_cleanup_errors=True) as workplace:
        made = Path(workplace).resolve() / "firmware"
        made.mkdir()
        for name, text in generated.items():
            (made / name).write_text(text, encoding="utf-8")
        elf = made / "tocsin.elf"
        includes = [f"-I{path}" for path in (*(C_FOLDER / name for name in _INCLUDES), _port(board))]
        compiled = [*(path for path in sources if path.suffix in (".c", ".S")), made / board_device.SOURCE_NAME]
        # What depends on the device is named absolutely: the compiler's cache takes a relative name for the same file
        # in any folder. It is compiled by itself, without words for the linker, so that the rest stays in the cache. So
        # are the loops of layers where they are optimized otherwise than the core.
        alone = [*(word for word in command if not word.startswith("-Wl,")), *includes, "-c"]
        apart = layer_optimization not in command
        linked = []
        for path in compiled:
            own = board_device.HEADER_NAME in path.read_text(encoding="utf-8")
            words = [f"-I{made}"] if own else [layer_optimization] if apart and _runs_layers(path) else []
            linked.append(made / path.with_suffix(".o").name if words else path)
            if words:
                _compile([*alone, *words, str(path), "-o", str(linked[-1])], made, board, device)
        script = f"-Wl,-T,{_port(board) / f'{board.name}.ld'}"
        _compile([*command, *includes, script, *map(str, linked), "-o", elf.name], made, board, device)
        for path in linked:
            if path.suffix == ".o":
                path.unlink()
        begin, content = flash_content(elf)
        (made / "tocsin.bin").write_bytes(content)
        (made / "tocsin.hex").write_text(intel_hex(begin, content), encoding="ascii")
        try:
            made.rename(folder)
        except OSError as error:
            if not folder.is_dir():  # otherwise another process was faster with the same build
                raise FirmwareError(f"{folder} cannot be written: {error.strerror}") from error


def _runs_layers(path: Path) -> bool:
    return path.suffix == ".c" and (path.parent.name == "kernels" or path.name in _LAYER_SOURCES)


def _compile(command: list[str], folder: Path, board: Board, device: BoardDevice) -> None:
    try:
        result = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CompilerError(f"the compiler of ziglang did not end within {_LIMIT_SECONDS} s; try again") from error
    if result.returncode == 0:
        return
    overflows = {region: int(excess) for region, excess in _OVERFLOW.findall(result.stderr)}
    name = device.birth.profile.device
    if "RAM" in overflows:
        raise FirmwareError(
            f"the model image of {name} needs {overflows['RAM']} bytes of RAM more than board {board.name} has "
            f"({board.ram_bytes}); train it with a smaller window, fewer channels or narrower layers"
        )
    if "FLASH" in overflows:
        raise FirmwareError(
            f"the firmware of {name} is {overflows['FLASH']} bytes too large for the flash of board {board.name} "
            f"({board.flash_bytes - BOOT_RECORD_BYTES}); train it with smaller layers"
        )
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    reason = next((line for line in lines if "error" in line), lines[0] if lines else "no reason given")
    raise CompilerError(f"ziglang's compiler refused the firmware of board {board.name}: {reason.strip()}")
