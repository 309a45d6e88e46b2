// node layers.mjs MODULE < job > outputs
// The job: five words (runs, inputs, outputs, layers, bytes of the records), records of layers, inputs.
import { readFileSync, writeSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), {});
const core = instance.exports;
const job = readFileSync(0);
const [runs, inputs, outputs, layers, recordBytes] = Array.from({ length: 5 }, (_, i) => job.readUInt32LE(4 * i));
const at = (pointer, length) => new Uint8Array(core.memory.buffer, pointer, length);

at(core.tocsin_wasm_records_place(), recordBytes).set(job.subarray(20, 20 + recordBytes));
core.tocsin_wasm_layers(layers);
const given = Buffer.alloc(runs * outputs);
for (let run = 0; run < runs; run++) {
  const place = 20 + recordBytes + run * inputs;
  at(core.tocsin_wasm_input(), inputs).set(job.subarray(place, place + inputs));
  given.set(at(core.tocsin_wasm_infer(), outputs), run * outputs);
}
for (let sent = 0; sent < given.length; ) sent += writeSync(1, given, sent);
