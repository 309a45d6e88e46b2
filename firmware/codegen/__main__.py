"""`python -m firmware.codegen`: rewrite the generated files that changed and name them."""

import sys

from firmware.codegen.files import REPOSITORY, write_all

for path in write_all():
    sys.stdout.write(f"written: {path.relative_to(REPOSITORY)}\n")
