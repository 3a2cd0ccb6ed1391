// Numbers and times in plain words.

import type { Points } from "./engine";

/** Return "1.9 s", "2 min", "1 h 20 min". */
export function lasting(seconds: number): string {
  if (seconds > 0 && seconds < 0.95) return `${seconds.toFixed(2)} s`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

/** Return "1 touch", "3 touches". */
export const touches = (count: number): string => `${count} ${count === 1 ? "touch" : "touches"}`;

/** Return the time of day of a moment in seconds since 1970. */
export function clock(seconds: number, exact = false): string {
  const style: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", exact ? { ...style, second: "2-digit" } : style);
}

/** Return "3.4" of a rate, "–" of null. */
export const rateWords = (rate: number | null): string => (rate === null ? "–" : rate >= 9.95 ? String(Math.round(rate)) : rate.toFixed(1));

export interface Meaning {
  found: number;
  front: number;
  plain: number;
  said: string;
  people: number;
}

/** Return what a position of the slider means, in percent of what was measured. */
export function meaning(points: Points, position: number): Meaning {
  const row = points.points.reduce((best, each) => (Math.abs(each.position - position) < Math.abs(best.position - position) ? each : best));
  const share = (name: "touch" | "front" | "plain"): number => Math.round((100 * row[name]) / points.of[name]);
  return {
    found: share("touch"),
    front: share("front"),
    plain: share("plain"),
    said:
      `Finds ${share("touch")} of 100 touches. Warns wrongly at ${share("front")} of 100 hands held before the face,` +
      ` and at ${share("plain")} of 100 moments without a hand there.`,
    people: points.of.touch + points.of.front + points.of.plain,
  };
}
