// What the page needs of whatever does the seeing: a program behind a socket, or a model inside the browser.

export type Corners = [x1: number, y1: number, x2: number, y2: number];

export interface Box {
  label: string;
  score: number;
  xyxy: Corners;
}

/** What is seen in a frame, as a JSON line of `handlens predict` says it. */
export interface Result {
  width: number;
  height: number;
  value: { touch?: number; boxes?: Box[]; hands?: Box[] };
}

/** A touch as the loop tells it; times in seconds of the source. */
export interface TouchEvent {
  label: string;
  start: number;
  stop: number;
}

/** A touch of the history; times in seconds since 1970. */
export interface Touch {
  start: number;
  stop: number;
  region: string;
  regions?: Record<string, number>;
}

export interface History {
  touches: Touch[];
  /** Start and length of each stretch of observed time. */
  spans: [start: number, seconds: number][];
}

export interface Settings {
  open: number;
  min_time: number;
  gap: number;
  cooldown: number;
  regions: string[];
  sound: string;
  volume: number;
  glow: boolean;
  notify: boolean;
  low_power: boolean;
  early: boolean;
  keep_wrong: boolean;
  keep_days?: number;
}

/** What each position of the slider finds, and how often it warns wrongly, as it was measured. */
export interface Points {
  of: Counts;
  points: ({ position: number; open: number } & Counts)[];
}

interface Counts {
  touch: number;
  front: number;
  plain: number;
}

export interface Hello {
  kind: "hello";
  version: string;
  source: string;
  sourceKind: string;
  model: string;
  task: string;
  regions: string[];
  points: Points | null;
  cameras: { number: number; name: string }[];
  canSound: boolean;
  canWarnEarly: boolean;
  canJudge: boolean;
  canCalibrate: boolean;
  calibrated: boolean;
  /** Whether the guide makes a calibration in the end; a recording cannot do as asked. */
  keepsCalibration: boolean;
  hasHistory: boolean;
  firstTime: boolean;
  /** Where the history lies, in place of the words of the page. */
  ownWords?: string;
  /** Where the kept pictures lie, in place of the words of the page. */
  keptWords?: string;
}

export interface State {
  kind: "state";
  paused: boolean;
  snoozed: boolean;
  /** Seconds that are left; null: until it is ended. */
  paused_s: number | null;
  snoozed_s: number | null;
  settings: Settings;
}

export interface Frame {
  kind: "frame";
  number: number;
  status: string;
  active: boolean;
  count: number;
  region: string;
  ms: number;
  image: ImageBitmap | null;
  result: Result;
}

/** One message of an engine. */
export type Told =
  | Hello
  | State
  | Frame
  | { kind: "opened" | "closed"; count: number; event: TouchEvent }
  | { kind: "alarm"; event: TouchEvent }
  | { kind: "early" }
  | { kind: "problem"; text: string }
  | { kind: "ended"; count: number; history?: History }
  /** restarted: another run answers at this address, which this page cannot join. */
  | { kind: "lost"; restarted?: boolean }
  /** Why there is no camera; null: there is one. */
  | { kind: "blind"; text: string | null }
  | { kind: "found" };

/** The pictures that were kept for training. */
export interface Kept {
  count: number;
  /** Where they lie, for the person to read. */
  place?: string;
  /** Whether `keptAddress` hands them out. */
  saves: boolean;
}

export type Phase = "look" | "touch" | "front" | "object";

export interface Engine {
  /** Call with every message. */
  listen(listener: (told: Told) => void): void;
  start(): void;
  set(name: string, value: unknown): void;
  /** Pause for so many seconds; null: until `resume`. */
  pause(seconds: number | null): void;
  resume(): void;
  /** Keep the alarm quiet for so many seconds; null: until 0 ends it. */
  snooze(seconds: number | null): void;
  chooseCamera(number: number): void;
  testSound(): void;
  /** Return what was seen from a moment on. */
  history(since: number): Promise<History>;
  /** Delete the history and the pictures kept for training. */
  deleteEverything(): Promise<unknown>;
  /** Return the address of the history as CSV. */
  exportAddress(): Promise<string> | string;
  /** Keep the picture of a touch of this session with the person's answer. */
  judge(number: number, right: boolean): Promise<unknown>;
  kept(): Promise<Kept>;
  deleteKept(): Promise<unknown>;
  /** Return the address of the kept pictures as a zip. */
  keptAddress(): Promise<string>;
  /** Begin a phase of the personal calibration, or end it; return for how many seconds the phase lasts. */
  calibrate(step: Phase | "finish" | "cancel" | "remove"): Promise<{ seconds: number }>;
  /** Say whether somebody sees the picture. */
  look(visible: boolean): void;
}

/** What both engines share: who listens. */
export class Talking {
  #listeners: ((told: Told) => void)[] = [];

  listen(listener: (told: Told) => void): void {
    this.#listeners.push(listener);
  }

  protected tell(told: Told): void {
    for (const listener of this.#listeners) listener(told);
  }
}
