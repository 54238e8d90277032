// A picture as the input: drawn, chosen, dropped, photographed, or the camera's.

const GREY = [0.299, 0.587, 0.114]; // ITU-R BT.601, as Pillow and TensorFlow have it
const STEP = 10; // pixels that an arrow key moves the pen

/** Has the canvas take pictures; `run` is called with the file's input. Returns what runs it again. */
export function pictures(about, canvas, run, fail) {
  const [, height, width, channels] = about.inputs[0].shape;
  canvas.height = Math.round((canvas.width * height) / width);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const small = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  let drawn = true;
  let video = null;
  const again = () => run([values(about, small, canvas, channels)]);

  function clear() {
    stop();
    drawn = true;
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, canvas.width, canvas.height);
  }

  /** Fills the canvas with the middle of a picture. */
  function fill(picture, across, down) {
    const scale = Math.max(canvas.width / across, canvas.height / down);
    const [w, h] = [across * scale, down * scale];
    drawn = false;
    pen.drawImage(picture, (canvas.width - w) / 2, (canvas.height - h) / 2, w, h);
    return again();
  }

  async function take(file) {
    if (!file) return;
    stop();
    try {
      const picture = await createImageBitmap(file);
      await fill(picture, picture.width, picture.height);
    } catch {
      fail(new Error(`${file.name} is no image that this browser reads`));
    }
  }

  function stop() {
    for (const track of video?.srcObject?.getTracks() ?? []) track.stop();
    video = null;
    document.getElementById("camera").setAttribute("aria-pressed", "false");
  }

  async function film() {
    if (video) return stop();
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      video = Object.assign(document.createElement("video"), { srcObject: stream, muted: true, playsInline: true });
      await video.play();
      document.getElementById("camera").setAttribute("aria-pressed", "true");
      while (video) {
        if (video.videoWidth) await fill(video, video.videoWidth, video.videoHeight);
        await new Promise(requestAnimationFrame);
      }
    } catch (error) {
      stop();
      fail(new Error(`no camera: ${error.message}`));
    }
  }

  let last = null;
  let [x, y] = [canvas.width / 2, canvas.height / 2];
  function line(to) {
    if (!drawn) clear();
    Object.assign(pen, { strokeStyle: "#fff", lineWidth: canvas.width / 10, lineCap: "round" });
    pen.beginPath();
    pen.moveTo(...(last ?? to));
    pen.lineTo(...to);
    pen.stroke();
    last = to;
    again();
  }
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = null;
    line(place(event));
  });
  canvas.addEventListener("pointermove", (event) => last && event.buttons && line(place(event)));
  canvas.addEventListener("pointerup", () => (last = null));
  canvas.addEventListener("keydown", (event) => {
    const moved = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (!moved) return;
    event.preventDefault();
    last = [x, y];
    x = Math.min(Math.max(x + moved[0], 0), canvas.width);
    y = Math.min(Math.max(y + moved[1], 0), canvas.height);
    line([x, y]);
    last = null;
  });
  canvas.addEventListener("dragover", (event) => { event.preventDefault(); canvas.classList.add("over"); });
  canvas.addEventListener("dragleave", () => canvas.classList.remove("over"));
  canvas.addEventListener("drop", (event) => {
    event.preventDefault();
    canvas.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
  for (const id of ["file", "photo"]) {
    document.getElementById(id).addEventListener("change", (event) => take(event.target.files[0]));
  }
  document.getElementById("clear").addEventListener("click", () => { clear(); again(); });
  document.getElementById("camera").addEventListener("click", film);
  clear();
  return again;
}

/** What the file takes of the canvas: its pixels in the file's size, prepared as in training. */
function values(about, small, canvas, channels) {
  const { width, height } = small.canvas;
  small.imageSmoothingQuality = "high";
  small.drawImage(canvas, 0, 0, width, height);
  const pixels = small.getImageData(0, 0, width, height).data;
  const { dtype } = about.inputs[0];
  const made = dtype === "uint8" ? new Uint8Array(width * height * channels) : new Float32Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    const rgba = pixels.subarray(4 * i, 4 * i + 4);
    for (let c = 0; c < channels; c++) {
      const pixel = channels === 1 ? GREY.reduce((sum, part, j) => sum + part * rgba[j], 0) : rgba[c];
      made[i * channels + c] = dtype === "uint8" ? Math.round(pixel) : (pixel - of(about.image.mean, c)) / of(about.image.std, c);
    }
  }
  return made;
}

/** That of a channel, of one number for all or of one each. */
const of = (numbers, channel) => numbers[numbers.length > 1 ? channel : 0];
