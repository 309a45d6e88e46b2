"""An image without Docker: the steps of a Dockerfile's build stage run into a folder, and its programs started from it.

Every RUN of the build stage runs as it stands, with the image's absolute paths moved below the folder and the
installers' caches left on. What is started has the image's environment and, where this machine allows it, what a
container would have: the image's user, no capability, and a file system that cannot be written but for its volumes.
"""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tocsin.site.dockerfile import Image, Instruction, read_image, read_instructions

ROOT = Path(__file__).resolve().parents[2]
_LIMIT_SECONDS = 280
#: The folders of an image that stand below the folder of a build.
_PATHS = re.compile(r"(?<![\w./-])/(?:opt|data|plant|tmp)(?![\w-])")
_NO_NETWORK = ("error sending request", "Failed to fetch", "Could not fetch", "Temporary failure in name resolution")


def system_python() -> Path:
    """An interpreter that another user may start too, else ours."""
    for name in ("/usr/bin/python3", "/usr/local/bin/python3"):
        code = "import ensurepip, venv, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"
        if Path(name).exists() and subprocess.run([name, "-c", code], capture_output=True, check=False).returncode == 0:
            return Path(name)
    return Path(sys.executable)


def context_files() -> list[Path]:
    """What .dockerignore lets into the build, as paths below the root."""
    rules = [line.strip() for line in (ROOT / ".dockerignore").read_text().splitlines()]
    rules = [rule for rule in rules if rule and not rule.startswith("#")]
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is not a git checkout: only a clone knows what belongs to the build")
    return [
        path for path in map(Path, listed.stdout.splitlines()) if _is_let_in(path, rules) and (ROOT / path).exists()
    ]


def _is_let_in(path: Path, rules: list[str]) -> bool:
    """The last rule that matches the path, or a folder above it, decides."""
    let_in = True
    above = [Path(*path.parts[:count]).as_posix() for count in range(1, len(path.parts) + 1)]
    for rule in rules:
        pattern = rule.removeprefix("!").removeprefix("**/")
        deep = "**/" in rule
        if any(fnmatch.fnmatch(Path(name).name if deep else name, pattern) for name in above):
            let_in = rule.startswith("!")
    return let_in


@dataclass(frozen=True)
class BuiltImage:
    """A built image below `folder`."""

    folder: Path
    image: Image

    def moved(self, text: str) -> str:
        """A text of the image with its absolute paths below the folder; what is there already stays."""
        if str(self.folder) in text:
            return text
        return _PATHS.sub(lambda match: f"{self.folder}{match[0]}", text)

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """What a container of the image would have in its environment."""
        return {name: self.moved(value) for name, value in (self.image.environment | dict(more)).items()}

    def command(self, words: tuple[str, ...]) -> list[str]:
        """A command line that starts `words` as a container would."""
        return [*_walls(self.folder, self.image.user), *map(self.moved, words)]

    def start(self, words: tuple[str, ...], more: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        """Start a program of the image."""
        with log.open("wb") as output:
            return subprocess.Popen(
                self.command(words),
                env=self.environment(more),
                cwd=self.folder / "tmp",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def give(self, path: Path) -> None:
        """Make a path the image's user's, as Docker does with a new volume."""
        if os.geteuid() == 0:
            os.chown(path, *map(int, self.image.user.split(":")))

    def run(self, words: tuple[str, ...], more: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a program of the image to its end."""
        return subprocess.run(
            self.command(words),
            env=self.environment(more),
            cwd=self.folder / "tmp",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT_SECONDS,
            check=False,
        )


def build_image(dockerfile: Path, folder: Path) -> BuiltImage:
    """Run the build stage of a Dockerfile into `folder`; skips the test where packages cannot be fetched."""
    built = BuiltImage(folder, read_image(dockerfile))
    for name in ("source", "opt", "data", "plant", "tmp", "bin"):
        (folder / name).mkdir()
    (folder / "bin" / "python").symlink_to(system_python())
    instructions = read_instructions(dockerfile.read_text())
    stages = [number for number, one in enumerate(instructions) if one.name == "FROM"]
    for one in instructions[stages[0] : stages[1]]:
        if one.name == "COPY":
            _copy(one, folder / "source")
        elif one.name == "RUN":
            _run(built, one)
    for one in instructions[stages[1] :]:
        if one.name == "COPY":  # the folders stay where they were built
            source, target = one.words
            assert one.options == {"from": "build"}
            assert source == target
            assert Path(built.moved(source)).is_dir()
    for name in ("data", "plant", "tmp"):
        built.give(folder / name)
    return built


def _copy(one: Instruction, source: Path) -> None:
    *names, target = one.words
    for file in context_files():
        if names == ["."] or file.as_posix() in names:
            place = source / file if names == ["."] else source / target / file.name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, place)


def _run(built: BuiltImage, one: Instruction) -> None:
    text = built.moved(one.rest).replace(" --no-cache-dir", "").replace(" --no-cache", "")
    done = subprocess.run(
        ["/bin/sh", "-euc", text],
        cwd=built.folder / "source",
        env={**os.environ, "PATH": f"{built.folder / 'bin'}:/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=_LIMIT_SECONDS,
        check=False,
    )
    said = done.stdout + done.stderr
    if done.returncode != 0 and any(words in said for words in _NO_NETWORK):
        pytest.skip("packages cannot be fetched: connect this machine, or fill the cache of uv")
    assert done.returncode == 0, f"{text}\n{said}"


def _walls(folder: Path, user: str) -> list[str]:
    """What goes before a command so that it runs as in a container; nothing where this machine cannot do it."""
    if os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("setpriv")):
        return []
    volumes = " && ".join(f"mount --bind '{folder / name}' '{folder / name}'" for name in ("data", "plant", "tmp"))
    uid, gid = user.split(":")
    script = (
        f"mount --make-rprivate / && mount --bind / / && {volumes} && mount -o remount,bind,ro / && "
        f"exec setpriv --reuid {uid} --regid {gid} --clear-groups --no-new-privs --bounding-set=-all "
        '--pdeathsig TERM -- "$@"'
    )
    probe = ["unshare", "--mount", "/bin/sh", "-c", script, "sh"]
    reachable = [*probe, str(folder / "bin" / "python"), "-c", ""]
    return probe if subprocess.run(reachable, capture_output=True, check=False).returncode == 0 else []
