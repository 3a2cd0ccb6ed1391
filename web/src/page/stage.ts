// The mirror: the newest picture with faces, hands and touched places drawn on it.

import type { Box, Corners, Frame, Result } from "./engine";

const TONES = { face: "#ffffff", hand: "#7cc4ff", touch: "#ff6a35" };
const SURE = 0.5; // regions below this are not drawn

type Pen = CanvasRenderingContext2D;

interface Place {
  x: number;
  y: number;
  w: number;
  h: number;
}

interface Drawn extends Box {
  kind: "face" | "hand" | "region";
}

/** Draw a frame on a canvas. */
export function paint(canvas: HTMLCanvasElement, told: Frame, mirrored: boolean): void {
  const { result, image } = told;
  if (!image) return;
  if (canvas.width !== image.width || canvas.height !== image.height) {
    canvas.width = image.width;
    canvas.height = image.height;
  }
  const pen = canvas.getContext("2d") as Pen;
  const { width } = canvas;
  pen.save();
  if (mirrored) {
    pen.translate(width, 0);
    pen.scale(-1, 1);
  }
  pen.drawImage(image, 0, 0);
  pen.restore();
  const zoom = width / result.width;
  const place = ([x1, y1, x2, y2]: Corners): Place => {
    const [left, right] = mirrored ? [width - x2 * zoom, width - x1 * zoom] : [x1 * zoom, x2 * zoom];
    return { x: left, y: y1 * zoom, w: right - left, h: (y2 - y1) * zoom };
  };
  const thick = Math.max(2, width / 260);
  for (const box of boxesOf(result)) {
    const at = place(box.xyxy);
    if (box.label === "face") corners(pen, at, told.status === "touching" ? TONES.touch : TONES.face, thick);
    else if (box.label === "hand" || box.kind === "hand") outline(pen, at, TONES.hand, thick);
    else spot(pen, at, thick);
  }
  for (const box of boxesOf(result)) {
    if (box.kind === "region" || (box.kind === "hand" && box.label !== "hand")) tag(pen, place(box.xyxy), box.label, width);
  }
}

function boxesOf(result: Result): Drawn[] {
  const value = result.value;
  if (value.hands) return value.hands.map((hand): Drawn => ({ ...hand, kind: "hand" }));
  const boxes = (value.boxes ?? []).map((box): Drawn => ({ ...box, kind: box.label === "face" || box.label === "hand" ? box.label : "region" }));
  return boxes.filter((box) => box.kind !== "region" || (box.score ?? 1) >= SURE);
}

function corners(pen: Pen, { x, y, w, h }: Place, tone: string, thick: number): void {
  const arm = Math.min(w, h) * 0.2;
  const round = Math.min(arm, 14);
  pen.strokeStyle = tone;
  pen.lineWidth = thick;
  pen.lineCap = "round";
  pen.shadowColor = "rgb(0 0 0 / 55%)";
  pen.shadowBlur = 4;
  for (const [cx, cy, dx, dy] of [[x, y, 1, 1], [x + w, y, -1, 1], [x, y + h, 1, -1], [x + w, y + h, -1, -1]] as Corners[]) {
    pen.beginPath();
    pen.moveTo(cx, cy + dy * arm);
    pen.lineTo(cx, cy + dy * round);
    pen.quadraticCurveTo(cx, cy, cx + dx * round, cy);
    pen.lineTo(cx + dx * arm, cy);
    pen.stroke();
  }
  pen.shadowBlur = 0;
}

function outline(pen: Pen, { x, y, w, h }: Place, tone: string, thick: number): void {
  pen.strokeStyle = tone;
  pen.lineWidth = thick;
  pen.setLineDash([thick * 3, thick * 2.5]);
  pen.beginPath();
  pen.roundRect(x, y, w, h, 12);
  pen.stroke();
  pen.setLineDash([]);
}

function spot(pen: Pen, { x, y, w, h }: Place, thick: number): void {
  pen.fillStyle = "rgb(255 106 53 / 38%)";
  pen.strokeStyle = TONES.touch;
  pen.lineWidth = thick;
  pen.beginPath();
  pen.ellipse(x + w / 2, y + h / 2, w / 2 + 2, h / 2 + 2, 0, 0, 7);
  pen.fill();
  pen.stroke();
}

function tag(pen: Pen, { x, y, w, h }: Place, text: string, width: number): void {
  const size = Math.max(13, width / 34);
  pen.font = `600 ${size}px system-ui, "Segoe UI", Arial, sans-serif`;
  const wide = pen.measureText(text).width + size;
  const left = Math.max(2, Math.min(width - wide - 2, x + w / 2 - wide / 2));
  const top = Math.max(2, y + h + 6 + size * 1.6 > pen.canvas.height ? y - size * 1.7 : y + h + 6);
  pen.fillStyle = "#b93a12";
  pen.beginPath();
  pen.roundRect(left, top, wide, size * 1.6, size * 0.8);
  pen.fill();
  pen.fillStyle = "#fff";
  pen.textBaseline = "middle";
  pen.fillText(text, left + size / 2, top + size * 0.84);
}
