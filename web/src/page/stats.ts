// What the history says: pure functions of touches and of observed time, with the rules of handlens/live/spans.py.
import type { History, Touch } from "./engine";

const LEAST_S = 300; // below so much observed time a rate says nothing
const BREAK_S = 1800; // unobserved time after which a pause without a touch ends

/** Return touches per observed hour, or null. */
export const rate = (count: number, seconds: number): number | null => (seconds >= LEAST_S ? (count * 3600) / seconds : null);

/** Return the start of the local day of a moment, some days later. */
export function dayOf(moment: number, days = 0): number {
  const date = new Date(moment * 1000);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime() / 1000;
}

/** Return the Monday of the local week of a moment, some weeks later. */
export function weekOf(moment: number, weeks = 0): number {
  const weekday = (new Date(moment * 1000).getDay() + 6) % 7;
  return dayOf(moment, 7 * weeks - weekday);
}

/** Return the seconds of the spans that lie in [from, to). */
export function observedIn(spans: History["spans"], from: number, to: number): number {
  return spans.reduce((sum, [start, seconds]) => sum + Math.max(0, Math.min(to, start + seconds) - Math.max(from, start)), 0);
}

/** Return the touches that begin in [from, to). */
export const touchesIn = (touches: Touch[], from: number, to: number): Touch[] => touches.filter((touch) => touch.start >= from && touch.start < to);

export interface Period {
  count: number;
  /** Observed. */
  seconds: number;
  /** Touches per observed hour; null where little was observed. */
  rate: number | null;
}

/** Return what happened in [from, to). */
export function period(history: History, from: number, to: number): Period {
  const count = touchesIn(history.touches, from, to).length;
  const seconds = observedIn(history.spans, from, to);
  return { count, seconds, rate: rate(count, seconds) };
}

/** Return a table [weekday from Monday][hour]. */
export function grid(history: History): Period[][] {
  const table = Array.from({ length: 7 }, () => Array.from({ length: 24 }, (): Period => ({ count: 0, seconds: 0, rate: null })));
  const cell = (moment: number): Period => {
    const date = new Date(moment * 1000);
    return table[(date.getDay() + 6) % 7][date.getHours()];
  };
  for (const touch of history.touches) cell(touch.start).count += 1;
  for (const [start, seconds] of history.spans) {
    for (let at = start; at < start + seconds; ) {
      const next = Math.min(start + seconds, (Math.floor(at / 900 + 1e-9) + 1) * 900); // time zones differ by quarters
      cell(at).seconds += next - at;
      at = next;
    }
  }
  for (const row of table) for (const each of row) each.rate = rate(each.count, each.seconds);
  return table;
}

/** Return so many weeks up to now, oldest first. */
export function weeks(history: History, now: number, count = 12): (Period & { start: number })[] {
  return Array.from({ length: count }, (_, n) => {
    const start = weekOf(now, n - count + 1);
    return { start, ...period(history, start, weekOf(now, n - count + 2)) };
  });
}

export interface RegionTotal {
  region: string;
  count: number;
  seconds: number;
}

/** Return the totals of a list of touches, most touched region first. */
export function byRegion(touches: Touch[]): RegionTotal[] {
  const totals = new Map<string, RegionTotal>();
  for (const touch of touches) {
    for (const [region, seconds] of Object.entries(touch.regions ?? { [touch.region]: touch.stop - touch.start })) {
      const total = totals.get(region) ?? { region, count: 0, seconds: 0 };
      total.count += region === touch.region ? 1 : 0;
      total.seconds += seconds;
      totals.set(region, total);
    }
  }
  return [...totals.values()].sort((one, other) => other.count - one.count || other.seconds - one.seconds);
}

export interface Stretch {
  start: number;
  stop: number;
  /** Observed. */
  seconds: number;
}

/** Return the longest observed time without a touch, or null. */
export function longest(history: History): Stretch | null {
  let best = null as Stretch | null;
  let now = null as Stretch | null;
  const take = (from: number, to: number): void => {
    if (to <= from) return;
    if (now === null || from - now.stop > BREAK_S) now = { start: from, stop: to, seconds: 0 };
    now.seconds += to - from;
    now.stop = to;
    if (best === null || now.seconds > best.seconds) best = { ...now };
  };
  const left = [...history.touches];
  let at = -Infinity;
  for (const [start, seconds] of history.spans) {
    const stop = start + seconds;
    at = Math.max(at, start);
    while (left.length && left[0].start < stop) {
      const touch = left.shift() as Touch;
      take(at, touch.start);
      now = null;
      at = Math.max(at, touch.stop);
    }
    take(at, stop);
    at = Math.max(at, stop);
  }
  return best;
}

export interface Change {
  now: Period;
  before: Period;
  /** Null where little was seen. */
  ratio: number | null;
  /** Chance would not make such a difference in 19 of 20 cases. */
  clear: boolean;
}

/** Return the seven days up to now beside the seven before. */
export function change(history: History, now: number): Change {
  const one = period(history, now - 7 * 86400, now);
  const other = period(history, now - 14 * 86400, now - 7 * 86400);
  const ratio = one.rate !== null && other.rate ? one.rate / other.rate : null;
  const clear = ratio !== null && one.count > 0 && Math.abs(Math.log(ratio)) > 1.96 * Math.sqrt(1 / one.count + 1 / other.count);
  return { now: one, before: other, ratio, clear };
}
