// Probabilities over time -> touches, by hysteresis in seconds, as handlens/events.py.

export interface Rule {
  open: number;
  close: number;
  minTime: number;
  gap: number;
}

type Scores = Record<string, number>;

export interface Reading {
  probability: number;
  labels: Scores;
}

/** A touch, in seconds of the source. */
export interface Event {
  label: string;
  start: number;
  stop: number;
  peak: number;
  /** The regions one after the other, with their seconds. */
  regions: [name: string, seconds: number][];
}

interface Moment {
  start: number;
  stop: number;
}

interface Told {
  opened: Event[];
  closed: Event[];
}

const TINY = 1e-6;
const SAME_PLACE = 0.5;

/** Opens an event when the probability held, closes it when it stayed away; see handlens.events.EventTracker. */
export class EventTracker {
  #rule: Rule;
  #streams = new Map<string, Stream>();
  #last: number | null = null;
  #usual: number[] = [];

  constructor(rule: Rule) {
    this.#rule = rule;
  }

  get active(): boolean {
    return [...this.#streams.values()].some((stream) => stream.isOpen);
  }

  get current(): Event[] {
    return [...this.#streams.values()].flatMap((stream) => (stream.isOpen && stream.run ? [stream.run.event()] : []));
  }

  /** Take a frame: its time in seconds, and what is read of each face. */
  update(time: number, readings: Record<string, Reading>): Told {
    const closed: Event[] = [];
    const step = this.#last === null ? 0 : time - this.#last;
    const usual = middle(this.#usual);
    if (this.#last !== null && (step < 0 || (this.#usual.length && step > 1.5 * usual && step - usual > this.#rule.gap + TINY))) closed.push(...this.finish());
    if (this.#last !== null && step > 0) this.#usual = [...this.#usual.slice(-8), step];
    this.#last = time;
    const now = { start: time, stop: time + middle(this.#usual) };
    const opened: Event[] = [];
    for (const name of Object.keys(readings)) if (!this.#streams.has(name)) this.#streams.set(name, new Stream(this.#rule));
    for (const [name, stream] of this.#streams) {
      const told = stream.step(now, readings[name] ?? { probability: 0, labels: {} });
      opened.push(...told.opened);
      closed.push(...told.closed);
      if (!stream.run) this.#streams.delete(name);
    }
    return { opened, closed };
  }

  finish(): Event[] {
    const events = [...this.#streams.values()].flatMap((stream) => stream.finish());
    this.#streams.clear();
    this.#last = null;
    return events;
  }
}

const middle = (values: number[]): number => {
  const order = [...values].sort((one, other) => one - other);
  const half = order.length >> 1;
  return order.length ? (order.length % 2 ? order[half] : (order[half - 1] + order[half]) / 2) : 0;
};

function add(total: Scores, scores: Scores): void {
  for (const [name, score] of Object.entries(scores)) total[name] = (total[name] ?? 0) + score;
}

function best(scores: Scores): string | null {
  let [found, most]: [string | null, number] = [null, -Infinity];
  for (const [name, score] of Object.entries(scores)) if (score > most) [found, most] = [name, score];
  return found;
}

class Run {
  least: number;
  first: Moment;
  last: Moment;
  peak = 0;
  held: number | null = null;
  labels: Scores = {};
  spans: [name: string, since: number][] = [];
  recent: [time: number, scores: Scores][] = [];

  constructor(least: number, now: Moment) {
    this.least = least;
    this.first = this.last = now;
  }

  note(now: Moment, reading: Reading, open: number): void {
    this.last = now;
    this.peak = Math.max(this.peak, reading.probability);
    if (reading.probability < open) this.held = null;
    else this.held ??= now.start;
    add(this.labels, reading.labels);
    this.recent.push([now.start, reading.labels]);
    while (this.recent.length > 1 && this.recent[0][0] <= now.start - this.least + TINY) this.recent.shift();
    const place = best(this.lately());
    if (place !== null) this.enter(place, now.start);
  }

  holds(now: Moment, seconds: number): boolean {
    return this.held !== null && now.stop - this.held >= seconds - TINY;
  }

  lately(): Scores {
    const total: Scores = {};
    for (const [, scores] of this.recent) add(total, scores);
    return total;
  }

  enter(region: string, at: number): void {
    const end = this.spans.at(-1);
    if (end && end[0] !== region && at - end[1] < this.least - TINY) {
      this.spans.pop();
      const since = end[1];
      if (!this.spans.length) at = since;
    }
    if (this.spans.at(-1)?.[0] !== region) this.spans.push([region, at]);
  }

  places(): Set<string> {
    const lately = this.lately();
    const most = Math.max(0, ...Object.values(lately));
    const names = Object.keys(lately).filter((name) => lately[name] >= SAME_PLACE * most);
    return new Set([...names, ...this.spans.slice(-1).map(([name]) => name)]);
  }

  join(after: Run, held: boolean): void {
    Object.assign(this, { last: after.last, held: after.held, peak: Math.max(this.peak, after.peak) });
    add(this.labels, after.labels);
    if (held && after.spans.length) {
      for (const [region, since] of after.spans) this.enter(region, since);
      this.recent = after.recent;
    }
  }

  event(): Event {
    const spans = this.spans.length > 1 && this.last.stop - (this.spans.at(-1)?.[1] ?? 0) < this.least - TINY ? this.spans.slice(0, -1) : this.spans;
    const starts = [this.first.start, ...spans.slice(1).map(([, since]) => since), this.last.stop];
    const regions = spans.map(([name], n): [string, number] => [name, starts[n + 1] - starts[n]]);
    return { label: best(this.labels) ?? "touch", start: this.first.start, stop: this.last.stop, peak: this.peak, regions };
  }
}

class Stream {
  rule: Rule;
  isOpen = false;
  run: Run | null = null;
  after: Run | null = null;
  below: number | null = null;

  constructor(rule: Rule) {
    this.rule = rule;
  }

  step(now: Moment, reading: Reading): Told {
    const { rule } = this;
    if (!this.run || !this.isOpen) return { opened: this.#wait(now, reading), closed: [] };
    if (reading.probability < rule.close) return { opened: [], closed: this.#dip(now) };
    if (this.below !== null) {
      this.below = null;
      this.after = new Run(rule.minTime, now);
    }
    if (!this.after) {
      this.run.note(now, reading, rule.open);
      return { opened: [], closed: [] };
    }
    this.after.note(now, reading, rule.open);
    return this.#decide(now);
  }

  #wait(now: Moment, reading: Reading): Event[] {
    if (reading.probability < this.rule.open) {
      this.run = null;
      return [];
    }
    this.run ??= new Run(this.rule.minTime, now);
    this.run.note(now, reading, this.rule.open);
    this.isOpen = this.run.holds(now, this.rule.minTime);
    return this.isOpen ? [this.run.event()] : [];
  }

  #dip(now: Moment): Event[] {
    this.#join(false);
    this.below ??= now.start;
    if (!this.run || now.stop - this.below < this.rule.gap - TINY) return [];
    const event = this.run.event();
    this.run = this.below = null;
    this.isOpen = false;
    return [event];
  }

  #decide(now: Moment): Told {
    if (!this.run || !this.after || !this.after.holds(now, this.rule.minTime)) return { opened: [], closed: [] };
    const [before, since] = [this.run.places(), this.after.places()];
    if (!before.size || !since.size || [...before].some((name) => since.has(name))) {
      this.#join(true);
      return { opened: [], closed: [] };
    }
    const ended = this.run.event();
    this.run = this.after;
    this.after = null;
    return { opened: [this.run.event()], closed: [ended] };
  }

  #join(held: boolean): void {
    if (this.run && this.after) this.run.join(this.after, held);
    this.after = null;
  }

  finish(): Event[] {
    this.#join(false);
    return this.run && this.isOpen ? [this.run.event()] : [];
  }
}
