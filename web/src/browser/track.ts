// Who is who from one frame to the next, as handlens/track.py.
import type { Corners } from "../page/engine";

const REACH = 0.72; // sides of a box: who moved less since the last frame is the same
const REACH_A_SECOND = 1.6;
const FAR = 2;
const STEADY_S = 0.08;
const LEARNS_S = 0.2; // seconds after which a speed counts by two thirds
const COASTS_S = 0.5; // seconds for which one who is not seen is expected to move on
const MOST_AGE_S = 2;
const GROWTH = Math.log(2.5);
const OVERLAP = 0.3;

interface Track {
  id: number;
  box: Corners;
  seen: number;
  speed: [x: number, y: number];
}

/** Gives each box of one label a number that stays with it. */
export class Tracks {
  #known: Track[] = [];
  #next = 1;

  /** Return row -> number. rows: the boxes of this frame by their row. */
  update(rows: Map<number, Corners>, time: number): Map<number, number> {
    this.#known = this.#known.filter((track) => time >= track.seen && time - track.seen <= MOST_AGE_S + 1e-6);
    const pairs: { cost: number; row: number; track: Track; box: Corners }[] = [];
    for (const [row, box] of rows) {
      for (const track of this.#known) {
        const cost = costOf(track, box, time);
        if (cost !== null) pairs.push({ cost, row, track, box });
      }
    }
    const ids = new Map<number, number>();
    const taken = new Set<Track>();
    for (const { row, track, box } of pairs.sort((one, other) => one.cost - other.cost)) {
      if (ids.has(row) || taken.has(track)) continue;
      ids.set(row, track.id);
      taken.add(track);
      follow(track, box, time);
    }
    for (const [row, box] of rows) {
      if (ids.has(row)) continue;
      this.#known.push({ id: this.#next, box, seen: time, speed: [0, 0] });
      ids.set(row, this.#next++);
    }
    return ids;
  }
}

const centre = ([x1, y1, x2, y2]: Corners): [number, number] => [(x1 + x2) / 2, (y1 + y2) / 2];
const sideOf = ([x1, y1, x2, y2]: Corners): number => Math.max(1e-6, (x2 - x1 + y2 - y1) / 2);

function apart(one: Corners, other: Corners): number {
  const [a, b] = [centre(one), centre(other)];
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

function overlap(one: Corners, other: Corners): number {
  const wide = Math.max(0, Math.min(one[2], other[2]) - Math.max(one[0], other[0]));
  const high = Math.max(0, Math.min(one[3], other[3]) - Math.max(one[1], other[1]));
  const area = ([x1, y1, x2, y2]: Corners): number => Math.max(0, x2 - x1) * Math.max(0, y2 - y1);
  return (wide * high) / Math.max(1e-9, area(one) + area(other) - wide * high);
}

/** How far a box is from where a track is expected, in sides; null where it is somebody else. */
function costOf(track: Track, box: Corners, time: number): number | null {
  const passed = time - track.seen;
  const [dx, dy] = track.speed.map((speed) => speed * Math.min(passed, COASTS_S));
  const [x1, y1, x2, y2] = track.box;
  const expected: Corners = [x1 + dx, y1 + dy, x2 + dx, y2 + dy];
  const side = sideOf(track.box);
  const moved = apart(box, expected) / side;
  const stayed = apart(box, track.box) / side; // who turned round is not where expected
  const reach = Math.min(FAR, REACH + REACH_A_SECOND * Math.max(0, passed - STEADY_S));
  const near = Math.min(moved, stayed) <= reach || Math.max(overlap(box, expected), overlap(box, track.box)) >= OVERLAP;
  const growth = Math.abs(Math.log(sideOf(box) / side));
  return near && growth <= GROWTH ? Math.min(moved, stayed + 0.2) + 0.3 * growth : null;
}

/** Take where it is now. */
function follow(track: Track, box: Corners, time: number): void {
  const passed = time - track.seen;
  if (passed > 0) {
    const weight = 1 - Math.exp(-passed / LEARNS_S);
    const [now, before] = [centre(box), centre(track.box)];
    track.speed = [0, 1].map((axis) => track.speed[axis] + weight * ((now[axis] - before[axis]) / passed - track.speed[axis])) as [number, number];
  }
  track.box = box;
  track.seen = time;
}
