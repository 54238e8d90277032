// The page: starts LiteRT.js out of itself, runs the file on what a person gives it, and tells how long that takes.

import { getWebGpuDevice, loadLiteRt } from "@litertjs/core";
import { caller, compile, latency } from "app/calls.js";
import { pictures } from "app/pictures.js";
import { numbers } from "app/numbers.js";
import { show } from "app/outputs.js";

const $ = (id) => document.getElementById(id);
const about = JSON.parse($("about").textContent);
const NAMES = { wasm: "WebAssembly", webgpu: "WebGPU" };
const calls = {};
let chosen = "wasm";
let waiting = null;
let running = false;

/** What is stored in the page under a name, unpacked. */
async function stored(name) {
  const packed = await (await fetch(`data:application/octet-stream;base64,${$(name).textContent}`)).blob();
  $(name).remove();
  return new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function start() {
  // Without JSPI there is no WebGPU here; in WebAssembly nothing is ever suspended, so that plain functions will do.
  const whole = "Suspending" in WebAssembly;
  if (!whole) {
    WebAssembly.Suspending = function (suspending) { return suspending; };
    WebAssembly.promising = (promising) => async (...values) => promising(...values);
  }
  const loader = new Blob([await stored("loader")], { type: "text/javascript" });
  self.Module = { wasmBinary: await stored("wasm") };
  await loadLiteRt(`${URL.createObjectURL(loader)}#.js`);
  const bytes = new Uint8Array(await stored("model"));
  for (const accelerator of whole && getWebGpuDevice() ? ["wasm", "webgpu"] : ["wasm"]) {
    try {
      calls[accelerator] = caller(await compile(bytes, accelerator), about.inputs, about.outputs, about.key);
      document.querySelector(`[value=${accelerator}]`).disabled = false;
    } catch (error) {
      row(NAMES[accelerator], error.message);
    }
  }
  if (!calls.webgpu && !$("latencies").children.length) row(NAMES.webgpu, "this browser has none for pages");
}

function row(name, first, median) {
  const line = $("latencies").insertRow();
  const cells = median === undefined ? [name, first] : [name, first.toFixed(2), median.toFixed(2)];
  for (const [i, each] of cells.entries()) {
    const cell = line.insertCell();
    cell.textContent = each;
    cell.className = i && cells.length > 2 ? "number" : "";
    if (cells.length === 2 && i) cell.colSpan = 2;
  }
}

/** How long the file takes here, on each that can run it. */
async function measure() {
  const nothing = about.inputs.map(({ dtype, size }) => new { float32: Float32Array, int32: Int32Array, uint8: Uint8Array }[dtype](size));
  for (const [name, call] of Object.entries(calls)) {
    const before = performance.now();
    await call(nothing);
    const first = performance.now() - before;
    row(NAMES[name], first, await latency(call, nothing, 200));
  }
  const { vendor, architecture, device, description } = getWebGpuDevice()?.adapterInfo ?? {};
  const gpu = [vendor, architecture, device, description].filter(Boolean).join(" ");
  $("device").textContent = `${gpu ? `GPU: ${gpu}, 32-bit floats. ` : ""}${navigator.userAgent}`;
}

/** Runs the file on values; of several that come meanwhile the last. */
async function run(values) {
  waiting = values;
  if (running || !calls[chosen]) return;
  running = true;
  while (waiting) {
    const now = waiting;
    waiting = null;
    const before = performance.now();
    try {
      const results = await calls[chosen](now);
      $("state").className = "";
      $("state").textContent = `${NAMES[chosen]}: ${(performance.now() - before).toFixed(1)} ms`;
      $("results").replaceChildren(...about.outputs.map((output, i) => show(output, results[i], about, $("picture"))));
    } catch (error) {
      fail(error);
    }
  }
  running = false;
}

function fail(error) {
  $("state").className = "wrong";
  $("state").textContent = `${error.message ?? error}`;
}

const again = about.image ? pictures(about, $("picture"), run, fail) : numbers(about, run, fail);
$("accelerators").addEventListener("change", (event) => {
  chosen = event.target.value;
  again();
});
try {
  await start();
  await measure();
  $("state").textContent = about.image ? "ready: draw" : "ready";
  again();
  document.body.dataset.ready = "yes";
} catch (error) {
  fail(error);
}
