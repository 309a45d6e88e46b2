// node verdicts.mjs MODULE < images > verdicts
// Streams are those of firmware/c/ports/host/image_check.c.
import { readFileSync, writeFileSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), { tocsin: { take_message() {} } });
const core = instance.exports;
const images = readFileSync(0);
const verdicts = [];
for (let place = 0; place < images.length; ) {
  const length = images.readUInt32LE(place);
  const image = images.subarray(place + 4, place + 4 + length);
  new Uint8Array(core.memory.buffer, core.tocsin_wasm_image_place(0), length).set(image);
  const verdict = Buffer.alloc(5);
  verdict.writeUInt8(core.tocsin_wasm_load(0, length), 0);
  verdict.writeUInt32LE(core.tocsin_wasm_refused_at(0) >>> 0, 1);
  verdicts.push(verdict);
  place += 4 + length;
}
writeFileSync(1, Buffer.concat(verdicts));
