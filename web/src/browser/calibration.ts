// The personal calibration, as handlens/live/calibration.py and guide.py: a few numbers that shift the decision for one person.
import type { Phase } from "../page/engine";
import type { Answer, Card, Run } from "./vision";

/** The constants of handlens.live.calibration, as models.py writes them. */
export interface Rules {
  version: number;
  mean_spread: Record<string, [mean: number, spread: number]>;
  others: [mean: number, spread: number];
  things: string[];
  counts: Record<Phase, number>;
  asked: Record<Phase, string>;
  least: number;
  surer: Partial<Record<Phase, number>>;
  most: number;
  shift_sd: number;
  weight_sd: number;
  settle_s: number;
  phase_s: number;
}

/** The content of a calibration.json of `handlens calibrate`. */
export interface Calibration {
  format: number;
  model: string;
  version: string;
  made: string;
  shift: number;
  weights: Record<string, number>;
  frames: Record<string, number>;
}

/** What the model itself said of the largest face of a frame. */
export interface Own {
  logit: number;
  scores: Record<string, number>;
}

const PHASES: Phase[] = ["look", "touch", "front", "object"];

export const isPhase = (step: string): step is Phase => (PHASES as string[]).includes(step);

function standardised(rules: Rules, name: string, score: number): number {
  const [mean, spread] = rules.mean_spread[name] ?? rules.others;
  return Math.min(3, Math.max(-3, (score - mean) / spread));
}

/** Return the logits to add to an answer with these scores. */
export function added({ shift, weights }: Calibration, scores: Record<string, number>, rules: Rules): number {
  let total = shift;
  for (const [name, weight] of Object.entries(weights)) if (name in scores) total += weight * standardised(rules, name, scores[name]);
  return Math.min(rules.most, Math.max(-rules.most, total));
}

function scoresOf(answer: Answer, card: Card, rules: Rules): Record<string, number> {
  const names = card.names.filter((name) => name !== "face" && name !== "hand");
  const scores = Object.fromEntries(names.map((name, n) => [name, answer.region_scores.data[n]]));
  if (answer.object_scores) rules.things.forEach((name, n) => (scores[name] = answer.object_scores.data[n]));
  return scores;
}

/** A contact model that follows a personal calibration, and remembers what it said of the largest face. */
export class Personal {
  calibration: Calibration | null = null;
  #run: Run;
  #card: Card;
  #rules: Rules;
  #seen: Own | null = null;

  constructor(run: Run, card: Card, rules: Rules) {
    this.#run = run;
    this.#card = card;
    this.#rules = rules;
  }

