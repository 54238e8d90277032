// What the file gives, shown by its kind: the likeliest classes, a mask, boxes, points, a heat map, an image, numbers.

import { drawn, found } from "app/boxes.js";
import { marked, placed } from "app/points.js";

const TOP = 5;
const MOST = 50; // numbers that are shown
const OPAQUE = 150; // of 255, a mask laid over the picture

/** Elements that show the outputs, of `results` one each. */
export function show(results, about, picture) {
  const values = results.map((raw, i) => real(raw, about.outputs[i]));
  return about.outputs.flatMap((output, i) => (output.kind === "part" ? [] : [shown(output, values[i], values, about, picture)]));
}

const real = (raw, { scale, zero_point }) => (scale === null ? raw : Float32Array.from(raw, (x) => (x - zero_point) * scale));

function shown(output, values, all, about, picture) {
  const kinds = { classes, mask, boxes, points, heat, image, numbers };
  const shown = kinds[output.kind](values, output, about, picture, all);
  if (about.outputs.length === 1) return shown;
  const whole = element("figure");
  whole.append(element("figcaption", output.name, "note"), shown);
  return whole;
}

function element(tag, text = "", name = "") {
  return Object.assign(document.createElement(tag), { textContent: text, className: name });
}

const named = ({ labels }, count, i) => (labels?.length === count ? labels[i] : `class ${i}`);

function classes(values, output, about) {
  const order = [...values.keys()].sort((a, b) => values[b] - values[a]).slice(0, TOP);
  const sum = values.reduce((a, b) => a + b, 0);
  const likely = values.every((x) => x >= -1e-6) && Math.abs(sum - 1) < 0.02;
  const [most, least] = likely ? [1, 0] : [values[order[0]], Math.min(0, ...values)];
  const list = element("dl", "", "top");
  for (const i of order) {
    const bar = element("div", "", "bar");
    bar.style.width = `${Math.max(0, (100 * (values[i] - least)) / (most - least || 1))}%`;
    const track = element("dd");
    track.append(bar);
    const number = likely ? `${(100 * values[i]).toFixed(1)} %` : values[i].toPrecision(4);
    list.append(element("dt", named(about, values.length, i)), track, element("dd", number, "number"));
  }
  return list;
}

/** A canvas of an output's rows and columns, each pixel of it the RGBA that `color` gives for its place. */
function painted([, height, width], color, picture) {
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) pixels.data.set(color(i), 4 * i);
  const layer = new OffscreenCanvas(width, height);
  layer.getContext("2d").putImageData(pixels, 0, 0);
  const canvas = Object.assign(element("canvas"), { width: picture.width, height: picture.height });
  const brush = canvas.getContext("2d");
  brush.imageSmoothingEnabled = false;
  return [canvas, (below) => {
    if (below) brush.drawImage(picture, 0, 0);
    brush.drawImage(layer, 0, 0, canvas.width, canvas.height);
  }];
}

function boxes(values, output, about, picture, all) {
  const { scores, classes } = output.boxes;
  const kept = found(values, output.boxes, all[scores], classes === null ? null : all[classes]);
  const count = classes === null ? about.outputs[scores].shape[2] ?? 1 : about.labels?.length ?? 0;
  const color = (i) => `rgb(${rgb((i / 8) % 1)})`;
  const whole = element("div");
  whole.append(drawn(kept, picture, (i) => named(about, count, i), color), element("p", kept.length ? `${kept.length} found` : "nothing found", "note"));
  return whole;
}

function points(values, output, about, picture) {
  const places = placed(values, output.points);
  const name = (i) => (about.labels?.length === places.length ? about.labels[i] : `${i + 1}`);
  return marked(places, picture, name, (i) => `rgb(${rgb((i / places.length) % 1)})`);
}

/** Of a score a class and pixel, or of the class of each pixel. */
function mask(values, { shape }, about, picture) {
  const map = shape.length === 3;
  const count = map ? about.labels?.length ?? values.reduce((a, b) => Math.max(a, b), 0) + 1 : shape[3];
  const color = (i) => rgb((i / count) % 1);
  const found = new Map();
  const [canvas, paint] = painted(shape, (i) => {
    const best = map ? values[i] : likeliest(values.subarray(i * count, (i + 1) * count));
    found.set(best, (found.get(best) ?? 0) + 1);
    return [...color(best), OPAQUE];
  }, picture);
  paint(true);
  const keys = element("p", "", "note");
  for (const [i, pixels] of [...found].sort((a, b) => b[1] - a[1]).slice(0, TOP)) {
    const key = element("span", "", "key");
    key.style.background = `rgb(${color(i)})`;
    keys.append(key, `${named(about, count, i)} ${((100 * pixels) / (shape[1] * shape[2])).toFixed(1)} %`);
  }
  const whole = element("div");
  whole.append(canvas, keys);
  return whole;
}

const likeliest = (scores) => scores.indexOf(Math.max(...scores));

/** A colour of the rainbow, of full strength. */
function rgb(part) {
  return [0, 1 / 3, 2 / 3].map((shift) => {
    const x = Math.abs(((part + shift) % 1) * 6 - 3) - 1;
    return Math.round(255 * Math.min(1, Math.max(0, x)));
  });
}

function heat(values, { shape }, about, picture) {
  const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  const [canvas, paint] = painted(shape, (i) => {
    const part = (values[i] - low) / (high - low || 1);
    return [255, Math.round(255 * (1 - part)), 0, Math.round(220 * part)];
  }, picture);
  paint(true);
  const whole = element("div");
  whole.append(canvas, element("p", `${low.toPrecision(4)} clear, ${high.toPrecision(4)} red`, "note"));
  return whole;
}

function image(values, { shape }, about, picture) {
  const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  // Of 0 to 255, of 0 to 1 or of -1 to 1, as models give images.
  const [base, span] = high > 2 ? [0, 255] : low < -0.01 ? [-1, 2] : [0, 1];
  const [canvas, paint] = painted(shape, (i) => [0, 1, 2].map((c) => (255 * (values[3 * i + c] - base)) / span).concat(255), picture);
  paint(false);
  const [, height, width] = about.inputs[0].shape;
  if (shape[1] <= height) return canvas;
  // Beside an enlarged image what was enlarged: the picture on the page has more pixels than the file sees.
  const small = new OffscreenCanvas(width, height);
  Object.assign(small.getContext("2d"), { imageSmoothingQuality: "high" }).drawImage(picture, 0, 0, width, height);
  const before = Object.assign(element("canvas"), { width: canvas.width, height: canvas.height });
  before.getContext("2d").drawImage(small, 0, 0, canvas.width, canvas.height);
  const whole = element("div");
  for (const [words, each, size] of [["what the file sees", before, [height, width]], ["what it makes of it", canvas, shape.slice(1, 3)]]) {
    const one = element("figure");
    one.append(element("figcaption", `${words}: ${size[1]} x ${size[0]}`, "note"), each);
    whole.append(one);
  }
  return whole;
}

function numbers(values) {
  const shown = [...values.subarray(0, MOST)].map((x) => (Number.isInteger(x) ? x : x.toPrecision(5))).join("  ");
  return element("pre", values.length > MOST ? `${shown} ... ${values.length} in all` : shown);
}
