/*
 * The flame graph: a canvas that is looked at, pointed at and walked through.
 *
 * A click zooms in on a frame, and the browser's back button out again. With the keyboard one frame
 * has the focus: arrows move it, Enter zooms, Escape zooms out; what it is, is said.
 */
import { theme } from "../colour";
import { PLACE_FIRST } from "../data";
import { choice, eachFrame, h, isOther, replace, say, select, tick, type Choice } from "../dom";
import { amount, share } from "../format";
import { boxAt, layOut, type Box, type Layout } from "../flame_layout";
import { hasModules } from "../model";
import { isCount } from "../selection";
import { findPath, pathOf, type StackTree } from "../stacks";
import { COLOURS, SPLITS, type Compared } from "../state";
import type { View } from "../view";
import { frameFacts, frameSentence } from "./frame_facts";
import { paint, ROW, yOf } from "./flame_paint";
import { sourceAt } from "./source";
import { hideTooltip, showTooltip } from "./tooltip";

/* What of a long path is shown at its two ends. */
const CRUMBS_FIRST = 1;
const CRUMBS_LAST = 3;

const SPLIT_NAMES = { none: "no split", process: "by process", thread: "by thread", allocator: "by allocator" };
const COLOUR_NAMES = { package: "package colours", module: "module colours", file: "file colours", own: "own share" };

export class Flame {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", { class: "flame-canvas", "aria-hidden": "true" });
  private readonly spacer = h("div", { class: "flame-spacer" });
  private readonly scroller: HTMLElement;
  private readonly crumbs = h("nav", { class: "crumbs", "aria-label": "Zoomed in on" });
  private readonly title = h("h2", { text: "Flame graph" });
  private readonly empty = h("p", { class: "empty" });
  private readonly compared: Choice<Compared>;
  private readonly split;
  private readonly colours;
  private readonly ticks: (() => void)[] = [];
  private readonly repaint = eachFrame(() => this.paint());
  private tree: StackTree | undefined;
  private layout: Layout = { boxes: [], levels: 1 };
  private zoom = 0;
  private hovered = -1;
  private focused = -1;
  private drawnFor: unknown[] = [];
  /* What was measured: to measure while the page changes makes it be laid out more than once. */
  private width = 0;
  private height = 0;
  private top = 0;

