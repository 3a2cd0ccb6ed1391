// A drawn face whose regions can be clicked, or show how often they are touched.
import { draw } from "./dom";

export const REGIONS = ["forehead", "eye", "nose", "mouth", "cheek", "chin", "ear"];

const ZONES: Record<string, string[]> = {
  forehead: ["M42 60c8-18 28-25 48-25s40 7 48 25c-14 6-30 8-48 8s-34-2-48-8z"],
  eye: ["M46 84c6-9 26-9 32 0-6 9-26 9-32 0z", "M102 84c6-9 26-9 32 0-6 9-26 9-32 0z"],
  nose: ["M84 80h12l8 34c-6 7-22 7-28 0z"],
  mouth: ["M66 138c8-8 18-9 24-6 6-3 16-2 24 6-8 12-40 12-48 0z"],
  cheek: ["M42 100c8-4 22-2 28 4 2 12-2 24-8 30-12-4-20-18-20-34z", "M138 100c-8-4-22-2-28 4-2 12 2 24 8 30 12-4 20-18 20-34z"],
  chin: ["M64 158c16 6 36 6 52 0-4 14-14 22-26 22s-22-8-26-22z"],
  ear: ["M34 86c-10-6-17 2-15 14 2 14 9 24 18 22z", "M146 86c10-6 17 2 15 14-2 14-9 24-18 22z"],
};
const MARKS = [
  "M48 74c8-5 20-5 28 0M104 74c8-5 20-5 28 0", // brows
  "M52 85c6-6 16-6 20 0-5 5-15 5-20 0zM108 85c6-6 16-6 20 0-5 5-15 5-20 0z",
  "M90 86v20c-6 4-4 8 0 9",
  "M70 138c8-4 14-5 20-3 6-2 12-1 20 3-12 8-28 8-40 0zM70 138h40",
];
const HEAD = "M90 22c-36 0-57 24-56 66 1 20 4 40 12 60 9 24 26 40 44 40s35-16 44-40c8-20 11-40 12-60 1-42-20-66-56-66z";
const EARS = "M34 82c-14-8-21 4-19 18 2 17 12 28 22 26M146 82c14-8 21 4 19 18-2 17-12 28-22 26";

interface Options {
  /** Makes the regions clickable. */
  onPick?: (region: string) => void;
  /** Colours them: region -> 0 to 1. */
  heat?: Record<string, number>;
  label?: string;
}

/** Return the drawing. */
export function face({ onPick, heat, label }: Options): SVGSVGElement {
  const zones = REGIONS.map((region) =>
    draw(
      "g",
      { "data-region": region, "data-on": "false", onclick: onPick && (() => onPick(region)) },
      draw("title", {}, region),
      ...ZONES[region].map((d) => draw("path", { class: "zone", d, heat: heat ? 0.85 * (heat[region] ?? 0) : null })),
    ),
  );
  return draw(
    "svg",
    { viewBox: "8 14 164 182", role: "img", "aria-label": label ?? "A face", "aria-hidden": onPick ? "true" : null },
    draw("path", { class: "skin", d: EARS }),
    draw("path", { class: "skin", d: HEAD }),
    ...zones,
    ...MARKS.map((d) => draw("path", { class: "mark", d })),
  );
}
