// What the page found on this device, as JSON for `keraslayers report --add`.

import { getWebGpuDevice } from "@litertjs/core";

const FORMAT = 1;
const BROWSERS = [["Edge", /Edg\/(\d+)/], ["Firefox", /Firefox\/(\d+)/], ["Chrome", /Chrome\/(\d+)/], ["Safari", /Version\/(\d+).*Safari/]];
const DEVICES = [/Android [\d.]+; ([^;)]+)/, /(iPhone|iPad|Macintosh|Windows|CrOS|Linux|Android)/];

/** The answer; `found` are the runtimes' lines. */
export async function answer({ sha256, name, version, proof }, found) {
  const agent = navigator.userAgent;
  const more = (await navigator.userAgentData?.getHighEntropyValues?.(["model"]).catch(() => null)) ?? {};
  const { vendor, architecture, device, description } = getWebGpuDevice()?.adapterInfo ?? {};
  const [browser, number] = BROWSERS.map(([each, form]) => [each, form.exec(agent)?.[1]]).find(([, found]) => found) ?? ["browser", ""];
  return {
    what: "keraslayers answer",
    format: FORMAT,
    file: name,
    sha256,
    device: more.model || DEVICES.map((form) => form.exec(agent)?.[1]).find((each) => each && each !== "K") || "device",
    browser: `${browser} ${number}`.trim(),
    user_agent: agent,
    gpu: [vendor, architecture, device, description].filter(Boolean).join(" "),
    half_floats: await halves(),
    litert_js: version,
    reference: proof.reference ?? "",
    runtimes: found,
  };
}

/** Whether the GPU computes in 16-bit floats for pages that ask for these. */
async function halves() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  return adapter?.features.has("shader-f16") ?? false;
}

/** Shows the answer, has a button save it, and sends it where the page came from if that asks for it. */
export async function hand({ send }, answer, button, line) {
  const { device, browser, gpu, half_floats, file } = answer;
  document.getElementById("device").textContent =
    `${device}, ${browser}. ${gpu ? `GPU: ${gpu}, in 32-bit floats${half_floats ? "; it has 16-bit ones" : ""}. ` : ""}`;
  const text = `${JSON.stringify(answer, null, 2)}\n`;
  button.disabled = false;
  button.addEventListener("click", () => {
    const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    const link = document.createElement("a");
    Object.assign(link, { href: address, download: `${file.replace(/\.tflite$/, "")}.answer.json` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  });
  document.body.dataset.answer = text;
  if (!send) return;
  try {
    const response = await fetch(send, { method: "POST", headers: { "Content-Type": "application/json" }, body: text });
    line.textContent = response.ok ? "The answer arrived." : `The answer was refused: ${await response.text()}`;
  } catch (error) {
    line.textContent = `The answer did not arrive: ${error.message}`;
  }
}