  constructor(private readonly view: View) {
    const { store } = view;
    this.scroller = h(
      "div",
      {
        class: "flame-scroller",
        tabindex: "0",
        role: "application",
        "aria-roledescription": "flame graph",
        "aria-label": "Flame graph. Arrows move between frames, Enter zooms in, Escape zooms out.",
        on: {
          scroll: () => {
            this.top = this.scroller.scrollTop;
            this.repaint();
          },
          mousemove: (event) => this.point(event),
          mouseleave: () => this.leave(),
          click: (event) => this.click(event),
          dblclick: (event) => event.preventDefault(),
          keydown: (event) => this.key(event),
          focus: () => this.takeFocus(),
          blur: () => this.setFocus(-1, false),
        },
      },
      this.canvas,
      this.spacer,
    );
    this.compared = choice<Compared>(
      "What widths say",
      [
        { value: "after", text: "after" },
        { value: "before", text: "before" },
        { value: "grown", text: "grown" },
        { value: "shrunk", text: "shrunk" },
      ],
      (compared) => store.set({ compared }),
    );
    this.split = select<(typeof SPLITS)[number]>("Split stacks", (split) => store.set({ split, zoom: "" }));
    this.colours = select<(typeof COLOURS)[number]>("Colours", (colours) => store.set({ colours }));
    this.element = h(
      "section",
      { class: "panel flame", "aria-label": "Flame graph" },
      h("div", { class: "panel-head" }, this.title, this.crumbs, this.split.element, this.colours.element, this.widen()),
      this.options(),
      this.scroller,
      this.empty,
    );
    new ResizeObserver(() => this.resize()).observe(this.scroller);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.repaint());
    new MutationObserver(() => this.repaint()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  private widen(): HTMLElement {
    const button = h("button", {
      type: "button",
      class: "quiet",
      text: "⤢",
      title: "The whole width",
      "aria-label": "Flame graph in the whole width",
      on: { click: () => this.view.store.set({ wide: this.view.state.wide === "flame" ? "" : "flame" }) },
    });
    this.ticks.push(() => button.setAttribute("aria-pressed", String(this.view.state.wide === "flame")));
    return button;
  }

  private option(text: string, title: string, name: "inverted" | "functions" | "recursion" | "imports" | "upward"): HTMLElement {
    const box = tick(text, title, (on) =>
      this.view.store.set(name === "upward" ? { [name]: on } : { [name]: on, zoom: "" }),
    );
    this.ticks.push(() => box.show(this.view.state[name]));
    return box.element;
  }

  private options(): HTMLElement {
    return h(
      "div",
      { class: "options" },
      this.view.isCompared && this.compared.element,
      this.option("inverted", "Innermost frames first, their callers below", "inverted"),
      this.option("by function", "Lines of a function are one frame", "functions"),
      this.option("merge recursion", "A call of what is on the stack already is part of the outer call", "recursion"),
      this.option("hide imports", "Without the frames of the import system", "imports"),
      this.option("upward", "Callers at the bottom, as flames", "upward"),
    );
  }

  /* --- what is shown --- */

  private resize(): void {
    this.width = this.scroller.clientWidth;
    this.height = this.scroller.clientHeight;
    this.top = this.scroller.scrollTop;
    this.update();
  }

  update(): void {
    const { view, width } = this;
    const { state } = view;
    const tree = view.tree();
    this.ticks.forEach((show) => show());
    this.compared.show(state.compared);
    this.split.show(this.splits(), state.split);
    const colours = COLOURS.filter((value) => value !== "module" || hasModules(view.model));
    this.colours.show(colours.map((value) => ({ value, text: COLOUR_NAMES[value] })), state.colours);
    this.colours.element.hidden = view.isCompared;
    const now = [tree, state.zoom, width, state.upward];
    if (isOther(now, this.drawnFor)) {
      this.drawnFor = now;
      this.lay(tree, width);
    }
    this.repaint();
  }

  private splits(): { value: (typeof SPLITS)[number]; text: string }[] {
    const { model } = this.view;
    const has = { none: true, process: model.processes.length > 1, thread: model.threads.length > 1, allocator: true };
    return SPLITS.filter((value) => has[value]).map((value) => ({ value, text: SPLIT_NAMES[value] }));
  }

  private lay(tree: StackTree, width: number): void {
    const { state } = this.view;
    const before = this.zoom;
    if (tree !== this.tree) this.focused = this.hovered = -1;
    this.tree = tree;
    const path = state.zoom ? state.zoom.split(".").map(Number) : [];
    this.zoom = Math.max(0, findPath(tree, path));
    this.layout = layOut(tree, this.zoom, width);
    this.spacer.style.height = `${this.layout.levels * ROW}px`;
    const isEmpty = !(tree.total[0]! > 0);
    this.empty.hidden = !isEmpty;
    this.empty.textContent = `Nothing was ${this.view.title()}.`;
    this.scroller.hidden = isEmpty;
    this.showCrumbs(tree);
    if (state.upward) this.scrollTo(this.layout.levels * ROW - this.height);
    else if (before !== this.zoom) this.scrollTo(0);
  }

  private scrollTo(top: number): void {
    if (this.top !== top) this.scroller.scrollTop = this.top = Math.max(0, top);
  }

  private showCrumbs(tree: StackTree): void {
    const path: number[] = [];
    for (let node = this.zoom; node; node = tree.parent[node]!) path.unshift(node);
    const crumb = (node: number) =>
      h("button", {
        type: "button",
        class: "crumb",
        text: node ? this.view.frameName(tree.key[node]!) : "all stacks",
        "aria-current": node === this.zoom ? "true" : undefined,
        on: { click: () => this.zoomTo(node) },
      });
    const hidden = path.length - CRUMBS_FIRST - CRUMBS_LAST;
    const shown = hidden > 0 ? [...path.slice(0, CRUMBS_FIRST), -1, ...path.slice(-CRUMBS_LAST)] : path;
    const counts = isCount(this.view.what);
    replace(
      this.crumbs,
      crumb(0),
      ...shown.flatMap((node) => [
        h("span", { class: "muted", text: "›", "aria-hidden": "true" }),
        node < 0 ? h("span", { class: "muted", text: `${hidden} more` }) : crumb(node),
      ]),
      h("span", {
        class: "crumb-sum",
        text: `${amount(tree.total[this.zoom]!, counts)}${this.zoom ? `, ${share(tree.total[this.zoom]!, tree.total[0]!)}` : ""}`,
      }),
    );
  }

  private paint(): void {
    const { tree, view, layout, width, height, top } = this;
    if (!tree || !width || this.scroller.hidden) return;
    const places = view.chosenPlaces();
    paint(this.canvas, {
      view,
      tree,
      layout,
      width,
      height,
      top,
      upward: view.state.upward,
      hovered: this.hovered,
      focused: this.focused,
      chosenPlace: (key) => places[key] === 1,
      theme: theme(),
    });
  }

  /* --- the pointer --- */

  private at(event: MouseEvent): Box | undefined {
    const area = this.scroller.getBoundingClientRect();
    const row = Math.floor((event.clientY - area.top + this.scroller.scrollTop) / ROW);
    const level = this.view.state.upward ? this.layout.levels - 1 - row : row;
    return boxAt(this.layout, event.clientX - area.left, level);
  }

  private point(event: MouseEvent): void {
    const box = this.at(event);
    const node = box ? box.node : -1;
    if (node !== this.hovered) {
      this.hovered = node;
      this.repaint();
    }
    if (node < 0) hideTooltip();
    else showTooltip(frameFacts(this.view, this.tree!, node), event.clientX, event.clientY);
  }

  private leave(): void {
    this.hovered = -1;
    hideTooltip();
    this.repaint();
  }

  private click(event: MouseEvent): void {
    const box = this.at(event);
    if (!box) return;
    hideTooltip();
    this.zoomTo(box.node);
    this.setFocus(box.node, false);
  }

  private zoomTo(node: number): void {
    const { tree, view } = this;
    const key = tree!.key[node]!;
    const hasSource = node !== 0 && !view.isSplit(key) && key >= PLACE_FIRST;
    view.store.set({ zoom: pathOf(tree!, node).join("."), ...(hasSource ? sourceAt(view, key) : {}) }, true);
  }

  /* --- the keyboard --- */

  private takeFocus(): void {
    if (this.focused < 0 && this.tree && this.scroller.matches(":focus-visible")) this.setFocus(this.zoom, true);
  }

  private setFocus(node: number, isSaid: boolean): void {
    this.focused = node;
    if (node >= 0 && isSaid && this.tree) {
      say(frameSentence(this.view, this.tree, node));
      this.reveal(node);
    }
    this.repaint();
  }

  private reveal(node: number): void {
    const box = this.layout.boxes.find((one) => one.node === node);
    if (!box) return;
    const y = yOf(box.level, this.layout.levels, this.view.state.upward);
    if (y < this.top) this.scrollTo(y);
    else if (y + ROW > this.top + this.height) this.scrollTo(y + ROW - this.height);
  }

  /** The sibling before (-1) or behind (1). */
  private sibling(node: number, step: number): number {
    const tree = this.tree!;
    if (node === 0) return 0;
    const parent = tree.parent[node]!;
    const from = tree.childStart[parent]!;
    const to = tree.childStart[parent + 1]!;
    const at = tree.child.subarray(from, to).indexOf(node) + step;
    return at < 0 || at >= to - from ? node : tree.child[from + at]!;
  }

  private firstChild(node: number): number {
    const tree = this.tree!;
    const from = tree.childStart[node]!;
    return from < tree.childStart[node + 1]! ? tree.child[from]! : node;
  }

  private key(event: KeyboardEvent): void {
    if (!this.tree || event.ctrlKey || event.metaKey || event.altKey) return;
    const node = this.focused < 0 ? this.zoom : this.focused;
    const down = this.view.state.upward ? "ArrowUp" : "ArrowDown";
    const up = this.view.state.upward ? "ArrowDown" : "ArrowUp";
    switch (event.key) {
      case down:
        this.setFocus(this.firstChild(node), true);
        break;
      case up:
        this.setFocus(this.tree.parent[node]!, true);
        break;
      case "ArrowLeft":
        this.setFocus(this.sibling(node, -1), true);
        break;
      case "ArrowRight":
        this.setFocus(this.sibling(node, 1), true);
        break;
      case "Home":
        this.setFocus(0, true);
        break;
      case "Enter":
      case " ":
        this.zoomTo(node);
        break;
      case "Escape":
      case "Backspace":
        this.zoomTo(this.tree.parent[this.zoom]!);
        break;
      default:
        return;
    }
    event.preventDefault();
  }
}
