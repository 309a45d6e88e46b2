// A board of the real MicroPython: its prompt on standard input and output, files in memory, resets by Ctrl-D.
//
//     node board.mjs MICROPYTHON.mjs FOLDER      FOLDER's files are the board's at its first start
//
// Standard input and output are one end of a pseudo-terminal, set not to block. Everything is synchronous, as on a
// board: while a program runs, it alone reads the line.

import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { bridge, copyIn, copyTree } from "./files.mjs";

const { loadMicroPython } = await import(pathToFileURL(path.resolve(process.argv[2])));
const pause = new Int32Array(new SharedArrayBuffer(4));
const received = Buffer.alloc(4096);
let first = 0;
let end = 0;

function waitMs(milliseconds) {
  Atomics.wait(pause, 0, 0, milliseconds);
}

// The next byte of the line; null when none has arrived, which a program reads as nothing.
function nextByte() {
  if (first === end) {
    first = end = 0;
    try {
      end = fs.readSync(0, received, 0, received.length, null);
    } catch (error) {
      if (error.code === "EAGAIN") return null;
      process.exit(0); // the other end is gone
    }
    if (end === 0) process.exit(0);
  }
  return received[first++];
}

function awaitByte() {
  for (;;) {
    const byte = nextByte();
    if (byte !== null) return byte;
    waitMs(1);
  }
}

// How much of what the VM says next is kept from the line.
let hidden = 0;

function write(bytes) {
  let sent = Math.min(hidden, bytes.length);
  hidden -= sent;
  while (sent < bytes.length) {
    try {
      sent += fs.writeSync(1, bytes, sent);
    } catch (error) {
      if (error.code !== "EAGAIN") process.exit(0);
      waitMs(1);
    }
  }
}

function start(fill) {
  return loadMicroPython({ heapsize: 16 << 20, linebuffer: false, stdin: nextByte, stdout: write, stderr: write }).then(
    (vm) => {
      fill(vm.FS);
      vm.runPython(bridge);
      return vm;
    },
  );
}

function runMain(vm) {
  if (!vm.FS.analyzePath("/main.py").exists) return;
  try {
    vm.runPython(new TextDecoder().decode(vm.FS.readFile("/main.py")));
  } catch (error) {
    write(Buffer.from(`${error.message ?? error}`.replaceAll("\n", "\r\n")));
  }
}

// Raw paste: this port's own reader of it does not wait for the line, so a program is collected here and run as the raw
// prompt runs it, whose "OK" this mode does not have.
function pasteRaw(vm) {
  const windowBytes = 128;
  awaitByte(); // "A"
  awaitByte(); // 0x01
  write(Buffer.from([0x52, 0x01, windowBytes, 0]));
  const program = [];
  for (let byte = awaitByte(); byte !== 4; byte = awaitByte()) {
    program.push(byte);
    if (program.length % windowBytes === 0) write(Buffer.from([1]));
  }
  write(Buffer.from([4]));
  hidden = 2;
  for (const byte of program) vm.replProcessChar(byte);
  vm.replProcessChar(4);
  hidden = 0;
}

let vm = await start((target) => copyIn(target, process.argv[3], "/"));
let raw = false;
runMain(vm);
vm.replInit();
for (;;) {
  const byte = awaitByte();
  if (raw && byte === 5) {
    pasteRaw(vm);
    continue;
  }
  if (byte === 1 || byte === 2) raw = byte === 1;
  if (vm.replProcessChar(byte)) {
    write(Buffer.from("MPY: soft reboot\r\n"));
    const before = vm.FS;
    vm = await start((target) => copyTree(before, target, "/"));
    if (!raw) runMain(vm);
    hidden = raw ? Infinity : 0; // no banner of the friendly prompt on the way to the raw one
    vm.replInit();
    hidden = 0;
    if (raw) vm.replProcessChar(1);
  }
}
