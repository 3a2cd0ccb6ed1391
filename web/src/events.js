// Probabilities over time -> touches, by hysteresis in seconds, as handlens/events.py; and who is who.

const TINY = 1e-6;
const SAME_PLACE = 0.5;

/** Gives each face a number that stays with it. */
export class Faces {
  constructor() {
    this.known = [];
    this.next = 1;
  }

  /** Return row -> number. @param {any[]} boxes @param {number} time */
  update(boxes, time) {
    this.known = this.known.filter((face) => time - face.seen <= 2);
    const ids = new Map();
    const faces = boxes.map((box, row) => ({ box, row })).filter(({ box }) => box.label === "face");
    const pairs = [];
    for (const { box, row } of faces) {
      for (const face of this.known) {
        const [side, x, y] = [sideOf(face.box), centre(box.xyxy), centre(face.box)];
        const far = Math.hypot(x[0] - y[0], x[1] - y[1]) / side;
        const reach = Math.min(2, 0.72 + 1.6 * Math.max(0, time - face.seen - 0.08));
        const growth = Math.abs(Math.log(sideOf(box.xyxy) / side));
        if (far <= reach && growth <= Math.log(2.5)) pairs.push({ cost: far + 0.3 * growth, row, face, box });
      }
    }
    const taken = new Set();
    for (const { row, face, box } of pairs.sort((one, other) => one.cost - other.cost)) {
      if (ids.has(row) || taken.has(face)) continue;
      ids.set(row, face.id);
      taken.add(face);
      Object.assign(face, { box: box.xyxy, seen: time });
    }
    for (const { box, row } of faces) {
      if (ids.has(row)) continue;
      this.known.push({ id: this.next, box: box.xyxy, seen: time });
      ids.set(row, this.next++);
    }
    return ids;
  }
}

const centre = ([x1, y1, x2, y2]) => [(x1 + x2) / 2, (y1 + y2) / 2];
const sideOf = ([x1, y1, x2, y2]) => Math.max(1e-6, (x2 - x1 + y2 - y1) / 2);

/** Opens an event when the probability held, closes it when it stayed away; see handlens.events.EventTracker. */
export class EventTracker {
  constructor(rule) {
    this.rule = rule; // {open, close, minTime, gap}
    this.streams = new Map();
    this.last = null;
    this.usual = [];
  }

  get active() {
    return [...this.streams.values()].some((stream) => stream.isOpen);
  }

  get current() {
    return [...this.streams.values()].filter((stream) => stream.isOpen && stream.run).map((stream) => stream.run.event());
  }

  /** Take a frame: time in seconds, and {name: {probability, labels: {region: score}}}. Return {opened, closed}. */
  update(time, readings) {
    const closed = [];
    const step = this.last === null ? 0 : time - this.last;
    const usual = middle(this.usual);
    if (this.last !== null && (step < 0 || (this.usual.length && step > 1.5 * usual && step - usual > this.rule.gap + TINY))) closed.push(...this.finish());
    if (this.last !== null && step > 0) this.usual = [...this.usual.slice(-8), step];
    this.last = time;
    const now = { start: time, stop: time + middle(this.usual) };
    const opened = [];
    for (const name of Object.keys(readings)) if (!this.streams.has(name)) this.streams.set(name, new Stream(this.rule));
    for (const [name, stream] of this.streams) {
      const told = stream.step(now, readings[name] ?? { probability: 0, labels: {} });
      opened.push(...told.opened);
      closed.push(...told.closed);
      if (!stream.run) this.streams.delete(name);
    }
    return { opened, closed };
  }

  finish() {
    const events = [...this.streams.values()].flatMap((stream) => stream.finish());
    this.streams.clear();
    this.last = null;
    return events;
  }
}

const middle = (values) => {
  const order = [...values].sort((one, other) => one - other);
  const half = order.length >> 1;
  return order.length ? (order.length % 2 ? order[half] : (order[half - 1] + order[half]) / 2) : 0;
};

function add(total, scores) {
  for (const [name, score] of Object.entries(scores)) total[name] = (total[name] ?? 0) + score;
}

const best = (scores, other) => Object.entries(scores).reduce((one, each) => (one === null || each[1] > one[1] ? each : one), null)?.[0] ?? other;

class Run {
  constructor(least, now) {
    Object.assign(this, { least, first: now, last: now, peak: 0, held: null, labels: {}, spans: [], recent: [] });
  }

  note(now, reading, open) {
    this.last = now;
    this.peak = Math.max(this.peak, reading.probability);
    if (reading.probability < open) this.held = null;
    else this.held ??= now.start;
    add(this.labels, reading.labels);
    this.recent.push([now.start, reading.labels]);
    while (this.recent.length > 1 && this.recent[0][0] <= now.start - this.least + TINY) this.recent.shift();
    const place = best(this.lately(), null);
    if (place !== null) this.enter(place, now.start);
  }

  holds(now, seconds) {
    return this.held !== null && now.stop - this.held >= seconds - TINY;
  }

  lately() {
    const total = {};
    for (const [, scores] of this.recent) add(total, scores);
    return total;
  }

  enter(region, at) {
    const end = this.spans.at(-1);
    if (end && end[0] !== region && at - end[1] < this.least - TINY) {
      const [, since] = this.spans.pop();
      if (!this.spans.length) at = since;
    }
    if (this.spans.at(-1)?.[0] !== region) this.spans.push([region, at]);
  }

  places() {
    const lately = this.lately();
    const most = Math.max(0, ...Object.values(lately));
    const names = Object.keys(lately).filter((name) => lately[name] >= SAME_PLACE * most);
    return new Set([...names, ...this.spans.slice(-1).map(([name]) => name)]);
  }

  join(after, held) {
    Object.assign(this, { last: after.last, held: after.held, peak: Math.max(this.peak, after.peak) });
    add(this.labels, after.labels);
    if (held && after.spans.length) {
      for (const [region, since] of after.spans) this.enter(region, since);
      this.recent = after.recent;
    }
  }

  event() {
    const spans = this.spans.length > 1 && this.last.stop - this.spans.at(-1)[1] < this.least - TINY ? this.spans.slice(0, -1) : this.spans;
    const starts = [this.first.start, ...spans.slice(1).map(([, since]) => since), this.last.stop];
    const regions = spans.map(([name], n) => [name, starts[n + 1] - starts[n]]);
    return { label: best(this.labels, "touch"), start: this.first.start, stop: this.last.stop, peak: this.peak, regions };
  }
}

class Stream {
  constructor(rule) {
    Object.assign(this, { rule, isOpen: false, run: null, after: null, below: null });
  }

  step(now, reading) {
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

  #wait(now, reading) {
    if (reading.probability < this.rule.open) {
      this.run = null;
      return [];
    }
    this.run ??= new Run(this.rule.minTime, now);
    this.run.note(now, reading, this.rule.open);
    this.isOpen = this.run.holds(now, this.rule.minTime);
    return this.isOpen ? [this.run.event()] : [];
  }

  #dip(now) {
    this.#join(false);
    this.below ??= now.start;
    if (now.stop - this.below < this.rule.gap - TINY) return [];
    const event = this.run.event();
    Object.assign(this, { run: null, isOpen: false, below: null });
    return [event];
  }

  #decide(now) {
    if (!this.after.holds(now, this.rule.minTime)) return { opened: [], closed: [] };
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

  #join(held) {
    if (this.run && this.after) this.run.join(this.after, held);
    this.after = null;
  }

  finish() {
    this.#join(false);
    return this.run && this.isOpen ? [this.run.event()] : [];
  }
}
