// Numbers as the inputs, in fields of text.

const ARRAYS = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };

/** Has the fields take numbers; `run` is called with the file's inputs. Returns what runs it again. */
export function numbers({ inputs }, run, fail) {
  const fields = inputs.map((_, i) => document.getElementById(`input${i}`));
  function again() {
    try {
      run(inputs.map((input, i) => read(input, fields[i].value)));
    } catch (error) {
      fail(error);
    }
  }
  function random() {
    for (const [i, { dtype, size }] of inputs.entries()) {
      const one = () => (dtype === "float32" ? (2 * Math.random() - 1).toFixed(3) : Math.floor(2 * Math.random()));
      fields[i].value = Array.from({ length: size }, one).join(" ");
    }
    again();
  }
  document.getElementById("run").addEventListener("click", again);
  document.getElementById("random").addEventListener("click", random);
  for (const [i, { size }] of inputs.entries()) fields[i].value = Array(size).fill(0).join(" ");
  return again;
}

function read({ name, dtype, size }, text) {
  const found = text.split(/[\s,;[\]]+/).filter(Boolean).map(Number);
  if (found.length !== size || found.some(Number.isNaN)) {
    throw new Error(`${name}: ${size} numbers are wanted, with spaces or commas between; these are ${found.length}`);
  }
  return ARRAYS[dtype].from(found);
}
