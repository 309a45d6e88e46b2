"""``python -m cloud``: the same as ``tocsin cloud``."""

from cloud.cli import app

if __name__ == "__main__":
    app(prog_name="tocsin cloud")
