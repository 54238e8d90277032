// Whether numbers match, by the rules of docs/proof.md: what `match.py` and `parts.py` say, for 32-bit floats.
// An array is {values, shape}: numbers in a row, and (samples, ...). `rules` are the figures of those files.

import { median } from "app/calls.js";

const sum = (values, f) => {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += f(values[i], i);
  return total;
};
const square = (x) => x * x;
const power = (values) => sum(values, square);
const largest = (values) => values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
const less = (a, b) => a.map((x, i) => x - b[i]);
const decibels = (signal, noise) => 10 * Math.log10(signal / noise);
const any = (values) => values.some((x) => x !== 0);

/** The mean over the samples for each place; the mean of all where there is one sample. */
function usual({ values, shape }) {
  const size = values.length / shape[0];
  if (shape[0] === 1) return new Float64Array(size).fill(sum(values, (x) => x) / size);
  const means = new Float64Array(size);
  for (let i = 0; i < values.length; i++) means[i % size] += values[i] / shape[0];
  return means;
}

/** Largest number less the smallest; a tenth of the largest size at least. */
export function spread(values) {
  const high = values.reduce((a, b) => Math.max(a, b));
  const low = values.reduce((a, b) => Math.min(a, b));
  return Math.max(high - low, 0.1 * largest(values));
}

/** Decibels of the signal over the error; null where there is no error to speak of. */
export function snr(wanted, got, rules) {
  const noise = power(less(got.values, wanted.values));
  const whole = power(wanted.values);
  if (noise <= (whole ? Math.max(square(rules.resolution) * whole, 1e-60) : 1e-12)) return null;
  return decibels(Math.max(signal(wanted, rules), 1e-60), noise);
}

function signal(wanted, rules) {
  return Math.max(differing(wanted), square(rules.constant) * power(wanted.values));
}

function differing(array) {
  const means = usual(array);
  return sum(array.values, (x, i) => square(x - means[i % means.length]));
}

/** What is wrong with an output's numbers; "" if nothing is. `asked` is what the page carries of the proof. */
export function fault(outputs, asked) {
  for (const { name, got, wanted, meaning, ...output } of outputs) {
    if (!got.values.length) continue;
    if (!got.values.every(Number.isFinite)) return `output \`${name}\` ${asked.rules.no_numbers}`;
    const compare = output.counted ? unequal : tooFar;
    if (meaning) {
      const off = different(meaning, got, output, asked);
      if (off) {
        const far = asked.limits ? compare(wanted, meaning, output, asked) : "";
        if (far && !asked.drawn) return `output \`${name}\` of LiteRT's built-in kernels ${far}; the runtime ${off}`;
        return `output \`${name}\` ${off}${asked.drawn ? asked.rules.drawn : ""}`;
      }
    }
    const far = asked.limits ? compare(wanted, got, output, asked) : "";
    if (far) return `output \`${name}\` ${far}${asked.drawn ? asked.rules.drawn : ""}`;
  }
  return "";
}

/** Why outputs that match prove nothing: they hardly move with the samples. "" if they do. */
export function nothingSaid(outputs, { rules }) {
  if (outputs.every(({ got }) => still(got))) return "no output differs from sample to sample: these samples test nothing";
  for (const { name, got, meaning, counted } of outputs) {
    const ratio = counted ? null : snr(meaning, got, rules);
    if (ratio !== null && ratio < rules.nothing_db) {
      return `output \`${name}\` differs no more from sample to sample than its roundings do (${ratio.toFixed(1)} dB): these samples test nothing`;
    }
  }
  return "";
}

function still({ values, shape }) {
  const size = values.length / shape[0];
  return shape[0] > 1 && values.every((x, i) => x === values[i % size]);
}

/** How a runtime computes something else than LiteRT's built-in kernels; "" if it does not. */
function different(meaning, got, output, asked) {
  const { rules, rounded } = asked;
  if (output.counted) {
    return unequal(meaning, got, output, { ...asked, limits: rounded ? rules.integers : rules.floats }).replace("the Keras model", rules.kernels);
  }
  const error = largest(less(got.values, meaning.values));
  const few = output.step && error <= (rules.max_steps + 0.5) * output.step;
  if (!(rounded && few) && differs(meaning, got, error, asked)) {
    return `is off by ${error.toPrecision(3)} from ${rules.kernels}, whose outputs spread over ${spread(meaning.values).toPrecision(3)}`;
  }
  if (few) return "";
  const least = rounded ? rules.part_of_integers : rules.floats.least - rules.part;
  const factor = rounded ? rules.integers.factor : rules.floats.factor;
  const part = faultOfPart(meaning, got, { least, factor, rough: rounded, joined: output.joined }, rules);
  return part && `is not right throughout: ${part} (that of ${rules.kernels})`;
}

