"""Boards in QEMU: the firmware as it would run on the chip, with its two serial lines on TCP ports of this machine."""
