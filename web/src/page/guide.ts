// The first minute: camera, sound, and a personal calibration in three short tasks.
import { buttonOf, byId, make } from "./dom";
import type { Engine, Frame, Phase } from "./engine";
import { paint } from "./stage";

interface Step {
  name: string;
  title: string;
  text: string;
  next?: string;
  extra?: string;
  /** What the person does for the calibration meanwhile. */
  task?: Phase;
}

const STEPS: Step[] = [
  { name: "camera", title: "Can you see yourself?", text: "Sit as you usually do. Your face should be in the picture, with some room around it.", next: "I see myself" },
  { name: "sound", title: "Can you hear the alarm?", text: "Press the button and listen. You can change the sound and its volume later.", extra: "Play it", next: "I hear it" },
  { name: "look", title: "Look at the screen", text: "Sit as you usually do, with your hands away from your face, until the bar is full.", task: "look" },
  { name: "touch", title: "Touch your chin", text: "Lay your fingers on your chin and move them a little, until the bar is full.", task: "touch" },
  { name: "front", title: "Hold your hand before your face", text: "Wave before your face as if to greet somebody, without touching it.", task: "front" },
  { name: "object", title: "Drink something", text: "Take a sip from a cup or a bottle, or hold your phone to your ear. The face itself stays untouched.", task: "object" },
];

const TRIAL = "This is a recording, which cannot do as asked: the steps are only shown, and nothing is kept.";
const SETTLE_S = 1; // the hand is on its way

const dialog = (): HTMLDialogElement => byId<HTMLDialogElement>("guide");
const progress = (): HTMLProgressElement => byId<HTMLProgressElement>("guide-progress");

/** The dialog of the first minute. */
export class Guide {
  /** A calibration was made. */
  made = false;
  #engine: Engine;
  #mirrored: () => boolean;
  #closed: (done: boolean) => void;
  #at = 0;
  #steps = STEPS;
  #keeps = true;
  #over: [title: string, text: string] | null = null;

  /** closed is called when the person is through, or stopped. */
  constructor(engine: Engine, mirrored: () => boolean, closed: (done: boolean) => void) {
    this.#engine = engine;
    this.#mirrored = mirrored;
    this.#closed = closed;
    buttonOf("guide-next").onclick = () => this.#next();
    buttonOf("guide-extra").onclick = () => this.#engine.testSound();
    buttonOf("guide-cancel").onclick = () => this.#close(false);
    byId("guide").addEventListener("cancel", (event) => {
      event.preventDefault();
      this.#close(false);
    });
  }

  /** keeps: whether a calibration is made in the end. */
  open(canCalibrate: boolean, keeps: boolean): void {
    this.made = false;
    this.#keeps = keeps;
    this.#steps = STEPS.filter((step) => canCalibrate || !step.task);
    this.#at = 0;
    dialog().showModal();
    this.#show();
  }

  /** Say that nothing is watched any more; only the way out is left. */
  end(title: string, text: string): void {
    this.#over = [title, text];
    if (!dialog().open) return;
    byId("guide-title").textContent = title;
    byId("guide-text").textContent = text;
    byId("guide-progress").hidden = true;
    buttonOf("guide-next").disabled = buttonOf("guide-extra").disabled = true;
    buttonOf("guide-cancel").textContent = "Close";
    buttonOf("guide-cancel").focus();
  }

  frame(told: Frame): void {
    if (dialog().open) paint(byId<HTMLCanvasElement>("guide-canvas"), told, this.#mirrored());
  }

  #show(): void {
    if (this.#over) {
      this.end(...this.#over);
      return;
    }
    const step = this.#steps[this.#at];
    byId("guide-title").textContent = step.title;
    byId("guide-text").textContent = step.task && !this.#keeps ? `${step.text} ${TRIAL}` : step.text;
    buttonOf("guide-extra").hidden = !step.extra;
    buttonOf("guide-extra").textContent = step.extra ?? "";
    buttonOf("guide-next").textContent = step.task ? "I am ready" : (step.next ?? "");
    buttonOf("guide-next").disabled = false;
    byId("guide-progress").hidden = true;
    byId("guide-steps").replaceChildren(...this.#steps.map((_, n) => make("i", { class: n <= this.#at ? "done" : "" })));
    buttonOf("guide-next").focus();
  }

  async #next(): Promise<void> {
    const step = this.#steps[this.#at];
    if (!step) {
      this.#close(true);
      return;
    }
    if (step.task) {
      try {
        await this.#task(step.task);
      } catch (error) {
        if (this.#over) return;
        byId("guide-text").textContent = (error as Error).message;
        buttonOf("guide-next").disabled = false;
        return;
      }
      if (this.#over) return;
    }
    this.#at += 1;
    if (this.#at < this.#steps.length) this.#show();
    else await this.#finish();
  }

  async #task(name: Phase): Promise<void> {
    buttonOf("guide-next").disabled = true;
    byId("guide-progress").hidden = false;
    progress().value = 0;
    const { seconds } = await this.#engine.calibrate(name);
    const began = performance.now();
    for (let passed = 0; passed < seconds + SETTLE_S && dialog().open && !this.#over; passed = (performance.now() - began) / 1000) {
      progress().value = passed / (seconds + SETTLE_S);
      await new Promise((done) => setTimeout(done, 100));
    }
  }

  async #finish(): Promise<void> {
    let title = "Ready";
    let words = "Move the sliders whenever you like. What you choose is kept for the next time.";
    if (this.#steps.some((step) => step.task)) {
      try {
        await this.#engine.calibrate("finish");
        words = this.#keeps
          ? "The warnings fit you now. The calibration is a few numbers, no picture; the settings remove it again."
          : "Nothing was kept, as this is a recording. Before your camera, these steps fit the warnings to you.";
        this.made = this.#keeps;
      } catch (error) {
        title = "That was too little to learn from";
        words = (error as Error).message;
      }
    }
    if (this.#over) return;
    byId("guide-title").textContent = title;
    byId("guide-text").textContent = words;
    byId("guide-progress").hidden = true;
    buttonOf("guide-next").disabled = false;
    buttonOf("guide-next").textContent = "Start";
  }

  #close(done: boolean): void {
    if (!this.made && this.#steps.some((step) => step.task)) this.#engine.calibrate("cancel").catch(() => {});
    dialog().close();
    this.#closed(done);
  }
}
