// The file proven on the device that the page is opened on: on samples that the page carries, against what it must give.

import { ARRAYS, run } from "app/calls.js";
import { fault, nothingSaid, snr } from "app/match.js";

const KINDS = { ...ARRAYS, float64: Float64Array, bool: Uint8Array };

/** The page's evidence: {inputs, expected, meaning}, typed arrays each; of the last two what is there. */
export function evidence(asked, about, bytes) {
  let offset = 0;
  const arrays = asked.arrays.map(({ dtype, size }) => {
    const values = new KINDS[dtype](bytes, offset, size);
    offset += Math.ceil(values.byteLength / 8) * 8;
    return values;
  });
  const inputs = arrays.splice(0, about.inputs.length);
  const expected = asked.expected ? arrays.splice(0, about.outputs.length) : null;
  return { inputs, expected, meaning: asked.meaning ? arrays : null };
}

/** What a file does with these samples: {verdict, reason, snr_db, max_error, agreement, samples}. */
export async function prove(call, asked, about, { inputs, expected, meaning }) {
  const given = inputs.map((all) => {
    const size = all.length / asked.calls;
    return Array.from({ length: asked.calls }, (_, i) => all.slice(i * size, (i + 1) * size));
  });
  const { calls } = await run(call, given, asked.calls);
  const outputs = asked.outputs.map((output, i) => ({
    ...output,
    raw: joined(calls.map((each) => each[i])),
    expected: expected?.[i],
    meaning: meaning?.[i],
  }));
  return judge(outputs, asked);
}

/** The verdict on outputs: each what is told of it, with `raw` numbers of the file, `expected` ones, and `meaning`. */
export function judge(outputs, asked) {
  const of = ({ shape, scale, zero_point }, values) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const real = Float64Array.from(values.subarray(0, size), scale === null ? undefined : (x) => (x - zero_point) * scale);
    return { values: real, shape };
  };
  const read = [];
  for (const { raw, expected, meaning, ...output } of outputs) {
    const size = output.shape.reduce((a, b) => a * b, 1);
    if (raw.length < size) {
      return { verdict: "WRONG", reason: `output \`${output.name}\` has ${raw.length} numbers; ${size} are wanted`, samples: asked.samples };
    }
    const means = meaning ? of(output, meaning) : null;
    const wanted = expected ? { values: Float64Array.from(expected), shape: output.shape } : means;
    read.push({ ...output, got: of(output, raw), wanted, meaning: means });
  }
  return { ...verdict(read, asked), ...measured(read, asked) };
}

function verdict(outputs, asked) {
  const reason = fault(outputs, asked) || fromTraining(outputs, asked);
  const alone = !asked.expected;
  if (reason && ((alone && asked.drawn && reason.includes(asked.rules.drawn)) || (asked.made_up && reason.includes(asked.rules.no_numbers)))) {
    return { verdict: "UNTESTED", reason };
  }
  if (reason) return { verdict: "WRONG", reason };
  const nothing = (alone && nothingSaid(outputs, asked)) || asked.untested;
  return { verdict: nothing ? "UNTESTED" : "PROVEN", reason: nothing };
}

/** How a file is further from a model that trained with its rounding than that may be; "" if it is not. */
function fromTraining(outputs, { most_steps }) {
  const steps = outputs.filter(({ step }) => step).map(({ got, wanted, step }) => rms(got.values, wanted.values) / step);
  const most = Math.max(...steps);
  if (most_steps === null || !(most > most_steps)) return "";
  return `it is ${most.toFixed(1)} steps of its outputs (rms) from the model that trained with its rounding; a file must be within ${most_steps}`;
}

const rms = (got, wanted) => Math.sqrt(got.reduce((sum, x, i) => sum + (x - wanted[i]) ** 2, 0) / got.length);

function measured(outputs, { rules, samples }) {
  const errors = outputs.flatMap(({ got, wanted }) => got.values.reduce((most, x, i) => Math.max(most, Math.abs(x - wanted.values[i])), 0));
  const ratios = outputs.map(({ got, wanted }) => snr(wanted, got, rules)).filter((ratio) => ratio !== null);
  const finite = (x) => (Number.isFinite(x) ? x : null);
  return {
    max_error: finite(Math.max(...errors)),
    snr_db: ratios.length ? finite(Math.min(...ratios)) : null,
    agreement: agreement(outputs),
    samples,
  };
}

/** Part of the samples with the same largest class; null unless the one output is of (samples, classes). */
function agreement(outputs) {
  const [{ got, wanted }] = outputs;
  const [rows, classes] = got.shape;
  if (outputs.length > 1 || got.shape.length !== 2 || classes < 2) return null;
  const best = (values, row) => {
    const part = values.subarray(row * classes, (row + 1) * classes);
    return part.reduce((most, x, i) => (x > part[most] ? i : most), 0);
  };
  let same = 0;
  for (let row = 0; row < rows; row++) same += best(got.values, row) === best(wanted.values, row);
  return same / rows;
}

function joined(arrays) {
  const all = new arrays[0].constructor(arrays.reduce((sum, each) => sum + each.length, 0));
  let offset = 0;
  for (const each of arrays) {
    all.set(each, offset);
    offset += each.length;
  }
  return all;
}
