// The VM's files, which live in memory, and what makes its error numbers those of a board.

import fs from "node:fs";
import path from "node:path";

const OF_THE_PORT = new Set(["dev", "proc", "tmp", "home"]);

// Emscripten numbers its errors in its own way (ENOENT is 44); a board has the numbers of the errno module. And on a board
// the empty path is the folder that one is in.
export const bridge = `
def _bridge():
    import builtins
    import os

    numbers = {2: 13, 20: 17, 28: 22, 31: 21, 44: 2, 51: 28, 54: 20, 55: 39}

    def bridged(function):
        def call(*arguments, **named):
            if arguments and arguments[0] == "":
                arguments = (".",) + arguments[1:]
            try:
                return function(*arguments, **named)
            except OSError as error:
                raise OSError(numbers.get(error.args[0], error.args[0]))

        return call

    for name in ("stat", "remove", "unlink", "rename", "mkdir", "rmdir", "listdir", "ilistdir", "chdir"):
        setattr(os, name, bridged(getattr(os, name)))
    builtins.open = bridged(builtins.open)


_bridge()
del _bridge
`;

// Copy a folder of this machine into the VM's files.
export function copyIn(target, folder, place) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const from = path.join(folder, entry.name);
    const to = place + entry.name;
    if (entry.isDirectory()) {
      if (!target.analyzePath(to).exists) target.mkdir(to);
      copyIn(target, from, to + "/");
    } else {
      target.writeFile(to, fs.readFileSync(from));
    }
  }
}

// Copy all files from one VM to the next, as flash keeps them over a reset.
export function copyTree(source, target, place) {
  for (const name of source.readdir(place)) {
    if (name === "." || name === ".." || (place === "/" && OF_THE_PORT.has(name))) continue;
    const from = place + name;
    if (source.isDir(source.stat(from).mode)) {
      if (!target.analyzePath(from).exists) target.mkdir(from);
      copyTree(source, target, from + "/");
    } else {
      target.writeFile(from, source.readFile(from));
    }
  }
}

// Copy a folder of the VM's files to this machine.
export function copyOut(source, place, folder) {
  fs.mkdirSync(folder, { recursive: true });
  for (const name of source.readdir(place)) {
    if (name === "." || name === "..") continue;
    fs.writeFileSync(path.join(folder, name), source.readFile(place + "/" + name));
  }
}
