// Boxes laid over the picture, of outputs of a detector: boxes, their scores, and their classes where these are apart.

const LEAST = 0.5; // score of a box that is shown
const OVERLAP = 0.5; // of two of a class that overlap by so much, intersection over union, the better one is shown
const MOST = 20;

// What the four numbers are, as [left, top, right, bottom].
const CORNERS = {
  yxyx: ([top, left, bottom, right]) => [left, top, right, bottom],
  xyxy: (box) => box,
  xywh: ([left, top, width, height]) => [left, top, left + width, top + height],
  cxcywh: ([x, y, width, height]) => [x - width / 2, y - height / 2, x + width / 2, y + height / 2],
  cycxhw: ([y, x, height, width]) => [x - width / 2, y - height / 2, x + width / 2, y + height / 2],
};

/** The boxes to be shown, the best first: {box, score, index} each, the sides as parts of the picture. */
export function found(values, { form, size: [height, width] }, scores, classes) {
  const count = values.length / 4;
  const each = scores.length / count;
  // Numbers of more than a few are pixels of what the file sees.
  const pixels = values.some((x) => Math.abs(x) > 4);
  const boxes = [];
  for (let i = 0; i < count; i++) {
    const own = scores.subarray(i * each, (i + 1) * each);
    const best = own.indexOf(Math.max(...own));
    if (!(own[best] >= LEAST)) continue;
    const corners = CORNERS[form](values.subarray(4 * i, 4 * i + 4));
    const box = pixels ? [...corners].map((x, side) => x / (side % 2 ? height : width)) : [...corners];
    boxes.push({ box, score: own[best], index: classes ? classes[i] : best });
  }
  const kept = [];
  for (const one of boxes.sort((a, b) => b.score - a.score)) {
    if (kept.length < MOST && !kept.some((other) => other.index === one.index && shared(other.box, one.box) > OVERLAP)) kept.push(one);
  }
  return kept;
}

/** Intersection over union. */
function shared(a, b) {
  const area = ([left, top, right, bottom]) => Math.max(0, right - left) * Math.max(0, bottom - top);
  const both = area([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])]);
  return both / (area(a) + area(b) - both || 1);
}

/** The picture with boxes on it. */
export function drawn(boxes, picture, name, color) {
  const canvas = Object.assign(document.createElement("canvas"), { width: picture.width, height: picture.height });
  const pen = canvas.getContext("2d");
  pen.drawImage(picture, 0, 0);
  Object.assign(pen, { lineWidth: 2, font: "600 13px system-ui, sans-serif", textBaseline: "top" });
  for (const { box, score, index } of boxes) {
    const [left, top, right, bottom] = box.map((x, side) => x * (side % 2 ? canvas.height : canvas.width));
    const words = `${name(index)} ${(100 * score).toFixed(0)} %`;
    pen.strokeStyle = pen.fillStyle = color(index);
    pen.strokeRect(left, top, right - left, bottom - top);
    const above = Math.max(0, top - 16);
    const wide = pen.measureText(words).width + 8;
    const start = Math.max(0, Math.min(left - 1, canvas.width - wide)); // all of it within the picture
    pen.fillRect(start, above, wide, 16);
    pen.fillStyle = "#000";
    pen.fillText(words, start + 4, above + 1);
  }
  return canvas;
}
