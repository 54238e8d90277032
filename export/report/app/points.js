// Points laid over the picture.

/** Places of points as parts of the picture, [across, down] each. */
export function placed(values, { form, size: [height, width] }) {
  // Numbers of more than a few are pixels of what the file sees.
  const pixels = values.some((x) => Math.abs(x) > 4);
  return Array.from({ length: values.length / 2 }, (_, i) => {
    const pair = [values[2 * i], values[2 * i + 1]];
    const [x, y] = form === "xy" ? pair : pair.reverse();
    return pixels ? [x / width, y / height] : [x, y];
  });
}

/** The picture with points on it. */
export function marked(places, picture, name, color) {
  const canvas = Object.assign(document.createElement("canvas"), { width: picture.width, height: picture.height });
  const pen = canvas.getContext("2d");
  pen.drawImage(picture, 0, 0);
  Object.assign(pen, { lineWidth: 2, font: "600 13px system-ui, sans-serif", textBaseline: "bottom", strokeStyle: "#000" });
  for (const [i, [x, y]] of places.entries()) {
    const [across, down] = [x * canvas.width, y * canvas.height];
    pen.fillStyle = color(i);
    pen.beginPath();
    pen.arc(across, down, 5, 0, 2 * Math.PI);
    pen.stroke();
    pen.fill();
    const wide = pen.measureText(name(i)).width; // to the left where there is no room to the right
    const start = across + 7 + wide > canvas.width ? across - 7 - wide : across + 7;
    pen.strokeText(name(i), start, down - 3);
    pen.fillText(name(i), start, down - 3);
  }
  return canvas;
}
