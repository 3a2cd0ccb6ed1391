// The engine of the browser: its camera, the models in a worker, events, alarm and settings; nothing leaves the page.
import { Talking } from "../../src/handlens/live/page/engine.js";
import { EventTracker, Faces } from "./events.js";
import * as store from "./store.js";

const REGIONS = ["forehead", "eye", "nose", "mouth", "cheek", "chin", "ear"];
const DEFAULTS = { open: 0.5, min_time: 0.25, gap: 0.5, cooldown: 5, regions: REGIONS, sound: "voice", volume: 0.8, glow: true, notify: false, low_power: false };
const LOW_POWER_MS = 200;
const HIDDEN_S = 1;
const SPAN_EVERY_S = 10;
const BREAK_S = 2; // unobserved time after which a new stretch begins
const SENTENCE = "Don't touch your face";
const OWN_WORDS = "The history lies in this browser and nowhere else. It holds times and places, no pictures.";

/** @implements {import("../../src/handlens/live/page/engine.js").Engine} */
export class BrowserEngine extends Talking {
  constructor() {
    super();
    this.settings = { ...DEFAULTS, ...kept() };
    this.faces = new Faces();
    this.rule = {};
    this.#applyRule();
    this.tracker = new EventTracker(this.rule);
    Object.assign(this, { pausedUntil: 0, snoozedUntil: 0, count: 0, number: 0, region: "", warnedAt: -Infinity, faceAt: -Infinity, span: null, stopped: true });
    this.video = document.createElement("video");
    this.video.muted = this.video.playsInline = true;
    this.asked = new Map();
  }

  async start() {
    this.worker = new Worker("./worker.js", { type: "module" });
    this.worker.onmessage = ({ data }) => this.#answered(data);
    this.worker.onerror = () => this.tell({ kind: "problem", text: "The models do not run in this browser: it needs WebAssembly with SIMD." });
    if ("serviceWorker" in navigator) navigator.serviceWorker.register("./sw.js").catch(() => {});
    const { loaded } = await this.#ask({ load: true });
    this.table = loaded;
    await this.#openCamera();
    await this.#greet();
    this.#tellState();
    this.#loop();
  }

  // Frames

  async #openCamera(deviceId) {
    for (const track of this.video.srcObject?.getTracks() ?? []) track.stop();
    try {
      const wanted = { width: { ideal: 640 }, height: { ideal: 480 }, ...(deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" }) };
      this.video.srcObject = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
      await this.video.play();
      this.stopped = false;
    } catch (error) {
      const words = { NotAllowedError: "The browser may not use the camera: allow it beside the address of this page, and load it again.", NotFoundError: "There is no camera: plug one in and load this page again." };
      this.tell({ kind: "problem", text: words[error.name] ?? `The camera does not open: ${error.message}` });
    }
  }

  #closeCamera() {
    for (const track of this.video.srcObject?.getTracks() ?? []) track.stop();
    this.video.srcObject = null;
    this.stopped = true;
  }

