// node verdicts.mjs MODULE < images > statuses
// Streams are those of firmware/c/ports/host/image_check.c.
import { readFileSync, writeSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), { tocsin: { take_message() {} } });
const core = instance.exports;
const images = readFileSync(0);
const statuses = [];
for (let place = 0; place < images.length; ) {
  const length = images.readUInt32LE(place);
  const image = images.subarray(place + 4, place + 4 + length);
  new Uint8Array(core.memory.buffer, core.tocsin_wasm_image_place(0), length).set(image);
  statuses.push(core.tocsin_wasm_load(0, length));
  place += 4 + length;
}
writeSync(1, Uint8Array.from(statuses));
