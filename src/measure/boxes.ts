/** Boxes and lines on a figure, and whether they meet: what placing labels needs. */

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A straight line from (x1, y1) to (x2, y2). */
export type Ends = readonly [number, number, number, number];

export const boxAround = (x: number, y: number, radius: number): Box => ({
  x: x - radius,
  y: y - radius,
  width: radius * 2,
  height: radius * 2,
});

/** Whether a line passes through a box, taken as the disc in it. */
export function touches({ x, y, width }: Box, [x1, y1, x2, y2]: Ends): boolean {
  const radius = width / 2;
  const [cx, cy] = [x + radius, y + radius];
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  const along = ((cx - x1) * (x2 - x1) + (cy - y1) * (y2 - y1)) / length;
  const away = Math.abs((cx - x1) * (y2 - y1) - (cy - y1) * (x2 - x1)) / length;
  return along > -radius && along < length + radius && away < radius;
}

export const collides = (box: Box, others: readonly Box[]): boolean =>
  others.some((o) => box.x < o.x + o.width && o.x < box.x + box.width && box.y < o.y + o.height && o.y < box.y + box.height);
