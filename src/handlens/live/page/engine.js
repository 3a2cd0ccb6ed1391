// What the page needs of whatever does the seeing: a program behind a socket here, or a model inside the browser.

/**
 * @typedef {object} Told            one message, by its kind
 * @property {string} kind           "hello" | "state" | "frame" | "opened" | "closed" | "alarm" | "problem" | "ended" | "lost" | "found"
 *
 * @typedef {object} Engine
 * @property {(listener: (told: any) => void) => void} listen   call with every message
 * @property {() => void} start
 * @property {(name: string, value: any) => void} set           change a setting
 * @property {(seconds: number | null) => void} pause           null: until resume
 * @property {() => void} resume
 * @property {(seconds: number | null) => void} snooze          0 ends it
 * @property {(number: number) => void} chooseCamera
 * @property {() => void} testSound
 * @property {(since: number) => Promise<{touches: any[], spans: [number, number][]}>} history
 * @property {() => Promise<void>} deleteEverything
 * @property {() => Promise<string> | string} exportAddress     where the CSV is
 * @property {(number: number, right: boolean) => Promise<any>} judge
 * @property {(step: string) => Promise<any>} calibrate
 * @property {(visible: boolean) => void} look                   whether somebody sees the picture
 */

/** What both engines share: who listens. */
export class Talking {
  constructor() {
    this.listeners = [];
  }

  listen(listener) {
    this.listeners.push(listener);
  }

  tell(told) {
    for (const listener of this.listeners) listener(told);
  }
}