  run: Run = async (input, dims) => {
    const answer = { ...(await this.#run(input, dims)) };
    const scores = scoresOf(answer, this.#card, this.#rules);
    this.#seen ??= { logit: answer.touch_logit.data[0], scores }; // the first look of a frame; its first face is the largest
    if (this.calibration) {
      // the card's own calibration stretches logits by "a"
      const more = added(this.calibration, scores, this.#rules) / Math.max(0.1, this.#card.calibration.a ?? 1);
      answer.touch_logit = { dims: answer.touch_logit.dims, data: answer.touch_logit.data.map((value) => value + more) };
    }
    return answer;
  };

  /** Return the model's own answer of the largest face since the last call, or null without a face. */
  taken(): Own | null {
    const seen = this.#seen;
    this.#seen = null;
    return seen;
  }
}

const SHOWN: Partial<Record<Phase, string>> = { look: "your face without a hand", front: "the hand before your face" };

/** Return the share of pairs in which the touch has the higher logit. */
function surer(touches: number[], others: number[]): number {
  const won = touches.flatMap((one) => others.map((other) => (one > other ? 1 : one === other ? 0.5 : 0) as number));
  return won.reduce((sum, each) => sum + each, 0) / won.length;
}

export type Samples = Record<Phase, Own[]>;

export const noSamples = (): Samples => ({ look: [], touch: [], front: [], object: [] });

/** Return the calibration of these frames; an error says why there is none. */
export function fitted(samples: Samples, card: Card, rules: Rules): Calibration {
  for (const phase of ["touch", "front"] as const) {
    const count = samples[phase].length;
    if (count >= rules.least) continue;
    throw new Error(
      `only ${count} pictures show your face while you were asked to ${rules.asked[phase].toLowerCase()}, at least ${rules.least} are needed:` +
        " sit before the camera, with light on your face, and try again.",
    );
  }
  const { a = 1, b = 0 } = card.calibration;
  const own = (phase: Phase): number[] => samples[phase].map(({ logit }) => a * logit + b);
  for (const [phase, share] of Object.entries(rules.surer) as [Phase, number][]) {
    const others = own(phase);
    if (!others.length || surer(own("touch"), others) >= share) continue;
    throw new Error(
      `the touches look no surer than ${SHOWN[phase]}, so nothing was changed: touch your chin only when you are asked to, until the` +
        " next request comes, then hold your hand a hand's width before your face.",
    );
  }
  const names = [...new Set(PHASES.flatMap((phase) => samples[phase].flatMap(({ scores }) => Object.keys(scores))))].sort();
  const rows = PHASES.flatMap((phase) =>
    samples[phase].map(({ logit, scores }) => ({
      own: a * logit + b,
      design: [1, ...names.map((name) => standardised(rules, name, scores[name]))],
      truth: phase === "touch" ? 1 : 0,
      weight: rules.counts[phase] / samples[phase].length,
    })),
  );
  const [shift, ...slopes] = fit(rows, [rules.shift_sd, ...names.map(() => rules.weight_sd)]);
  const short = (value: number): number => Number(value.toFixed(5));
  return {
    format: rules.version,
    model: card.name,
    version: card.version,
    made: new Date().toISOString(),
    shift: short(shift),
    weights: Object.fromEntries(names.map((name, n) => [name, short(slopes[n])])),
    frames: Object.fromEntries(PHASES.map((phase) => [phase, samples[phase].length])),
  };
}

interface Sample {
  own: number;
  design: number[];
  truth: number;
  weight: number;
}

/** Return the weights that explain the truth best, held near 0 by their priors: Newton's method, the objective is convex. */
function fit(rows: Sample[], spreads: number[]): number[] {
  const prior = spreads.map((spread) => 1 / spread ** 2);
  const found = spreads.map(() => 0);
  for (let round = 0; round < 100; round++) {
    const slope = found.map((value, n) => -prior[n] * value);
    const curve = prior.map((value, n) => prior.map((_, other) => (other === n ? value : 0)));
    for (const { own, design, truth, weight } of rows) {
      const logit = design.reduce((sum, value, n) => sum + value * found[n], own);
      const probability = 1 / (1 + Math.exp(-Math.min(30, Math.max(-30, logit))));
      design.forEach((value, n) => {
        slope[n] += weight * (truth - probability) * value;
        design.forEach((other, m) => (curve[n][m] += weight * probability * (1 - probability) * value * other));
      });
    }
    const step = solved(curve, slope);
    const largest = Math.max(...step.map(Math.abs));
    step.forEach((value, n) => (found[n] += value * Math.min(1, 1 / Math.max(1e-12, largest))));
    if (largest < 1e-7) break;
  }
  return found;
}

/** Return x of A x = b for a positive definite A, by elimination. */
function solved(matrix: number[][], right: number[]): number[] {
  const rows = matrix.map((row, n) => [...row, right[n]]);
  const size = right.length;
  for (let n = 0; n < size; n++) {
    for (let below = n + 1; below < size; below++) {
      const share = rows[below][n] / rows[n][n];
      for (let at = n; at <= size; at++) rows[below][at] -= share * rows[n][at];
    }
  }
  const found = right.map(() => 0);
  for (let n = size - 1; n >= 0; n--) {
    const rest = found.reduce((sum, value, at) => (at > n ? sum + rows[n][at] * value : sum), 0);
    found[n] = (rows[n][size] - rest) / rows[n][n];
  }
  return found;
}

/** Leads a person through the calibration, step by step. */
export class Minute {
  #samples = noSamples();
  #phase: Phase | null = null;
  #since = 0;
  #card: Card;
  #rules: Rules;

  constructor(card: Card, rules: Rules) {
    this.#card = card;
    this.#rules = rules;
  }

  /** Take one frame. */
  take(own: Own | null, time: number): void {
    if (this.#phase && own && time - this.#since >= this.#rules.settle_s) this.#samples[this.#phase].push(own);
  }

  /** Begin a phase; one that is done again counts anew. */
  begin(phase: Phase, time: number): void {
    this.#samples[phase] = [];
    this.#phase = phase;
    this.#since = time;
  }

  /** Return the calibration of the phases. */
  finish(): Calibration {
    this.#phase = null;
    return fitted(this.#samples, this.#card, this.#rules);
  }
}
