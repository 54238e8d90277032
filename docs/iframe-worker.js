// Search runs in a worker, which browsers refuse to pages of a folder: there, a hidden frame does its work.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const inside = frame.contentWindow;
      inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }));
      const script = inside.document.createElement("script");
      script.src = new URL(url, location);
      const loaded = new Promise(resolve => script.onload = resolve);
      inside.document.body.append(script);
      this.postMessage = async data => {
        await loaded;
        inside.dispatchEvent(new MessageEvent("message", { data }));
      };
    }
  };
}
