"""How the device of `firmware/boards/factory` was made: the simulated pump's process device, trained.

`python tests/support/factory_device.py FOLDER` makes it again. Training is not the same to the bit on every processor,
so that the files are kept, and `tests/unit/firmware/test_board_build.py` checks what they hold.
"""

import sys
from pathlib import Path

from firmware.emulator.run import FACTORY_HEALTHY_ROWS, FACTORY_SEED
from firmware.host.sensor import birth_of
from shared import model_image
from shared.messages import codec
from shared.recordings.simulator import simulate
from tocsin.provisioning import provision

DEVICE = "factory-process"
ASSET = "factory/site/area/line/pump-1"


def make(folder: Path) -> None:
    """Write profile.cbor and model.image."""
    recording = simulate(FACTORY_SEED).process
    provisioned = provision(recording, DEVICE, ASSET, FACTORY_HEALTHY_ROWS, seed=FACTORY_SEED)
    content = model_image.read(provisioned.image)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "profile.cbor").write_bytes(codec.encode_birth(birth_of(provisioned.profile, 0, content)))
    (folder / "model.image").write_bytes(provisioned.image)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