  async #loop() {
    for (;;) {
      const began = performance.now();
      if (this.#paused() || this.stopped || this.video.readyState < 2) await wait(100);
      else {
        await this.#look();
        const rest = (this.settings.low_power ? LOW_POWER_MS : 1000 / 30) - (performance.now() - began);
        await wait(Math.max(0, rest));
      }
      if (this.pausedUntil && !this.#paused()) this.resume();
      if (this.snoozedUntil && !this.#snoozed()) this.snooze(0);
    }
  }

  async #look() {
    const time = performance.now() / 1000;
    const [forWorker, image] = await Promise.all([createImageBitmap(this.video), createImageBitmap(this.video)]);
    let told;
    try {
      told = await this.#ask({ bitmap: forWorker }, [forWorker]);
    } catch (error) {
      this.tell({ kind: "problem", text: `The models failed: ${error.message}` });
      await wait(1000);
      return;
    }
    if (!this.#paused()) this.#take(told, image, time);
  }

  /** Take the answer of one frame. */
  #take({ seen, width, height, ms }, image, time) {
    const ids = this.faces.update(seen.boxes, time);
    const readings = {};
    for (const [row, probability] of seen.faces) {
      const labels = {};
      for (const box of seen.boxes) if (box.face === row && box.label !== "face" && box.label !== "hand") labels[box.label] = Math.max(labels[box.label] ?? 0, box.score);
      readings[`face ${ids.get(row)}`] = { probability, labels };
    }
    const { opened, closed } = this.tracker.update(time, readings);
    this.count += opened.length;
    const clock = Date.now() / 1000 - performance.now() / 1000;
    for (const event of opened) this.#told("opened", event);
    for (const event of closed) this.#close(event, clock);
    if (this.tracker.active) this.#warn();
    const face = seen.boxes.some((box) => box.label === "face");
    if (face) this.faceAt = time;
    this.#observe(face, time + clock);
    const touching = this.tracker.active || seen.touch >= this.settings.open;
    const status = touching ? "touching" : time - this.faceAt < HIDDEN_S ? "clear" : "no face";
    const value = { touch: seen.touch, boxes: seen.boxes };
    this.tell({ kind: "frame", number: ++this.number, status, active: this.tracker.active, count: this.count, region: this.region, ms, image, result: { width, height, time, value } });
  }

  #told(kind, event) {
    this.region = event.label;
    this.tell({ kind, count: this.count, event });
  }

