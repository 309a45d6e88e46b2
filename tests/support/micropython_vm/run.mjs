// Runs a module of MicroPython step by step: node run.mjs MICROPYTHON.mjs FOLDER MODULE HEAP_KIB
//
// FOLDER's files are the VM's, MODULE's `step()` is called until it gives False, then the files of /out are written to
// FOLDER/out. Between two steps the VM collects its garbage; within one this port cannot.

import path from "node:path";
import { pathToFileURL } from "node:url";
import { bridge, copyIn, copyOut } from "./files.mjs";

const [program, folder, module, heap] = process.argv.slice(2);
const { loadMicroPython } = await import(pathToFileURL(path.resolve(program)));
const vm = await loadMicroPython({
  heapsize: Number(heap) * 1024,
  stdout: (line) => process.stdout.write(line + "\n"),
  stderr: (line) => process.stderr.write(line + "\n"),
});
copyIn(vm.FS, folder, "/");
if (!vm.FS.analyzePath("/out").exists) vm.FS.mkdir("/out");
try {
  vm.runPython(bridge);
  vm.runPython(`import ${module} as bench\nmore = True`);
  while (vm.globals.get("more")) vm.runPython("more = bench.step()");
} catch (error) {
  process.stderr.write(`${error.message ?? error}\n`);
  process.exit(1);
}
copyOut(vm.FS, "/out", path.join(folder, "out"));
