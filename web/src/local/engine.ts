// The engine of `handlens watch`: pictures, results and events come over a socket, commands go back.
import { Talking } from "../page/engine";
import type { Engine, Frame, History, Kept, Phase, Told } from "../page/engine";

const AGAIN_MS = 1000;

interface Waiting {
  done: (answer: unknown) => void;
  fail: (error: Error) => void;
}

type Reply = { kind: "reply"; id?: number; error?: string; answer?: unknown };

export class LocalEngine extends Talking implements Engine {
  #token = new URLSearchParams(location.search).get("token") ?? "";
  #socket: WebSocket | null = null;
  #waiting = new Map<number, Waiting>();
  #number = 0;
  #over = false;
  #visible = true;

  start(): void {
    const socket = new WebSocket(`ws://${location.host}/live?token=${encodeURIComponent(this.#token)}`);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = (message) => this.#take(message.data);
    socket.onopen = () => this.look(this.#visible);
    socket.onclose = () => {
      for (const { fail } of this.#waiting.values()) fail(new Error("handlens does not answer."));
      this.#waiting.clear();
      if (this.#over) return;
      void this.#again();
    };
  }

  /** Try again, unless another run answers here: a socket does not say why it was refused. */
  async #again(): Promise<void> {
    this.tell({ kind: "lost" });
    const address = `/?token=${encodeURIComponent(this.#token)}`;
    const status = await fetch(address, { method: "HEAD", cache: "no-store" }).then((answer) => answer.status, () => 0);
    if (status === 403) this.tell({ kind: "lost", restarted: true });
    else setTimeout(() => this.start(), AGAIN_MS);
  }

  async #take(data: string | ArrayBuffer): Promise<void> {
    if (typeof data === "string") {
      const told = JSON.parse(data) as Told | Reply;
      if (told.kind === "ended") this.#over = true;
      if (told.kind === "reply") this.#answer(told);
      else this.tell(told);
      return;
    }
    const length = new DataView(data).getUint32(0, true);
    const told = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length))) as Frame;
    const jpeg = data.byteLength > 4 + length ? new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }) : null;
    told.image = jpeg && (await createImageBitmap(jpeg).catch(() => null));
    this.tell(told);
    this.#send({ do: "next" }); // only now may the next one come: the newest, however slow this page is
  }

  #answer(told: Reply): void {
    const id = told.id ?? -1;
    const asked = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (told.error && !asked) this.tell({ kind: "problem", text: told.error });
    if (told.error) asked?.fail(new Error(told.error));
    else asked?.done(told.answer);
  }

  #send(message: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #ask<Answer>(message: object): Promise<Answer> {
    const id = (this.#number = (this.#number + 1) % 10000);
    return new Promise((done, fail) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        fail(new Error("handlens does not answer."));
        return;
      }
      this.#waiting.set(id, { done: (answer) => done(answer as Answer), fail });
      this.#send({ ...message, id });
    });
  }

  set(name: string, value: unknown): void {
    this.#send({ do: "set", name, value });
  }
  pause(seconds: number | null): void {
    this.#send({ do: "pause", seconds });
  }
  resume(): void {
    this.#send({ do: "resume" });
  }
  snooze(seconds: number | null): void {
    this.#send({ do: "snooze", seconds });
  }
  chooseCamera(number: number): void {
    this.#send({ do: "camera", number });
  }
  testSound(): void {
    this.#send({ do: "test-sound" });
  }
  history(since: number): Promise<History> {
    return this.#ask({ do: "history", since });
  }
  deleteEverything(): Promise<unknown> {
    return this.#ask({ do: "delete", sure: true });
  }
  exportAddress(): string {
    return `/history.csv?token=${encodeURIComponent(this.#token)}`;
  }
  judge(number: number, right: boolean): Promise<unknown> {
    return this.#ask({ do: "judge", number, right });
  }
  async kept(): Promise<Kept> {
    return { ...(await this.#ask<{ count: number; place: string }>({ do: "kept" })), saves: false };
  }
  deleteKept(): Promise<unknown> {
    return this.#ask({ do: "delete-kept", sure: true });
  }
  keptAddress(): Promise<string> {
    return Promise.reject(new Error("the pictures lie in a folder of this computer already."));
  }
  calibrate(step: Phase | "finish" | "cancel" | "remove"): Promise<{ seconds: number }> {
    return this.#ask({ do: "calibrate", step });
  }
  look(visible: boolean): void {
    this.#visible = visible;
    this.#send({ do: "view", video: visible });
  }
}
