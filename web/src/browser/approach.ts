// A warning before the contact, from the way a hand comes up to the face, as handlens/live/early.py.
import type { Corners } from "../page/engine";
import { Tracks } from "./track";
import type { Found } from "./vision";

/** The score from which a box of the detector is followed: a hand on its way is blurred. */
export const FAINT = 0.25;
const SURE = 0.5;
const WINDOW_S = 0.35; // over so long a speed is taken
const FORGET_S = 1;
const CALM = 0.2; // the probability of a touch below which a hand has gone away ...
const CALM_S = 0.5; // ... when it stays there for so long
const HORIZON_S = 0.6;
const FARTHEST = 1.5; // heights of the face
const LEAST_SPEED = 0.8; // heights of the face a second
const LEAST_S = 0.08;
const AWAY = 0.6;
const STEPS = 7; // moments up to the horizon at which it is looked where a hand would be

interface Moment {
  time: number;
  gap: number;
  box: Corners;
}

/** Says when a hand is about to reach a face. */
export class Approach {
  #tracks = new Tracks();
  #hands = new Map<number, Moment[]>();
  #time = -1;
  #isNear = false;
  #calmSince: number | null = null;

  /** Take the boxes of the next frame, faint ones as well, and return whether to warn now. */
  update(time: number, boxes: Found[], probability: number, touching: boolean): boolean {
    if (time < this.#time) {
      this.#hands.clear();
      this.#isNear = false;
      this.#calmSince = null;
    }
    this.#time = time;
    const hands = new Map<number, Corners>();
    boxes.forEach((box, row) => box.label === "hand" && hands.set(row, box.xyxy));
    const ids = this.#tracks.update(hands, time);
    const faces = boxes.filter(({ label }) => label === "face").map(({ xyxy }) => xyxy);
    const near = new Map<number, Moment>();
    let nearest = Infinity;
    for (const [row, number] of faces.length ? ids : []) {
      const gap = Math.min(...faces.map((face) => gapOf(boxes[row].xyxy, face)));
      near.set(number, { time, gap, box: boxes[row].xyxy });
      if (boxes[row].score >= SURE) nearest = Math.min(nearest, gap);
    }
    const coming = this.#follow(time, near, faces);
    this.#calm(time, !touching && probability < CALM && nearest > AWAY);
    if (this.#isNear || touching || !coming) {
      this.#isNear ||= touching;
      return false;
    }
    this.#isNear = true;
    this.#calmSince = null;
    return true;
  }

  /** Note when no hand has been at the face for long enough. */
  #calm(time: number, isCalm: boolean): void {
    this.#calmSince = isCalm ? (this.#calmSince ?? time) : null;
    if (this.#calmSince !== null && time - this.#calmSince >= CALM_S) this.#isNear = false;
  }

  /** Take the hands of one frame and return whether one is coming. */
  #follow(time: number, hands: Map<number, Moment>, faces: Corners[]): boolean {
    for (const [number, seen] of this.#hands) if (time - seen[seen.length - 1].time > FORGET_S) this.#hands.delete(number);
    let coming = false;
    for (const [number, hand] of hands) {
      const seen = [...(this.#hands.get(number) ?? []), hand].filter((each) => time - each.time <= WINDOW_S);
      this.#hands.set(number, seen);
      coming ||= isComing(seen, faces);
    }
    return coming;
  }
}

function isComing(seen: Moment[], faces: Corners[]): boolean {
  const [first, last] = [seen[0], seen[seen.length - 1]];
  if (seen.length < 2 || last.time - first.time < LEAST_S - 1e-6 || last.gap > FARTHEST) return false;
  const speed = -slope(seen, ({ gap }) => gap);
  if (speed < LEAST_SPEED || last.gap / speed > HORIZON_S) return false;
  const way = [0, 1].map((axis) => faster(slope(seen, ({ box }) => box[axis]), slope(seen, ({ box }) => box[axis + 2])));
  for (let step = 0; step < STEPS; step++) {
    const ahead = (HORIZON_S * step) / (STEPS - 1);
    const box = last.box.map((value, n) => value + way[n % 2] * ahead) as Corners;
    if (faces.some((face) => gapOf(box, face) === 0)) return true;
  }
  return false;
}

/** Return the change of a value a second, by least squares. */
function slope(seen: Moment[], value: (each: Moment) => number): number {
  const mean = (of: (each: Moment) => number): number => seen.reduce((sum, each) => sum + of(each), 0) / seen.length;
  const [middle, usual] = [mean(({ time }) => time), mean(value)];
  return mean((each) => (each.time - middle) * (value(each) - usual)) / mean(({ time }) => (time - middle) ** 2);
}

/** Return the speed of a hand from those of two of its edges: the picture cuts off the slower one. */
const faster = (first: number, last: number): number => (Math.abs(first) > Math.abs(last) ? first : last);

/** The gap from box to box, in heights of the face. */
function gapOf(hand: Corners, face: Corners): number {
  const apart = (axis: number): number => Math.max(0, face[axis] - hand[axis + 2], hand[axis] - face[axis + 2]);
  return Math.hypot(apart(0), apart(1)) / Math.max(1, face[3] - face[1]);
}
