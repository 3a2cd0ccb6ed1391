// The models sleep while nobody is there and nothing moves, in low-power mode, as handlens/live/resting.py.
import { scaled } from "./vision";
import type { Picture, Seen } from "./vision";

const EMPTY_S = 5; // seconds without a face or a hand, after which they sleep
const LOOK_S = 10; // they look so often all the same: somebody may have come in with the light
const WIDE = 32;
const HIGH = 24;
const MOVED = 6; // grey levels by which a cell of the small picture changes when somebody moves

/** Says when the models need not be asked. */
export class Resting {
  #emptySince: number | null = null;
  #lookedAt: { time: number; small: Float32Array; seen: Seen } | null = null;

  /** Return the last "nobody" while nothing moves, or null where the models have to look. */
  recall(picture: Picture, time: number): Seen | null {
    const last = this.#lookedAt;
    if (!last || this.#emptySince === null || time - this.#emptySince < EMPTY_S || time - last.time >= LOOK_S) return null;
    const small = smallOf(picture);
    return small.every((value, n) => Math.abs(value - last.small[n]) < MOVED) ? last.seen : null;
  }

  /** Take what the models saw. */
  keep(picture: Picture, time: number, seen: Seen): void {
    this.#emptySince = seen.boxes.length ? null : (this.#emptySince ?? time);
    this.#lookedAt = { time, small: smallOf(picture), seen };
  }

  wake(): void {
    this.#emptySince = null;
  }
}

/** The mean grey of each cell of the picture: noise goes. */
function smallOf(picture: Picture): Float32Array {
  const planes = scaled(picture, 0, 0, picture.width, picture.height, WIDE, HIGH);
  const count = WIDE * HIGH;
  return Float32Array.from({ length: count }, (_, n) => (planes[n] + planes[count + n] + planes[2 * count + n]) / 3);
}
