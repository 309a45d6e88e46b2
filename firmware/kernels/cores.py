"""The kernels that exist, the cores that they run on, and which of them a build takes."""

from dataclasses import dataclass, replace

from shared.errors import UsageError
from shared.quantized.targets import TARGET_ANY, TARGET_CORTEX_M0, TARGET_DSP, TARGET_MVE


@dataclass(frozen=True)
class Kernel:
    """Sources in `firmware/c/kernels` and how they are compiled; `target` is how layers are laid out for it.

    `lane_bytes` is what a value between two dense layers takes. Without sources: the plain loops of the core.
    """

    name: str
    target: int
    sources: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    lane_bytes: int = 1
    optimization: str = "-Os"

    @property
    def all_defines(self) -> tuple[str, ...]:
        """`defines`, and the number of the target."""
        return (f"TOCSIN_KERNEL_TARGET={self.target}", *self.defines)


@dataclass(frozen=True)
class Core:
    """A processor: the compiler's name for it, and Unicorn's (None: QEMU runs it).

    `kernels` are those that it can run. A build takes `fast`, the one with the least mean of instructions for models of
    a thousand products and more; `steady`, the one with the least largest number; or `small`, the one with the least
    code and memory.
    """

    name: str
    compiler_name: str
    unicorn_name: str | None
    kernels: tuple[str, ...]
    fast: str
    steady: str
    small: str

    @property
    def target(self) -> int:
        """The layout of images that are packed for this core."""
        return KERNELS[self.fast].target


_M0 = ("cortex_m0.c", "cortex_m0.S")
_DSP = ("dsp.c", "dsp.S")

KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel("plain", TARGET_ANY, optimization="-O2"),
        Kernel("cortex-m0", TARGET_CORTEX_M0, _M0, ("TOCSIN_KERNEL_LISTS",), lane_bytes=2),
        Kernel("cortex-m0-bytes", TARGET_CORTEX_M0, _M0),
        Kernel("cortex-m0-small", TARGET_CORTEX_M0, _M0, ("TOCSIN_KERNEL_COMPACT",)),
        Kernel("dsp", TARGET_DSP, _DSP, ("TOCSIN_KERNEL_WIDE_LANES",), lane_bytes=2),
        Kernel("dsp-bytes", TARGET_DSP, _DSP),
        Kernel("dsp-small", TARGET_DSP, _DSP, ("TOCSIN_KERNEL_COMPACT",)),
        Kernel("mve", TARGET_MVE, ("mve.c",), ("TOCSIN_KERNEL_VECTORS",)),
    )
}

_LISTS = ("cortex-m0", "cortex-m0-bytes", "cortex-m0-small")
_LANES = ("dsp", "dsp-bytes", "dsp-small")

CORES = {
    core.name: core
    for core in (
        Core("m0", "cortex_m0plus", "UC_CPU_ARM_CORTEX_M0", (*_LISTS, "plain"), *_LISTS),
        Core("m3", "cortex_m3", "UC_CPU_ARM_CORTEX_M3", (*_LISTS, "plain"), *_LISTS),
        Core("m4", "cortex_m4", "UC_CPU_ARM_CORTEX_M4", (*_LANES, "cortex-m0", "plain"), "dsp", "dsp", "dsp-small"),
        Core("m7", "cortex_m7", "UC_CPU_ARM_CORTEX_M7", (*_LANES, "plain"), "dsp", "dsp", "dsp-small"),
        Core("m33", "cortex_m33+dsp", "UC_CPU_ARM_CORTEX_M33", (*_LANES, "plain"), "dsp", "dsp", "dsp-small"),
        Core("m55", "cortex_m55+mve", None, ("mve", "dsp", "plain"), "mve", "mve", "mve"),
    )
}


def core_named(name: str) -> Core:
    """The core of a name like m4 or cortex-m4; UsageError names those that exist.

    >>> core_named("Cortex-M0+").name, core_named("m55").name
    ('m0', 'm55')
    """
    short = name.lower().replace("_", "-").removeprefix("cortex-").removesuffix("+").removesuffix("plus")
    if short not in CORES:
        raise UsageError(f"there is no core {name}; choose one of {', '.join(f'cortex-{known}' for known in CORES)}")
    return CORES[short]


def core_compiled_as(compiler_name: str) -> Core:
    """The core that the compiler calls so; its extensions do not count.

    >>> core_compiled_as("cortex_m4").name
    'm4'
    """
    plain = compiler_name.partition("+")[0]
    return next(core for core in CORES.values() if core.compiler_name.partition("+")[0] == plain)


def kernel_named(name: str) -> Kernel:
    """UsageError names the kernels that exist."""
    if name not in KERNELS:
        raise UsageError(f"there is no kernel {name}; choose one of {', '.join(KERNELS)}")
    return KERNELS[name]


def chosen_kernel(core: Core, *, worst_case: bool = False, small: bool = False) -> Kernel:
    """What a build for `core` takes: its `fast`, `steady` or `small` kernel.

    UsageError where both are asked for.
    """
    if worst_case and small:
        raise UsageError("--worst-case and --small exclude each other; choose one")
    return KERNELS[core.steady if worst_case else core.small if small else core.fast]


def without_unused(kernel: Kernel, *, plain_rows: int, dense_only: bool) -> Kernel:
    """The kernel without what one model does not need; the firmware then refuses packed images that need it."""
    defines = list(kernel.defines)
    if not plain_rows:
        defines.append("TOCSIN_KERNEL_NO_PLAIN")
    if dense_only:
        defines.append("TOCSIN_KERNEL_DENSE_ONLY")
    return replace(kernel, defines=tuple(defines))
