// The engine of `handlens watch`: pictures, results and events come over a socket, commands go back.
import { Talking } from "./engine.js";

const AGAIN_MS = 1000;

/** @implements {import("./engine.js").Engine} */
export class LocalEngine extends Talking {
  constructor() {
    super();
    this.token = new URLSearchParams(location.search).get("token") ?? "";
    this.waiting = new Map();
    this.number = 0;
    this.over = false;
    this.visible = true;
  }

  start() {
    this.socket = new WebSocket(`ws://${location.host}/live?token=${encodeURIComponent(this.token)}`);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = (message) => this.#take(message.data);
    this.socket.onopen = () => this.look(this.visible);
    this.socket.onclose = () => {
      for (const { fail } of this.waiting.values()) fail(new Error("handlens does not answer."));
      this.waiting.clear();
      if (this.over) return;
      this.tell({ kind: "lost" });
      setTimeout(() => this.start(), AGAIN_MS);
    };
  }

  async #take(data) {
    if (typeof data === "string") {
      const told = JSON.parse(data);
      if (told.kind === "reply") return this.#answer(told);
      if (told.kind === "ended") this.over = true;
      return this.tell(told);
    }
    const length = new DataView(data).getUint32(0, true);
    const told = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    const jpeg = data.byteLength > 4 + length ? new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }) : null;
    told.image = jpeg && (await createImageBitmap(jpeg).catch(() => null));
    this.tell(told);
    this.#send({ do: "next" }); // only now may the next one come: the newest, however slow this page is
  }

  #answer(told) {
    const asked = this.waiting.get(told.id);
    this.waiting.delete(told.id);
    if (told.error && !asked) this.tell({ kind: "problem", text: told.error });
    if (told.error) asked?.fail(new Error(told.error));
    else asked?.done(told.answer);
  }

  #send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  #ask(message) {
    const id = (this.number = (this.number + 1) % 10000);
    return new Promise((done, fail) => {
      if (this.socket?.readyState !== WebSocket.OPEN) return fail(new Error("handlens does not answer."));
      this.waiting.set(id, { done, fail });
      this.#send({ ...message, id });
    });
  }

  set(name, value) {
    this.#send({ do: "set", name, value });
  }
  pause(seconds) {
    this.#send({ do: "pause", seconds });
  }
  resume() {
    this.#send({ do: "resume" });
  }
  snooze(seconds) {
    this.#send({ do: "snooze", seconds });
  }
  chooseCamera(number) {
    this.#send({ do: "camera", number });
  }
  testSound() {
    this.#send({ do: "test-sound" });
  }
  history(since) {
    return this.#ask({ do: "history", since });
  }
  deleteEverything() {
    return this.#ask({ do: "delete", sure: true });
  }
  exportAddress() {
    return `/history.csv?token=${encodeURIComponent(this.token)}`;
  }
  judge(number, right) {
    return this.#ask({ do: "judge", number, right });
  }
  calibrate(step) {
    return this.#ask({ do: "calibrate", step });
  }
  look(visible) {
    this.visible = visible;
    this.#send({ do: "view", video: visible });
  }
}
