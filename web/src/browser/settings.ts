// The settings and the personal calibration in this browser; names and defaults are those of handlens/live/settings.py.
import type { Settings } from "../page/engine";
import type { Calibration, Rules } from "./calibration";
import type { Card } from "./vision";

export const REGIONS = ["forehead", "eye", "nose", "mouth", "cheek", "chin", "ear"];
const KEPT = "handlens-settings";
const KEPT_CALIBRATION = "handlens-calibration";

const DEFAULTS: Settings = {
  open: 0.5,
  min_time: 0.25,
  gap: 0.5,
  cooldown: 5,
  regions: REGIONS,
  sound: "voice",
  volume: 0.8,
  glow: true,
  notify: false,
  early: false,
  low_power: false,
  keep_days: 365,
  keep_wrong: false,
};

/** Whether settings were kept before. */
export function isFirstTime(): boolean {
  try {
    return localStorage.getItem(KEPT) === null;
  } catch {
    return true; // storage is switched off
  }
}

/** Return what was kept, and the defaults for the rest and for what is damaged. */
export function keptSettings(): Settings {
  let found: Record<string, unknown> = {};
  try {
    found = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
  } catch {
    // damaged, or storage is switched off
  }
  const right = Object.entries(DEFAULTS).map(([name, value]) => [name, fits(found?.[name], value) ? found[name] : value]);
  return Object.fromEntries(right) as Settings;
}

function fits(found: unknown, like: unknown): boolean {
  if (Array.isArray(like)) return Array.isArray(found) && found.every((each) => REGIONS.includes(each));
  return typeof found === typeof like && (typeof found !== "number" || Number.isFinite(found));
}

export function keepSettings(settings: Settings): void {
  try {
    localStorage.setItem(KEPT, JSON.stringify(settings));
  } catch {
    // storage is switched off: they hold until the page is closed
  }
}

/** Return the calibration that is kept in this browser, if it was made with this model. */
export function keptCalibration(card: Card, rules: Rules): Calibration | null {
  try {
    const found = JSON.parse(localStorage.getItem(KEPT_CALIBRATION) ?? "null") as Calibration | null;
    if (!found || found.format !== rules.version || found.model !== card.name || found.version !== card.version) return null;
    const numbers = [found.shift, ...Object.values(found.weights)];
    return numbers.every((value) => Number.isFinite(value) && Math.abs(value) <= 100) ? found : null;
  } catch {
    return null; // damaged, or a private window
  }
}

/** Keep a calibration in this browser; null removes it. */
export function keepCalibration(calibration: Calibration | null): void {
  if (calibration) localStorage.setItem(KEPT_CALIBRATION, JSON.stringify(calibration));
  else localStorage.removeItem(KEPT_CALIBRATION);
}
