// Runs a .tflite file with LiteRT.js call by call: in the headless browser of a proof, and in a page on whatever device.

import { getWebGpuDevice, loadAndCompile, Tensor } from "@litertjs/core";

export const ARRAYS = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };
// As `worker.py` has it: after so many calls, those that took more than so many seconds together are enough.
const FEWEST = 16;
const ENOUGH = 30;
// Clocks of pages are coarse: so many milliseconds are timed at once.
const TICK = 5;

/** The bytes of a file made ready for "wasm"; or for "webgpu", there whole or not at all. */
export async function compile(bytes, accelerator) {
  const options = { accelerator, cpuOptions: { numThreads: 1 }, gpuOptions: { precision: "fp32" } };
  const model = await loadAndCompile(bytes, options);
  if (accelerator === "webgpu" && !model.isFullyAccelerated) {
    model.delete();
    throw new Error("some operators do not run on the GPU");
  }
  return model;
}

/**
 * A function of the inputs' values for one call that gives the outputs': typed arrays in the order of the entries
 * {name, dtype, shape} of the file's signature.
 */
export function caller(model, inputs, outputs, key = "") {
  const signature = model.signatures[key] ?? model;
  const takes = places(signature.getInputDetails(), inputs);
  const gives = places(outputs, signature.getOutputDetails());
  return async (values) => {
    const tensors = takes.map((place) => new Tensor(values[place], inputs[place].shape));
    const results = await lasting(signature.run(tensors));
    const arrays = await lasting(Promise.all(results.map((each) => each.data())));
    for (const each of [...tensors, ...results]) each.delete();
    return gives.map((place) => arrays[place]);
  };
}

/** Where each entry stands among others, by its name; by its place where a file without a signature has a name twice. */
function places(entries, among) {
  const names = among.map((each) => each.name);
  const known = new Set(names).size === names.length && entries.every((each) => names.includes(each.name));
  return entries.map((each, i) => (known ? names.indexOf(each.name) : i));
}

/** A promise's value, unless the GPU is lost meanwhile, after which none would come. */
function lasting(promise) {
  const lost = getWebGpuDevice()?.lost.then((about) => {
    throw new Error(`the GPU was lost: ${about.message || about.reason}`);
  });
  return lost ? Promise.race([promise, lost]) : promise;
}

/** The outputs of call after call, as {calls, times}: arrays by call, and how many milliseconds each took. */
export async function run(call, inputs, count) {
  const calls = [];
  const times = [];
  let passed = 0;
  for (let i = 0; i < count && !(i >= FEWEST && passed > 1000 * ENOUGH); i++) {
    const before = performance.now();
    calls.push(await call(inputs.map((each) => each[i])));
    times.push(performance.now() - before);
    passed += times.at(-1);
  }
  return { calls, times };
}

/** The median of the milliseconds that a call takes, over some milliseconds more. */
export async function latency(call, values, milliseconds) {
  const times = [];
  let passed = 0;
  while (!times.length || passed < milliseconds) {
    const before = performance.now();
    let calls = 0;
    let took = 0;
    while (took < TICK) {
      await call(values);
      calls++;
      took = performance.now() - before;
    }
    times.push(took / calls);
    passed += took;
  }
  return median(times);
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
