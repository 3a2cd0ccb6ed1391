// The engine of the browser: its camera, the models in a worker, events, alarm and settings; nothing leaves the page.
import { Talking } from "../page/engine";
import type { Corners, Engine, History, Kept, Phase, Settings } from "../page/engine";
import { HeldAlarms } from "./alarms";
import { Approach, FAINT } from "./approach";
import { isPhase, Minute } from "./calibration";
import type { Calibration } from "./calibration";
import { Camera } from "./camera";
import { EventTracker } from "./events";
import type { Event, Reading, Rule } from "./events";
import type { Looked, Table } from "./messages";
import { Models } from "./models";
import { isFirstTime, keepCalibration, keepSettings, keptCalibration, keptSettings, REGIONS } from "./settings";
import { Sound } from "./sound";
import * as store from "./store";
import { Tracks } from "./track";
import type { Found, Picture, Seen } from "./vision";

const LOW_POWER_MS = 200;
const FRAME_MS = 1000 / 30;
const IDLE_MS = 100;
const HIDDEN_S = 1;
const SPAN_EVERY_S = 10;
const BREAK_S = 2; // unobserved time after which a new stretch begins
const QUIET_MS = 60_000; // of the alarm, in a phase of the calibration
const DAY_S = 86400;
const OWN_WORDS = "The history lies in this browser and nowhere else. It holds times and places, no pictures.";
const KEPT_WORDS =
  "Off, no picture is ever stored. On, the list of today asks “right or wrong?”, and keeps the picture of each touch that you answer in" +
  " this browser. Saved as a zip and unpacked, it is a folder that handlens train touch --start touch reads.";

interface Span {
  start: number;
  last: number;
  written: number;
}

export class BrowserEngine extends Talking implements Engine {
  settings: Settings = keptSettings();
  #rule: Rule = { open: 0.5, close: 0.35, minTime: 0.25, gap: 0.5 };
  #tracker: EventTracker;
  #faces = new Tracks();
  #approach = new Approach();
  #camera = new Camera();
  #sound = new Sound();
  #models: Models | null = null;
  #table: Table | null = null;
  #alarms = new HeldAlarms(REGIONS);
  #minute: Minute | null = null;
  #calibration: Calibration | null = null;
  #pausedUntil = 0;
  #snoozedUntil = 0;
  #quietUntil = 0;
  #warnedAt = -Infinity;
  #faceAt = -Infinity;
  #span: Span | null = null;
  #count = 0;
  #number = 0;
  #region = "";

  constructor() {
    super();
    this.#applyRule();
    this.#tracker = new EventTracker(this.#rule);
  }

  async start(): Promise<void> {
    this.#models = new Models((text) => this.tell({ kind: "problem", text }));
    if ("serviceWorker" in navigator) navigator.serviceWorker.register("./sw.js").catch(() => {});
    try {
      this.#table = await this.#models.load();
    } catch (error) {
      this.tell({ kind: "problem", text: `The models did not load: ${(error as Error).message}` });
      return;
    }
    const { cards, calibration } = this.#table;
    this.#minute = new Minute(cards.touch, calibration);
    await this.#follow(keptCalibration(cards.touch, calibration));
    this.#forgetOld();
    await this.#openCamera();
    await this.#greet();
    this.#tellState();
    void this.#loop();
  }

  // Frames