function differs(meaning, got, error, { rules, rounded }) {
  const values = meaning.values;
  if (!rounded) return error > Math.max(rules.max_float_difference * spread(values), any(values) ? rules.tiny : rules.none);
  const mean = sum(values, (x) => x) / values.length;
  const deviation = Math.sqrt(sum(values, (x) => square(x - mean)) / values.length);
  const rms = Math.sqrt(power(less(got.values, values)) / values.length);
  return error > rules.max_integer_difference * spread(values) || rms > rules.max_integer_difference * deviation;
}

/** How numbers are further from the Keras model's than the precision explains; "" if they are not. */
function tooFar(wanted, got, output, { rules, precision, limits }) {
  const { least, part, factor, rough } = limits;
  const ratio = snr(wanted, got, rules);
  if (ratio !== null && ratio < least) {
    return `is ${ratio.toFixed(1)} dB over its error against the Keras model; ${precision} must reach ${least.toFixed(0)} dB`;
  }
  const error = largest(less(got.values, wanted.values));
  const range = spread(wanted.values);
  if (part !== null && error > Math.max(part * range, any(wanted.values) ? rules.tiny : rules.none)) {
    return `is off by ${error.toPrecision(3)} from the Keras model, whose outputs spread over ${range.toPrecision(3)}; ${precision} may be off by ${part} of that`;
  }
  const wrong = faultOfPart(wanted, got, { least: least - rules.part, factor, rough, joined: output.joined }, rules);
  return wrong && `is not right throughout: ${wrong} (that of the Keras model)`;
}

/** How class ids, masks and counts differ from the Keras model's; "" if enough are equal. */
function unequal(wanted, got, output, { rules, precision, limits }) {
  const size = got.values.length;
  const equal = sum(got.values, (x, i) => (x === wanted.values[i] ? 1 : 0));
  if (size - equal > Math.max(1, (1 - limits.equal) * size)) {
    return `equals the Keras model's in ${((100 * equal) / size).toFixed(1)}% of its elements; ${precision ?? limits.name} must reach ${(100 * limits.equal).toFixed(0)}%`;
  }
  const counts = new Map();
  for (const [i, x] of wanted.values.entries()) {
    const [all, found] = counts.get(x) ?? [0, 0];
    counts.set(x, [all + 1, found + (got.values[i] === x ? 1 : 0)]);
  }
  for (const [x, [all, found]] of [...counts].sort(([a], [b]) => a - b)) {
    if (all >= Math.max(rules.frequent * size, 2) && found / all < 0.5) {
      return `has ${x} in ${((100 * found) / all).toFixed(1)}% of the elements where the Keras model has it; half is the least`;
    }
  }
  return "";
}

/** Of each slice along an axis what `Figures` of parts.py holds; of the whole if the axis is null. */
function figures(wanted, got, axis, rules) {
  const { shape } = wanted;
  const parts = axis === null ? 1 : shape[axis];
  const inner = axis === null ? wanted.values.length : shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const count = wanted.values.length / parts;
  const made = () => new Float64Array(parts);
  const [mean, gotten, differ, noise, most, whole] = [made(), made(), made(), made(), made(), made()];
  const [own, theirs, together, rest] = [made(), made(), made(), made()];
  const place = (i) => Math.floor(i / inner) % parts;
  for (let i = 0; i < wanted.values.length; i++) {
    mean[place(i)] += wanted.values[i] / count;
    gotten[place(i)] += got.values[i] / count;
  }
  const means = shape[0] > 1 ? usual(wanted) : null;
  for (let i = 0; i < wanted.values.length; i++) {
    const p = place(i);
    const [x, y] = [wanted.values[i], got.values[i]];
    const [a, b] = [x - mean[p], y - gotten[p]];
    differ[p] += square(means ? x - means[i % means.length] : a);
    noise[p] += square(y - x);
    most[p] = Math.max(most[p], Math.abs(y - x));
    whole[p] += square(x);
    own[p] += square(a);
    theirs[p] += square(b);
    together[p] += a * b;
    rest[p] += square(b - a);
  }
  const number = (x) => (Number.isNaN(x) ? 0 : x);
  return Array.from({ length: parts }, (_, p) => {
    const factor = own[p] > 0 ? together[p] / own[p] : 1;
    return {
      signal: Math.max(differ[p], square(rules.constant) * whole[p]),
      differing: differ[p],
      varies: differ[p] > square(rules.varies) * whole[p],
      noise: noise[p],
      largest: most[p],
      correlation: number(together[p] / Math.sqrt(own[p] * theirs[p])),
      factor,
      explained: number((square(factor - 1) * own[p]) / rest[p]),
      count,
    };
  });
}

