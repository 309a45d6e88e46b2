// node kernel.mjs MODULE < job > outputs
// The job is that of firmware/bench/job.py: six words, packed layers, inputs.
import { readFileSync, writeSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), {});
const core = instance.exports;
const job = readFileSync(0);
const [runs, inputs, outputs, layers, , modelBytes] = Array.from({ length: 6 }, (_, i) => job.readUInt32LE(4 * i));
const at = (pointer, length) => new Uint8Array(core.memory.buffer, pointer, length);

at(core.tocsin_wasm_model_place(), modelBytes).set(job.subarray(24, 24 + modelBytes));
if (!core.tocsin_wasm_model(layers)) throw new Error("the model does not fit");
const given = Buffer.alloc(runs * outputs);
for (let run = 0; run < runs; run++) {
  const place = 24 + modelBytes + run * inputs;
  at(core.tocsin_wasm_input(), inputs).set(job.subarray(place, place + inputs));
  given.set(at(core.tocsin_wasm_infer(), outputs), run * outputs);
}
for (let sent = 0; sent < given.length; ) sent += writeSync(1, given, sent);
