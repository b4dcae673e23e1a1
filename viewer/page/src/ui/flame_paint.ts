/*
 * Painting boxes of the flame graph on a canvas. Only rows that are in sight are painted.
 */
import { changeColour, greyColour, heatColour, namedColour, packageColour, type Theme } from "../colour";
import { PLACE_FIRST, PLACE_FOLDED } from "../data";
import type { Box, Layout } from "../flame_layout";
import { baseName } from "../format";
import type { StackTree } from "../stacks";
import type { View } from "../view";

export const ROW = 19;
const PADDING = 4;
const LEAST_TEXT = 26;

export interface Painting {
  view: View;
  tree: StackTree;
  layout: Layout;
  width: number;
  height: number; // of what is in sight
  top: number; // of what is in sight, in the whole graph
  upward: boolean;
  hovered: number; // a node, -1: none
  focused: number;
  chosenPlace: (key: number) => boolean;
  theme: Theme;
}

/** The y of a level, in the whole graph. */
export function yOf(level: number, levels: number, upward: boolean): number {
  return (upward ? levels - 1 - level : level) * ROW;
}

function ownPart(tree: StackTree, node: number): number {
  return tree.total[node]! > 0 ? tree.own[node]! / tree.total[node]! : 0;
}

/** By how much of the larger side a frame has changed, -1 to 1. */
export function changePart(tree: StackTree, node: number): number {
  const before = tree.sides[0]!.total[node]!;
  const after = tree.sides[1]!.total[node]!;
  const most = Math.max(before, after);
  return most > 0 ? (after - before) / most : 0;
}

class Colours {
  private readonly known = new Map<string, string>();

  constructor(private readonly painting: Painting) {}

  private named(kind: string, name: string): string {
    const key = kind + name;
    let colour = this.known.get(key);
    if (colour === undefined) {
      const { isDark } = this.painting.theme;
      colour = kind === "package" ? packageColour(name, isDark) : namedColour(name, isDark);
      this.known.set(key, colour);
    }
    return colour;
  }

  of(node: number): string {
    const { tree, view, theme } = this.painting;
    const key = tree.key[node]!;
    if (node === 0) return greyColour(theme.isDark);
    if (tree.sides.length) return changeColour(changePart(tree, node), theme.isDark);
    if (view.isSplit(key)) return this.named("split", String(key));
    if (key === PLACE_FOLDED || key < PLACE_FIRST) return greyColour(theme.isDark);
    switch (view.state.colours) {
      case "own":
        return heatColour(ownPart(tree, node), theme.isDark);
      case "module":
        return view.moduleName(key) ? this.named("module", view.moduleName(key)) : packageColour("stdlib", theme.isDark);
      case "file":
        return this.named("file", String(view.model.places.file[key]!) + view.fileName(view.model.places.file[key]!));
      default:
        return this.named("package", view.packageOf(key));
    }
  }
}

/** As much of a text as fits. */
function fit(context: CanvasRenderingContext2D, text: string, room: number): string {
  const guess = Math.ceil(room / 4);
  let shown = text.length > guess ? text.slice(0, guess) : text;
  let width = context.measureText(shown).width;
  if (width <= room && shown.length === text.length) return shown;
  while (shown && width > room) {
    const less = Math.max(1, Math.floor(shown.length * (1 - room / width)));
    shown = shown.slice(0, -less);
    width = context.measureText(shown + "…").width;
  }
  return shown.length > 1 ? shown + "…" : "";
}

function boxText(painting: Painting, box: Box): string {
  const { view, tree } = painting;
  if (box.node === 0) return "all stacks";
  const key = tree.key[box.node]!;
  const name = view.frameName(key);
  if (view.isSplit(key) || key < PLACE_FIRST || view.state.functions) return name;
  const position = view.position(key);
  return `${name}  ${baseName(position)}`;
}

function paintBox(context: CanvasRenderingContext2D, painting: Painting, colours: Colours, box: Box, y: number): void {
  const { view, tree, theme } = painting;
  const key = tree.key[box.node]!;
  const isFound = view.state.search !== "" && box.node !== 0 && view.foundKeys()[key];
  context.globalAlpha = box.caller ? 0.55 : view.state.search && !isFound ? 0.38 : 1;
  context.fillStyle = box.tiny ? greyColour(theme.isDark) : isFound ? theme.found : colours.of(box.node);
  const width = Math.max(box.width - (box.width > 3 ? 1 : 0), 0.5);
  context.fillRect(box.x, y, width, ROW - 1);
  context.globalAlpha = box.caller ? 0.8 : view.state.search && !isFound ? 0.6 : 1;
  if (box.width > LEAST_TEXT) {
    context.fillStyle = theme.text;
    const text = fit(context, boxText(painting, box), box.width - 2 * PADDING);
    if (text) context.fillText(text, box.x + PADDING, y + ROW - 6);
  }
  context.globalAlpha = 1;
  const isChosen = key >= PLACE_FIRST && box.node !== 0 && painting.chosenPlace(key);
  if (isChosen) outline(context, theme.chosen, box, y, 2);
  if (box.node === painting.hovered || box.node === painting.focused) outline(context, theme.text, box, y, 1);
}

function outline(context: CanvasRenderingContext2D, colour: string, box: Box, y: number, width: number): void {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.strokeRect(box.x + width / 2, y + width / 2, Math.max(box.width - 1 - width, 1), ROW - 1 - width);
}

export function paint(canvas: HTMLCanvasElement, painting: Painting): void {
  const ratio = devicePixelRatio || 1;
  const { width, height, layout, top } = painting;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d")!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = `12px ${getComputedStyle(canvas).fontFamily}`;
  const colours = new Colours(painting);
  for (const box of layout.boxes) {
    const y = yOf(box.level, layout.levels, painting.upward) - top;
    if (y > -ROW && y < height) paintBox(context, painting, colours, box, y);
  }
}
