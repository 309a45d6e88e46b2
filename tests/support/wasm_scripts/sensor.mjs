// node sensor.mjs MODULE IMAGE DEVICE BOOT MESSAGES TRACE [NEXT] < samples
// Streams are those of the host program (firmware/c/ports/host/host_streams.h).
import { readFileSync, writeFileSync } from "node:fs";

const [module, imagePath, device, boot, messagesPath, tracePath, nextPath] = process.argv.slice(2);
const messages = [];
const take_message = (pointer, length) => {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32LE(length);
  messages.push(prefix, Buffer.from(core.memory.buffer.slice(pointer, pointer + length)));
};
const { instance } = await WebAssembly.instantiate(readFileSync(module), { tocsin: { take_message } });
const core = instance.exports;
const at = (pointer, length) => new Uint8Array(core.memory.buffer, pointer, length);

function must(status, what) {
  if (status !== 0) throw new Error(`${what} gave status ${status}`);
}

function load(slot, path) {
  const image = readFileSync(path);
  at(core.tocsin_wasm_image_place(slot), image.length).set(image);
  must(core.tocsin_wasm_load(slot, image.length), "load");
}

load(0, imagePath);
if (nextPath) load(1, nextPath);
at(core.tocsin_wasm_id_place(), device.length + 1).set(Buffer.from(`${device}\0`));
must(core.tocsin_wasm_start(BigInt.asIntN(64, BigInt(boot))), "start");

const samples = readFileSync(0);
const countsBytes = 4 * core.tocsin_wasm_channels();
const trace = [];
for (let place = 8; place < samples.length; place += 9 + countsBytes) {
  const flags = samples[place + 8];
  if (flags & 2) must(core.tocsin_wasm_install(), "install");
  if (flags & 1) must(core.tocsin_wasm_end_stretch(), "end_stretch");
  at(core.tocsin_wasm_counts_place(), countsBytes).set(samples.subarray(place + 9, place + 9 + countsBytes));
  must(core.tocsin_wasm_push(samples.readBigInt64LE(place)), "push");
  if (!core.tocsin_wasm_is_new()) continue;
  const count = core.tocsin_wasm_features();
  const inputs = core.tocsin_wasm_inputs();
  const line = Buffer.alloc(2 * count + inputs + 6);
  const features = core.tocsin_wasm_reading_features();
  const output = core.tocsin_wasm_reading_output();
  if (features) line.set(at(features, 2 * count));
  if (output) line.set(at(output, inputs), 2 * count);
  line.writeUInt32LE(core.tocsin_wasm_reading_score() >>> 0, 2 * count + inputs);
  line.writeUInt16LE(core.tocsin_wasm_reading_top(), 2 * count + inputs + 4);
  trace.push(line);
}
must(core.tocsin_wasm_close(), "close");
writeFileSync(messagesPath, Buffer.concat(messages));
writeFileSync(tracePath, Buffer.concat(trace));