  async #close(event, clock) {
    const touch = { start: event.start + clock, stop: event.stop + clock, region: event.label, regions: Object.fromEntries(event.regions) };
    try {
      await store.keepTouch(touch);
    } catch (error) {
      this.tell({ kind: "problem", text: error.message });
    }
    this.#told("closed", event);
  }

  /** Count the time in which a touch could be seen. */
  #observe(face, now) {
    if (!face) {
      if (this.span && now - this.span.last > BREAK_S) this.#endSpan();
      return;
    }
    if (!this.span || now - this.span.last > BREAK_S) {
      this.#endSpan();
      this.span = { start: now, last: now, written: now };
    }
    this.span.last = now;
    if (now - this.span.written > SPAN_EVERY_S) this.#endSpan(true);
  }

  #endSpan(goesOn = false) {
    if (!this.span) return;
    store.keepSpan(this.span.start, this.span.last - this.span.start).catch(() => {});
    this.span.written = this.span.last;
    if (!goesOn) this.span = null;
  }

  #warn() {
    const now = performance.now() / 1000;
    if (this.#snoozed() || now - this.warnedAt < this.settings.cooldown) return;
    const event = this.tracker.current.find(({ label, regions }) => {
      const place = regions.at(-1)?.[0] ?? label;
      return !REGIONS.includes(place) || this.settings.regions.includes(place);
    });
    if (!event) return;
    this.warnedAt = now;
    this.#sound();
    this.tell({ kind: "alarm", event });
  }

  #sound() {
    const { sound, volume } = this.settings;
    if (sound === "off") return;
    if (sound === "voice" && "speechSynthesis" in window && speechSynthesis.getVoices().length) {
      const said = new SpeechSynthesisUtterance(SENTENCE);
      said.volume = volume;
      said.lang = "en";
      speechSynthesis.cancel();
      speechSynthesis.speak(said);
      return;
    }
    this.audio ??= new AudioContext();
    this.audio.resume();
    for (const [pitch, at, long] of [[880, 0, 0.16], [660, 0.21, 0.22]]) {
      const [tone, gain] = [this.audio.createOscillator(), this.audio.createGain()];
      tone.frequency.value = pitch;
      const begin = this.audio.currentTime + at;
      gain.gain.setValueAtTime(0, begin);
      gain.gain.linearRampToValueAtTime(0.4 * volume, begin + 0.01);
      gain.gain.setValueAtTime(0.4 * volume, begin + long - 0.02);
      gain.gain.linearRampToValueAtTime(0, begin + long);
      tone.connect(gain).connect(this.audio.destination);
      tone.start(begin);
      tone.stop(begin + long);
    }
  }

  // The worker

  #ask(message, transfer = []) {
    const id = (this.asking = (this.asking ?? 0) + 1);
    return new Promise((done, fail) => {
      this.asked.set(message.load ? "load" : id, { done, fail });
      this.worker.postMessage({ ...message, id: message.load ? "load" : id }, transfer);
    });
  }

  #answered(data) {
    const key = data.loaded ? "load" : data.id;
    const asked = this.asked.get(key);
    this.asked.delete(key);
    if (data.failed) asked?.fail(new Error(data.failed));
    else asked?.done(data);
  }

  /** Return what is seen in a picture {width, height, data}: for tests, and for whoever wants to look at one. */
  see(picture) {
    return this.#ask({ picture });
  }

  // What the page asks

  async #greet() {
    const devices = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
    this.devices = devices;
    const now = this.video.srcObject?.getVideoTracks()[0]?.getSettings().deviceId;
    this.tell({
      kind: "hello",
      version: this.table.handlens,
      source: String(Math.max(0, devices.findIndex(({ deviceId }) => deviceId === now))),
      sourceKind: "camera",
      model: "touch",
      task: "touch",
      regions: REGIONS,
      points: this.table.points,
      cameras: devices.map(({ label }, number) => ({ number, name: label || `Camera ${number + 1}` })),
      canSound: true,
      canJudge: false,
      canCalibrate: false,
      calibrated: false,
      hasHistory: true,
      firstTime: localStorage.getItem("handlens-settings") === null,
      ownWords: OWN_WORDS,
    });
  }

  #paused = () => Date.now() < this.pausedUntil;
  #snoozed = () => Date.now() < this.snoozedUntil;

  #tellState() {
    const left = (until) => (until === Infinity ? null : Math.max(0, (until - Date.now()) / 1000));
    this.tell({ kind: "state", paused: this.#paused(), snoozed: this.#snoozed(), paused_s: left(this.pausedUntil), snoozed_s: left(this.snoozedUntil), settings: this.settings });
  }

  #applyRule() {
    const { open, min_time, gap } = this.settings;
    Object.assign(this.rule, { open, close: Math.min(0.35, open), minTime: min_time, gap });
  }

  set(name, value) {
    if (name === "sensitivity") [name, value] = ["open", Math.min(0.95, Math.max(0.05, 1 - value / 100))];
    this.settings = { ...this.settings, [name]: value };
    this.#applyRule();
    try {
      localStorage.setItem("handlens-settings", JSON.stringify(this.settings));
    } catch {
      // a private window: they hold until it is closed
    }
    this.#tellState();
  }

  pause(seconds) {
    this.pausedUntil = seconds === null ? Infinity : Date.now() + seconds * 1000;
    this.#closeCamera();
    this.#endSpan();
    const clock = Date.now() / 1000 - performance.now() / 1000;
    for (const event of this.tracker.finish()) this.#close(event, clock);
    this.#tellState();
  }

  async resume() {
    this.pausedUntil = 0;
    this.#tellState();
    if (this.stopped) await this.#openCamera();
  }

  snooze(seconds) {
    this.snoozedUntil = seconds === null ? Infinity : seconds ? Date.now() + seconds * 1000 : 0;
    this.#tellState();
  }

  async chooseCamera(number) {
    await this.#openCamera(this.devices?.[number]?.deviceId);
    await this.#greet();
  }

  testSound() {
    this.#sound();
  }

  async history(moment) {
    if (this.span) await store.keepSpan(this.span.start, this.span.last - this.span.start);
    return store.since(moment);
  }

  async deleteEverything() {
    this.span = null;
    await store.deleteAll();
  }

  async exportAddress() {
    return URL.createObjectURL(new Blob([await store.csv()], { type: "text/csv" }));
  }

  judge() {
    return Promise.reject(new Error("the browser keeps no pictures."));
  }

  calibrate() {
    return Promise.reject(new Error("a personal calibration needs the program: handlens watch."));
  }

  look() {}
}

const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function kept() {
  try {
    return JSON.parse(localStorage.getItem("handlens-settings") ?? "{}");
  } catch {
    return {};
  }
}