/** Which part of an output is wrong, and how; "" if none is. */
export function faultOfPart(wanted, got, { least, factor, rough, joined }, rules) {
  const rounding = rules.rounding * largest(wanted.values);
  const axes = wanted.shape.map((size, axis) => (axis && size > 1 ? axis : null)).filter((axis) => axis !== null);
  const likely = rough && probabilities(wanted.values);
  for (const axis of axes.length ? axes : [null]) {
    const slices = figures(wanted, got, axis, rules);
    const noise = sum(slices, (f) => f.noise) / slices.length;
    let lost = 0;
    for (const f of slices) {
      f.judged = f.largest > rounding && !(likely && f.differing < f.count * square(rules.unlikely));
      const drowned = f.judged && f.signal <= noise && slices.length > 1;
      f.unlike = f.correlation < rules.least_correlation && f.varies && f.count >= rules.fewest;
      if (drowned && f.unlike) lost++;
      f.judged &&= !drowned;
      f.ratio = decibels(Math.max(f.signal, 1e-200), Math.max(f.noise, 1e-200));
    }
    if (lost >= (joined ? rules.drowned_of_joined : rules.drowned) * slices.length) {
      return `loses ${lost} of ${slices.length} parts along axis ${axis}, which are smaller than the roundings of the others`;
    }
    const middle = median(slices.map((f) => f.ratio));
    const needed = Math.min(Math.max(middle - rules.below, least), least + rules.more);
    const moved = factors(slices, Math.max(factor, 10 ** (-middle / 20)), rules);
    for (const [place, f] of slices.entries()) {
      if (!f.judged || !(f.unlike || f.ratio < needed || moved(f))) continue;
      const where = axis === null ? "it" : `part ${place} of ${slices.length} along axis ${axis}`;
      if (f.unlike) return `${where} has nothing to do with the one wanted (correlation ${f.correlation.toFixed(2)})`;
      if (f.ratio < needed) return `${where} is ${f.ratio.toFixed(1)} dB over its error; ${needed.toFixed(0)} dB is the least here`;
      return `${where} is ${f.factor.toFixed(3)} times the one wanted`;
    }
  }
  return lostSamples(wanted, got, least, likely, rules);
}

/** Whether a part is another by a factor that the rest does not have, and that no roundings give by chance. */
function factors(slices, most, rules) {
  const common = slices.length > 2 ? median(slices.map((f) => f.factor)) : 1;
  return (f) => {
    const chance = (Math.log(Math.max(1 - f.explained, 1e-200)) * (f.count - 2)) / 2 + Math.log(slices.length);
    const surely = f.varies && f.count >= rules.fewest && f.explained > rules.explained && chance < Math.log(rules.chance);
    return surely && Math.abs(f.factor - common) > most && Math.abs(f.factor - 1) > most;
  };
}

function probabilities(values) {
  const most = values.reduce((a, b) => Math.max(a, b));
  return values.every((x) => x >= 0) && most >= 0.5 && most <= 1 + 1e-6;
}

/** Whether some samples are lost altogether, though most are right; or most are, though one is so large. */
function lostSamples({ values, shape }, got, least, likely, rules) {
  const rows = shape[0];
  if (rows < rules.fewest || !any(values)) return "";
  const size = values.length / rows;
  const middle = Array.from({ length: size }, (_, place) => median(Array.from({ length: rows }, (_, row) => values[row * size + place])));
  const [noise, own] = [[], []];
  for (let row = 0; row < rows; row++) {
    const mine = values.subarray(row * size, (row + 1) * size);
    noise.push(sum(mine, (x, i) => square(got.values[row * size + i] - x)));
    const away = sum(mine, (x, i) => square(x - middle[i]));
    own.push(Math.max(away, square(rules.constant) * power(mine), likely ? square(rules.unlikely) * size : 0));
  }
  const mean = sum(own, (x) => x) / rows;
  const lost = noise.filter((x) => x >= mean).length;
  if (mean > 0 && lost >= rules.lost_samples * rows && median(noise) < mean / 16) {
    return `${lost} of ${rows} samples have nothing to do with those wanted, though the others have`;
  }
  const rounding = square(rules.rounding * largest(values)) * size;
  const ratio = 10 * Math.log10(median(own.map((x, i) => Math.max(x, 1e-200) / Math.max(noise[i], rounding))));
  const needed = Math.max(least + rules.typical, rules.least_typical);
  if (mean > 0 && median(noise) > rounding && ratio < needed) {
    return `of half of the samples it is ${ratio.toFixed(1)} dB or less over its error; ${needed.toFixed(1)} dB is the least`;
  }
  return "";
}