  async #openCamera(deviceId?: string): Promise<void> {
    try {
      await this.#camera.open(deviceId);
      this.tell({ kind: "blind", text: null });
    } catch (error) {
      const text = (error as Error).message;
      this.tell({ kind: "problem", text });
      this.tell({ kind: "blind", text });
    }
  }

  async #loop(): Promise<never> {
    for (;;) {
      const began = performance.now();
      if (this.#paused || !this.#camera.isReady) await wait(IDLE_MS);
      else {
        await this.#look();
        await wait(Math.max(0, (this.settings.low_power ? LOW_POWER_MS : FRAME_MS) - (performance.now() - began)));
      }
      if (this.#pausedUntil && !this.#paused) await this.resume();
      if (this.#snoozedUntil && !this.#snoozed) this.snooze(0);
    }
  }

  async #look(): Promise<void> {
    const time = performance.now() / 1000;
    const { video } = this.#camera;
    try {
      const [bitmap, image] = await Promise.all([createImageBitmap(video), createImageBitmap(video)]);
      const asked = { bitmap, time, rests: this.settings.low_power, faint: this.settings.early ? FAINT : undefined };
      const looked = await (this.#models as Models).look(asked);
      if (this.#paused) image.close();
      else this.#take(looked, image, time);
    } catch (error) {
      if (!this.#camera.isReady) return; // it was closed meanwhile
      this.tell({ kind: "problem", text: `The models failed: ${(error as Error).message}` });
      await wait(1000);
    }
  }

  /** Take the answer of one frame. */
  #take({ seen, own, width, height, ms }: Looked, image: ImageBitmap, time: number): void {
    this.#minute?.take(own, time);
    const { opened, closed } = this.#tracker.update(time, this.#readings(seen, time));
    const clock = Date.now() / 1000 - performance.now() / 1000;
    for (const event of opened) {
      this.#count += 1;
      if (this.settings.keep_wrong) this.#alarms.hold(this.#count, image, seen);
      this.#told("opened", event);
    }
    for (const event of closed) void this.#close(event, clock);
    if (this.#tracker.active) this.#warn();
    if (this.settings.early && seen.faint && this.#approach.update(time, seen.faint, seen.touch, this.#tracker.active)) this.#warnEarly();
    const face = seen.boxes.some((box) => box.label === "face");
    if (face) this.#faceAt = time;
    this.#observe(face, time + clock);
    const { active } = this.#tracker;
    const status = active || seen.touch >= this.settings.open ? "touching" : time - this.#faceAt < HIDDEN_S ? "clear" : "no face";
    const result = { width, height, time, value: { touch: seen.touch, boxes: seen.boxes } };
    this.tell({ kind: "frame", number: ++this.#number, status, active, count: this.#count, region: this.#region, ms, image, result });
  }

  /** Return what is read of each face, by its identity. */
  #readings({ boxes, faces }: Seen, time: number): Record<string, Reading> {
    const places = new Map<number, Corners>();
    boxes.forEach((box, row) => box.label === "face" && places.set(row, box.xyxy));
    const ids = this.#faces.update(places, time);
    const readings: Record<string, Reading> = {};
    for (const [row, probability] of faces) {
      const labels: Record<string, number> = {};
      for (const { face, label, score } of boxes) {
        if (face === row && label !== "face" && label !== "hand") labels[label] = Math.max(labels[label] ?? 0, score);
      }
      readings[`face ${ids.get(row)}`] = { probability, labels };
    }
    return readings;
  }

  #told(kind: "opened" | "closed", event: Event): void {
    this.#region = event.label;
    this.tell({ kind, count: this.#count, event });
  }

  async #close(event: Event, clock: number): Promise<void> {
    try {
      await store.keepTouch({ start: event.start + clock, stop: event.stop + clock, region: event.label, regions: Object.fromEntries(event.regions) });
    } catch (error) {
      this.tell({ kind: "problem", text: (error as Error).message });
    }
    this.#told("closed", event);
  }

  /** Count the time in which a touch could be seen. */
  #observe(face: boolean, now: number): void {
    const span = this.#span;
    if (!face) {
      if (span && now - span.last > BREAK_S) this.#endSpan();
      return;
    }
    if (!span || now - span.last > BREAK_S) {
      this.#endSpan();
      this.#span = { start: now, last: now, written: now };
      return;
    }
    span.last = now;
    if (now - span.written > SPAN_EVERY_S) this.#writeSpan(span);
  }

  #endSpan(): void {
    if (this.#span) this.#writeSpan(this.#span);
    this.#span = null;
  }

  #writeSpan(span: Span): void {
    store.keepSpan(span.start, span.last - span.start).catch(() => {});
    span.written = span.last;
  }

  // The alarm

  get #mayWarn(): boolean {
    const now = performance.now();
    return !this.#paused && !this.#snoozed && now >= this.#quietUntil && now / 1000 - this.#warnedAt >= this.settings.cooldown;
  }

  #warn(): void {
    if (!this.#mayWarn || !this.settings.regions.length) return;
    const event = this.#tracker.current.find(({ label, regions }) => {
      const place = regions.at(-1)?.[0] ?? label;
      return !REGIONS.includes(place) || this.settings.regions.includes(place);
    });
    if (!event) return;
    this.#alarm();
    this.tell({ kind: "alarm", event });
  }

  /** Warn of a hand on its way; the cool-down counts from here, the touch that follows is not warned of a second time. */
  #warnEarly(): void {
    if (!this.#mayWarn || !this.settings.regions.length) return;
    this.#alarm();
    this.tell({ kind: "early" });
  }

  #alarm(): void {
    this.#warnedAt = performance.now() / 1000;
    this.testSound();
  }

  // What the page asks

  async #greet(): Promise<void> {
    const { handlens, points } = this.#table as Table;
    const open = await this.#camera.list();
    this.tell({
      kind: "hello",
      version: handlens,
      source: String(open),
      sourceKind: "camera",
      model: "touch",
      task: "touch",
      regions: REGIONS,
      points,
      cameras: this.#camera.devices.map(({ label }, number) => ({ number, name: label || `Camera ${number + 1}` })),
      canSound: true,
      canWarnEarly: true,
      canJudge: true,
      canCalibrate: true,
      calibrated: this.#calibration !== null,
      keepsCalibration: true,
      hasHistory: true,
      firstTime: isFirstTime(),
      ownWords: OWN_WORDS,
      keptWords: KEPT_WORDS,
    });
  }

  get #paused(): boolean {
    return Date.now() < this.#pausedUntil;
  }

  get #snoozed(): boolean {
    return Date.now() < this.#snoozedUntil;
  }

  #tellState(): void {
    const left = (until: number): number | null => (until === Infinity ? null : Math.max(0, (until - Date.now()) / 1000));
    const [paused_s, snoozed_s] = [left(this.#pausedUntil), left(this.#snoozedUntil)];
    this.tell({ kind: "state", paused: this.#paused, snoozed: this.#snoozed, paused_s, snoozed_s, settings: this.settings });
  }

  #applyRule(): void {
    const { open, min_time, gap } = this.settings;
    Object.assign(this.#rule, { open, close: Math.min(0.35, open), minTime: min_time, gap });
  }

  set(name: string, value: unknown): void {
    const isSensitivity = name === "sensitivity";
    const change = isSensitivity ? { open: Math.min(0.95, Math.max(0.05, 1 - Number(value) / 100)) } : { [name]: value };
    this.settings = { ...this.settings, ...change };
    this.#applyRule();
    keepSettings(this.settings);
    if (!this.settings.keep_wrong) this.#alarms.forget();
    if (name === "keep_days") this.#forgetOld();
    this.#tellState();
  }

  /** Delete what is older than the person wants to keep. */
  #forgetOld(): void {
    const days = this.settings.keep_days ?? 0;
    if (days > 0) store.deleteBefore(Date.now() / 1000 - days * DAY_S).catch(() => {});
  }

  pause(seconds: number | null): void {
    this.#pausedUntil = seconds === null ? Infinity : Date.now() + seconds * 1000;
    this.#camera.close();
    this.#endSpan();
    const clock = Date.now() / 1000 - performance.now() / 1000;
    for (const event of this.#tracker.finish()) void this.#close(event, clock);
    this.#tellState();
  }

  async resume(): Promise<void> {
    this.#pausedUntil = 0;
    this.#tellState();
    if (!this.#camera.isOpen) await this.#openCamera();
  }

  snooze(seconds: number | null): void {
    this.#snoozedUntil = seconds === null ? Infinity : seconds ? Date.now() + seconds * 1000 : 0;
    this.#tellState();
  }

  async chooseCamera(number: number): Promise<void> {
    await this.#openCamera(this.#camera.devices[number]?.deviceId);
    await this.#greet();
  }

  testSound(): void {
    this.#sound.play(this.settings.sound, this.settings.volume);
  }

  async history(moment: number): Promise<History> {
    if (this.#span) await store.keepSpan(this.#span.start, this.#span.last - this.#span.start);
    return store.since(moment);
  }

  async deleteEverything(): Promise<void> {
    this.#span = null;
    this.#alarms.forget();
    await store.deleteAll();
  }

  async exportAddress(): Promise<string> {
    return URL.createObjectURL(new Blob([await store.csv()], { type: "text/csv" }));
  }

  async judge(number: number, right: boolean): Promise<void> {
    if (!this.settings.keep_wrong) throw new Error("no pictures are kept: switch on “keep wrong alarms for training” first.");
    await store.keepPicture(await this.#alarms.judged(number, right));
  }

  async kept(): Promise<Kept> {
    return { count: await store.countPictures(), place: "this browser", saves: true };
  }

  async deleteKept(): Promise<void> {
    this.#alarms.forget();
    await store.deletePictures();
  }

  async keptAddress(): Promise<string> {
    return URL.createObjectURL(await this.#alarms.zipped(await store.pictures()));
  }

  async calibrate(step: Phase | "finish" | "cancel" | "remove"): Promise<{ seconds: number }> {
    const { cards, calibration } = this.#table as Table;
    const minute = this.#minute as Minute;
    this.#quietUntil = isPhase(step) ? performance.now() + QUIET_MS : 0;
    if (isPhase(step)) minute.begin(step, performance.now() / 1000);
    if (step === "remove") {
      keepCalibration(null);
      await this.#follow(null);
    }
    if (step === "finish") {
      const made = minute.finish();
      keepCalibration(made);
      await this.#follow(made);
    }
    if (!isPhase(step)) this.#minute = new Minute(cards.touch, calibration);
    return { seconds: calibration.phase_s };
  }

  async #follow(calibration: Calibration | null): Promise<void> {
    this.#calibration = calibration;
    await this.#models?.follow(calibration);
  }

  look(): void {
    // pictures are made for the models anyway
  }

  /** Return what is seen in a picture, for tests and for whoever wants to look at one. found: its faces and hands, if they are known. */
  async see(picture: Picture, found?: Found[]): Promise<Looked> {
    return (this.#models as Models).look({ picture, found });
  }
}

const wait = (milliseconds: number): Promise<void> => new Promise((done) => setTimeout(done, milliseconds));
