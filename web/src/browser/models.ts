// The models in their worker, asked from the page.
import type { Calibration } from "./calibration";
import type { Asked, Looked, Replied, Table } from "./messages";

interface Waiting {
  done: (answer: unknown) => void;
  fail: (error: Error) => void;
}

export class Models {
  #worker: Worker;
  #waiting = new Map<number, Waiting>();
  #number = 0;

  /** failed is called when the worker itself does not run. */
  constructor(failed: (words: string) => void) {
    this.#worker = new Worker("./worker.js", { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<Replied>) => this.#take(data);
    this.#worker.onerror = () => failed("The models do not run in this browser: it needs WebAssembly with SIMD.");
  }

  load(): Promise<Table> {
    return this.#ask({ do: "load" });
  }

  look(asked: Omit<Asked, "id" | "do">): Promise<Looked> {
    return this.#ask({ do: "look", ...asked }, asked.bitmap ? [asked.bitmap] : []);
  }

  /** Follow a personal calibration; null: none. */
  follow(calibration: Calibration | null): Promise<null> {
    return this.#ask({ do: "personal", calibration });
  }

  #ask<Answer>(asked: Omit<Asked, "id">, handedOver: Transferable[] = []): Promise<Answer> {
    const id = ++this.#number;
    return new Promise((done, fail) => {
      this.#waiting.set(id, { done: (answer) => done(answer as Answer), fail });
      this.#worker.postMessage({ ...asked, id }, handedOver);
    });
  }

  #take({ id, answer, failed }: Replied): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (failed === undefined) waiting?.done(answer);
    else waiting?.fail(new Error(failed));
  }
}
