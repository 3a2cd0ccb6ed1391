// The first minute: camera, sound, and a personal calibration in three short tasks.
import { byId, make } from "./dom.js";
import { paint } from "./stage.js";

const STEPS = [
  { name: "camera", title: "Can you see yourself?", text: "Sit as you usually do. Your face should be in the picture, with some room around it.", next: "I see myself" },
  { name: "sound", title: "Can you hear the alarm?", text: "Press the button and listen. You can change the sound and its volume later.", extra: "Play it", next: "I hear it" },
  { name: "look", title: "Look at the screen", text: "Sit as you usually do, with your hands away from your face, until the bar is full.", task: true },
  { name: "touch", title: "Touch your chin", text: "Lay your fingers on your chin and move them a little, until the bar is full.", task: true },
  { name: "front", title: "Hold your hand before your face", text: "Wave before your face as if to greet somebody, without touching it.", task: true },
  { name: "object", title: "Drink something", text: "Take a sip from a cup or a bottle, or hold your phone to your ear. The face itself stays untouched.", task: true },
];

const SETTLE_S = 1; // the hand is on its way

/** The dialog of the first minute. */
export class Guide {
  /** @param {import("./engine.js").Engine} engine @param {() => boolean} mirrored @param {(done: boolean) => void} closed */
  constructor(engine, mirrored, closed) {
    this.engine = engine;
    this.mirrored = mirrored;
    this.closed = closed;
    this.at = 0;
    this.steps = STEPS;
    byId("guide-next").onclick = () => this.#next();
    byId("guide-extra").onclick = () => this.engine.testSound();
    byId("guide-cancel").onclick = () => this.#close(false);
    byId("guide").addEventListener("cancel", (event) => {
      event.preventDefault();
      this.#close(false);
    });
  }

  /** @param {boolean} canCalibrate */
  open(canCalibrate) {
    this.made = false;
    this.steps = STEPS.filter((step) => canCalibrate || !step.task);
    this.at = 0;
    byId("guide").showModal();
    this.#show();
  }

  frame(told) {
    if (byId("guide").open) paint(byId("guide-canvas"), told, this.mirrored());
  }

  #show() {
    const step = this.steps[this.at];
    byId("guide-title").textContent = step.title;
    byId("guide-text").textContent = step.text;
    byId("guide-extra").hidden = !step.extra;
    byId("guide-extra").textContent = step.extra ?? "";
    byId("guide-next").textContent = step.task ? "I am ready" : step.next;
    byId("guide-next").disabled = false;
    byId("guide-progress").hidden = true;
    byId("guide-steps").replaceChildren(...this.steps.map((_, n) => make("i", { class: n <= this.at ? "done" : "" })));
    byId("guide-next").focus();
  }

  async #next() {
    const step = this.steps[this.at];
    if (!step) return this.#close(true);
    if (step.task) {
      try {
        await this.#task(step.name);
      } catch (error) {
        byId("guide-text").textContent = /** @type {Error} */ (error).message;
        byId("guide-next").disabled = false;
        return;
      }
    }
    this.at += 1;
    if (this.at < this.steps.length) return this.#show();
    await this.#finish();
  }

  async #task(name) {
    byId("guide-next").disabled = true;
    byId("guide-progress").hidden = false;
    byId("guide-progress").value = 0;
    const { seconds } = await this.engine.calibrate(name);
    const began = performance.now();
    for (let passed = 0; passed < seconds + SETTLE_S && byId("guide").open; passed = (performance.now() - began) / 1000) {
      byId("guide-progress").value = passed / (seconds + SETTLE_S);
      await new Promise((done) => setTimeout(done, 100));
    }
  }

  async #finish() {
    let title = "Ready";
    let words = "Move the sliders whenever you like. What you choose is kept for the next time.";
    if (this.steps.some((step) => step.task)) {
      try {
        await this.engine.calibrate("finish");
        words = "The warnings fit you now. The calibration is a few numbers, no picture; the settings remove it again.";
        this.made = true;
      } catch (error) {
        title = "That was too little to learn from";
        words = /** @type {Error} */ (error).message;
      }
    }
    byId("guide-title").textContent = title;
    byId("guide-text").textContent = words;
    byId("guide-progress").hidden = true;
    byId("guide-next").disabled = false;
    byId("guide-next").textContent = "Start";
  }

  #close(done) {
    if (!this.made && this.steps.some((step) => step.task)) this.engine.calibrate("cancel").catch(() => {});
    byId("guide").close();
    this.closed(done);
  }
}
