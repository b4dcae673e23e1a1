/*
 * Where the frames of the flame graph lie: those that can be seen, as boxes in a grid of levels.
 *
 * The frame that is zoomed in on, and who called it, are as wide as the graph. What would be less
 * than a part of a pixel wide is left out, and neighbours that are hardly to be seen become one box.
 */
import type { StackTree } from "./stacks";

export interface Box {
  node: number;
  level: number; // from the root on
  x: number;
  width: number;
  tiny: boolean; // it may stand for neighbours
  caller: boolean; // of what is zoomed in on
}

export interface Layout {
  boxes: Box[];
  levels: number; // of the whole graph below what is zoomed in on, and above
}

/* Pixels. */
const LEAST = 0.4;
const TINY = 1.5;

export function layOut(tree: StackTree, zoom: number, width: number): Layout {
  const boxes: Box[] = [];
  const callers: number[] = [];
  for (let node = zoom; node; node = tree.parent[node]!) callers.push(node);
  callers.push(0); // the root, which has no caller
  callers.reverse().forEach((node, level) => boxes.push({ node, level, x: 0, width, tiny: false, caller: node !== zoom }));
  let levels = callers.length;
  const whole = tree.total[zoom]!;
  if (!(whole > 0)) return { boxes, levels };
  const scale = width / whole;
  const open = [zoom];
  const at = [0];
  const depth = [callers.length];
  while (open.length) {
    const node = open.pop()!;
    let x = at.pop()!;
    const level = depth.pop()!;
    let tinyUntil = -1;
    for (let i = tree.childStart[node]!; i < tree.childStart[node + 1]!; i++) {
      const child = tree.child[i]!;
      const wide = tree.total[child]! * scale;
      if (wide < LEAST) break; // the largest come first
      if (wide >= TINY || x >= tinyUntil) {
        boxes.push({ node: child, level, x, width: wide, tiny: wide < TINY, caller: false });
        tinyUntil = x + TINY;
      }
      if (level + 1 > levels) levels = level + 1;
      open.push(child);
      at.push(x);
      depth.push(level + 1);
      x += wide;
    }
  }
  return { boxes, levels };
}

/** The box at a point; undefined where there is none. */
export function boxAt(layout: Layout, x: number, level: number): Box | undefined {
  let found: Box | undefined;
  for (const box of layout.boxes)
    if (box.level === level && x >= box.x && x < box.x + Math.max(box.width, 1)) found = box;
  return found;
}
