// The page: starts LiteRT.js out of itself, runs the file on what a person gives it, and tells how long that takes.

import { getWebGpuDevice, loadLiteRt } from "@litertjs/core";
import { answer, hand } from "app/answer.js";
import { ARRAYS, caller, compile, latency } from "app/calls.js";
import { pictures } from "app/pictures.js";
import { numbers } from "app/numbers.js";
import { show } from "app/outputs.js";
import { evidence, prove } from "app/proof.js";

const $ = (id) => document.getElementById(id);
const about = JSON.parse($("about").textContent);
const NAMES = { wasm: "WebAssembly", webgpu: "WebGPU" };
const RUNTIMES = { wasm: "browser", webgpu: "browser-gpu" }; // as proofs name them
const LETTERS = 1000; // of a reason
const calls = {};
const refused = {};
const found = [];
let given = null;
let chosen = "wasm";
let waiting = null;
let running = false;
let ready = false;

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
    } catch (error) {
      refused[accelerator] = { verdict: "REJECTED", reason: error.message };
    }
  }
  if (!whole || !getWebGpuDevice()) refused.webgpu = { verdict: "UNTESTED", reason: "this browser has no WebGPU for pages, or no JSPI" };
  if (!about.proof.why) given = evidence(about.proof, about, await stored("evidence"));
}

/** What the file does here, on each that can run it, and how long it takes; of one that throws, why. */
async function measure() {
  for (const name of Object.keys(NAMES)) {
    $("state").textContent = `${NAMES[name]}: proving`;
    if (calls[name]) {
      try {
        tell(name, await measured(calls[name], about.proof));
        continue;
      } catch (error) {
        delete calls[name];
        refused[name] = { verdict: "REJECTED", reason: error.message ?? `${error}` };
      }
    }
    tell(name, refused[name]);
  }
}

async function measured(call, asked) {
  const nothing = about.inputs.map(({ dtype, size }) => new ARRAYS[dtype](size));
  const before = performance.now();
  await call(nothing);
  const first_ms = performance.now() - before;
  const proof = asked.why ? { verdict: "UNTESTED", reason: asked.why } : await prove(call, asked, about, given);
  return { ...proof, first_ms, latency_ms: await latency(call, nothing, 200) };
}

/** Has a person choose among those that run the file; it throws where none does. */
function choose() {
  const names = Object.keys(calls);
  if (!names.length) throw new Error("this file does not run in this browser");
  for (const name of names) document.querySelector(`[value=${name}]`).disabled = false;
  chosen = names[0];
  document.querySelector(`[value=${chosen}]`).checked = true;
}

/** A line of the table, and of the answer. */
function tell(name, { verdict, reason = "", snr_db = null, max_error = null, agreement = null, samples = 0, first_ms = null, latency_ms = null }) {
  found.push({ runtime: RUNTIMES[name], verdict, reason: reason.slice(0, LETTERS), snr_db, max_error, agreement, samples, first_ms, latency_ms });
  const decibels = snr_db !== null ? snr_db.toFixed(1) : max_error !== null ? "exact" : "-";
  const line = $("proofs").insertRow();
  for (const [i, each] of [NAMES[name], verdict, decibels, ...[first_ms, latency_ms].map((ms) => ms?.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0) ?? "-")].entries()) {
    const cell = line.insertCell();
    cell.textContent = each;
    cell.className = i > 1 ? "number" : i ? `verdict ${verdict}` : "";
  }
  if (!reason) return;
  const cell = $("proofs").insertRow().insertCell();
  Object.assign(cell, { textContent: reason, colSpan: 5, className: "note" });
}

/** Runs the file on values; of several that come meanwhile the last. */
async function run(values) {
  waiting = values;
  if (running || !ready) return;
  running = true;
  while (waiting) {
    const now = waiting;
    waiting = null;
    const before = performance.now();
    try {
      const results = await calls[chosen](now);
      $("state").className = "";
      $("state").textContent = `${NAMES[chosen]}: ${(performance.now() - before).toFixed(1)} ms`;
      $("results").replaceChildren(...show(results, about, $("picture")));
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
  await hand(about, await answer(about, found), $("save"), $("sent"));
  choose();
  ready = true;
  $("state").textContent = about.image ? "ready: draw" : "ready";
  again();
  document.body.dataset.ready = "yes";
} catch (error) {
  fail(error);
}
