"""The cores that are measured, and the kernel that each of them runs."""

from dataclasses import dataclass

from shared.errors import UsageError


@dataclass(frozen=True)
class Kernel:
    """Sources in `firmware/c/kernels` and how they are compiled; `target` is how the layers are packed."""

    name: str
    target: str
    sources: tuple[str, ...]
    defines: tuple[str, ...] = ()
    lane_bytes: int = 1
    optimization: str = "-Os"


@dataclass(frozen=True)
class Core:
    """A processor: the compiler's name for it, and Unicorn's (None: QEMU runs it)."""

    name: str
    compiler_name: str
    unicorn_name: str | None
    kernels: tuple[str, ...]


KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel("portable", "portable", ("portable.c",)),
        Kernel("cortex-m0", "cortex-m0", ("cortex_m0.c", "cortex_m0.S"), ("TOCSIN_KERNEL_LISTS",), lane_bytes=2),
        Kernel("dsp", "dsp", ("dsp.c", "dsp.S"), ("TOCSIN_KERNEL_WIDE_LANES",), lane_bytes=2),
        Kernel("dsp-small", "dsp", ("dsp.c", "dsp.S")),
        Kernel(
            "dsp-compact",
            "dsp",
            ("dsp.c", "dsp.S"),
            ("TOCSIN_KERNEL_WIDE_LANES", "TOCSIN_KERNEL_COMPACT", "TOCSIN_KERNEL_NO_PLAIN"),
            lane_bytes=2,
        ),
        Kernel("mve", "mve", ("mve.c",), ("TOCSIN_KERNEL_VECTORS",)),
    )
}

CORES = {
    core.name: core
    for core in (
        Core("m0", "cortex_m0plus", "UC_CPU_ARM_CORTEX_M0", ("cortex-m0", "portable")),
        Core("m3", "cortex_m3", "UC_CPU_ARM_CORTEX_M3", ("cortex-m0", "portable")),
        Core("m4", "cortex_m4", "UC_CPU_ARM_CORTEX_M4", ("dsp", "dsp-small", "dsp-compact", "portable")),
        Core("m7", "cortex_m7", "UC_CPU_ARM_CORTEX_M7", ("dsp", "dsp-small", "dsp-compact", "portable")),
        Core("m33", "cortex_m33+dsp", "UC_CPU_ARM_CORTEX_M33", ("dsp", "dsp-small", "dsp-compact", "portable")),
        Core("m55", "cortex_m55+mve", None, ("mve", "dsp", "portable")),
    )
}


def core_named(name: str) -> Core:
    """UsageError names the cores that exist."""
    if name not in CORES:
        raise UsageError(f"there is no core {name}; choose one of {', '.join(CORES)}")
    return CORES[name]


def kernel_named(name: str) -> Kernel:
    """UsageError names the kernels that exist."""
    if name not in KERNELS:
        raise UsageError(f"there is no kernel {name}; choose one of {', '.join(KERNELS)}")
    return KERNELS[name]
