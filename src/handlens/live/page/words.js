// Numbers and times in plain words.

/** Return "1.9 s", "2 min", "1 h 20 min". @param {number} seconds */
export function lasting(seconds) {
  if (seconds > 0 && seconds < 0.95) return `${seconds.toFixed(2)} s`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

/** Return "1 touch", "3 touches". @param {number} count */
export const touches = (count) => `${count} ${count === 1 ? "touch" : "touches"}`;

/** Return the time of day. @param {number} seconds since 1970 @param {boolean} [exact] */
export function clock(seconds, exact = false) {
  /** @type {Intl.DateTimeFormatOptions} */
  const style = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", exact ? { ...style, second: "2-digit" } : style);
}

/** Return "3.4" of a rate, "–" of null. @param {number | null} rate */
export const rateWords = (rate) => (rate === null ? "–" : rate >= 9.95 ? String(Math.round(rate)) : rate.toFixed(1));

/**
 * Return what a position of the slider means: [share, sentence] rows of what was measured.
 * @param {any} points @param {number} position
 */
export function meaning(points, position) {
  const row = points.points.reduce((best, each) => (Math.abs(each.position - position) < Math.abs(best.position - position) ? each : best));
  const share = (name) => Math.round((100 * row[name]) / points.of[name]);
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
