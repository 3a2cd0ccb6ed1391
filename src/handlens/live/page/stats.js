// What the history says: pure functions of touches and of observed time, with the rules of handlens/live/spans.py.
// A touch: {start, stop, region, regions: {name: seconds}}; a span: [start, seconds]; times in seconds since 1970.

const LEAST_S = 300; // below so much observed time a rate says nothing
const BREAK_S = 1800; // unobserved time after which a pause without a touch ends

/** Return touches per observed hour, or null. */
export const rate = (count, seconds) => (seconds >= LEAST_S ? (count * 3600) / seconds : null);

/** Return the start of the local day of a moment, some days later. */
export function dayOf(moment, days = 0) {
  const date = new Date(moment * 1000);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime() / 1000;
}

/** Return the Monday of the local week of a moment, some weeks later. */
export function weekOf(moment, weeks = 0) {
  const weekday = (new Date(moment * 1000).getDay() + 6) % 7;
  return dayOf(moment, 7 * weeks - weekday);
}

/** Return the seconds of the spans that lie in [from, to). */
export function observedIn(spans, from, to) {
  return spans.reduce((sum, [start, seconds]) => sum + Math.max(0, Math.min(to, start + seconds) - Math.max(from, start)), 0);
}

/** Return the touches that begin in [from, to). */
export const touchesIn = (touches, from, to) => touches.filter((touch) => touch.start >= from && touch.start < to);

/** Return {count, seconds, rate} of [from, to). */
export function period(history, from, to) {
  const count = touchesIn(history.touches, from, to).length;
  const seconds = observedIn(history.spans, from, to);
  return { count, seconds, rate: rate(count, seconds) };
}

/** Return a table [weekday from Monday][hour] of {count, seconds, rate}. */
export function grid(history) {
  const table = Array.from({ length: 7 }, () => Array.from({ length: 24 }, () => ({ count: 0, seconds: 0, rate: null })));
  const cell = (moment) => {
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

/** Return so many weeks up to now, oldest first: {start, count, seconds, rate}. */
export function weeks(history, now, count = 12) {
  return Array.from({ length: count }, (_, n) => {
    const start = weekOf(now, n - count + 1);
    return { start, ...period(history, start, weekOf(now, n - count + 2)) };
  });
}

/** Return [{region, count, seconds}] of a list of touches, most touched first. */
export function byRegion(touches) {
  const totals = new Map();
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

/** Return the longest observed time without a touch, {start, stop, seconds}, or null. */
export function longest(history) {
  let best = null;
  let now = null;
  const take = (from, to) => {
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
      const touch = left.shift();
      take(at, touch.start);
      now = null;
      at = Math.max(at, touch.stop);
    }
    take(at, stop);
    at = Math.max(at, stop);
  }
  return best;
}

/**
 * Return the seven days up to now beside the seven before: {now, before, ratio, clear}; ratio null where little was seen,
 * clear where chance would not make such a difference in 19 of 20 cases.
 */
export function change(history, now) {
  const one = period(history, now - 7 * 86400, now);
  const other = period(history, now - 14 * 86400, now - 7 * 86400);
  const ratio = one.rate !== null && other.rate ? one.rate / other.rate : null;
  const clear = ratio !== null && one.count > 0 && Math.abs(Math.log(ratio)) > 1.96 * Math.sqrt(1 / one.count + 1 / other.count);
  return { now: one, before: other, ratio, clear };
}
