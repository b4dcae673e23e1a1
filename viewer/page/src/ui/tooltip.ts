/*
 * A box beside the pointer that says more about what is under it. It never takes the pointer, and
 * stays inside of the window.
 */
import { h, replace } from "../dom";

const GAP = 14;
const MARGIN = 8;

const box = h("div", { class: "tooltip", hidden: true, "aria-hidden": "true" });

export function showTooltip(content: Node[], x: number, y: number): void {
  if (!box.isConnected) document.body.append(box);
  replace(box, ...content);
  box.hidden = false;
  const { width, height } = box.getBoundingClientRect();
  const right = x + GAP + width + MARGIN <= innerWidth;
  const left = right ? x + GAP : Math.max(MARGIN, x - GAP - width);
  const below = y + GAP + height + MARGIN <= innerHeight;
  const top = below ? y + GAP : Math.max(MARGIN, y - GAP - height);
  box.style.left = `${left}px`;
  box.style.top = `${top}px`;
}

export function hideTooltip(): void {
  box.hidden = true;
}

addEventListener("scroll", hideTooltip, { passive: true, capture: true });
