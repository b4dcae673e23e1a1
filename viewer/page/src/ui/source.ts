/*
 * The source, annotated: beside every line what it has of what is looked at, and, of the line that
 * is chosen, the stacks that lead through it.
 */
import { PLACE_FIRST } from "../data";
import { heatColour, theme } from "../colour";
import { afterwards, h, isOther, replace, select } from "../dom";
import { amount, change, count, share } from "../format";
import { fileSource, hasModules, placeLine } from "../model";
import { column, isCount } from "../selection";
import type { Source } from "../sources";
import type { State } from "../state";
import { tokensOf } from "../syntax";
import type { View } from "../view";
import { Code, type Beside, type CodeLine } from "./code";

const STACKS_MOST = 30;
const FRAMES_MOST = 40;

/** What lines of a file have: by line number, by side. */
interface LineValues {
  own: Map<number, number>[];
  total: Map<number, number>[];
  most: number;
}

interface FoundStack {
  node: number;
  value: number;
}

/** The state in which a place's source is shown. */
export function sourceAt(view: View, place: number): Partial<State> {
  return { file: view.model.places.file[place]!, line: placeLine(view.model, place) };
}

export class SourceView {
  readonly element: HTMLElement;
  private readonly files;
  private readonly path = h("span", { class: "path" });
  private readonly code: Code;
  private readonly stacks = h("div", { class: "stacks" });
  private readonly later = afterwards(() => this.draw());
  private readonly laterStacks = afterwards(() => this.drawStacks());
  private values: LineValues = { own: [], total: [], most: 0 };
  private file = -1;
  private codeFor: unknown[] = [];
  private stacksFor: unknown[] = [];
  private isSeen = false;

  constructor(private readonly view: View) {
    this.files = select<string>("File", (file) => view.store.set({ file: Number(file), line: 0 }, true));
    this.code = new Code(
      (line) => this.beside(line),
      (line) => this.chooseLine(line),
    );
    this.element = h(
      "section",
      { class: "panel source-panel", "aria-label": "Source", id: "source" },
      h("div", { class: "panel-head" }, h("h2", { text: "Source" }), this.files.element, this.path),
      h("div", { class: "source-body" }, this.code.element, this.stacks),
    );
    for (const source of view.model.sources) void source.then(() => this.update());
    new IntersectionObserver((entries) => this.seen(entries), { rootMargin: "200px" }).observe(this.element);
  }

  private seen(entries: IntersectionObserverEntry[]): void {
    this.isSeen = entries[entries.length - 1]!.isIntersecting;
    this.update();
  }

  /** Not before the rest of the page is drawn, and only where it can be seen. */
  update(): void {
    if (this.isSeen) this.later();
  }

  /* --- which file --- */

  /** The side whose file is shown: the last one that has it. */
  private sideOf(file: number): number {
    const sides = this.view.model.fileOfSide;
    for (let side = sides.length - 1; side > 0; side--) if (sides[side]![file]! >= 0) return side;
    return 0;
  }

  private sourceOf(file: number): Source | undefined {
    return fileSource(this.view.model, this.sideOf(file), file);
  }

  /** By file: the most that one of its lines has with what it called. */
  private mostOfLines(): Float64Array {
    const { model } = this.view;
    const most = new Float64Array(model.files.length);
    const { place } = this.view.sourceKeys();
    for (const { total } of this.view.sourceSums())
      for (let key = PLACE_FIRST; key < total.length; key++) {
        const file = model.places.file[place[key]!]!;
        most[file] = Math.max(most[file]!, total[key]!);
      }
    return most;
  }

  /** Files by what their lines have, the largest first. With native code lines of Python have hardly
   * anything for themselves: then by what they have with what they called. */
  private fileOrder(): number[] {
    const { model } = this.view;
    const order = (sums: Float64Array) => Array.from(sums, (_, i) => i).sort((a, b) => sums[b]! - sums[a]! || a - b);
    if (hasModules(model)) return order(this.mostOfLines());
    const sums = new Float64Array(model.files.length);
    const values = column(this.view.values(), this.view.what);
    const wanted = this.view.wanted();
    for (let row = 0; row < model.node.length; row++) {
      const place = model.place[model.node[row]!]!;
      if (wanted[row] && place >= PLACE_FIRST) sums[model.places.file[place]!]! += values[row]!;
    }
    return order(sums);
  }

  /** What was asked for, else the one that has most of those whose text is there. */
  private chooseFile(order: number[]): number {
    const { file } = this.view.state;
    if (file >= 0 && file < this.view.model.files.length) return file;
    return order.find((one) => this.sourceOf(one)) ?? order[0] ?? -1;
  }

  private chooseLine(line: number): void {
    const { store, state } = this.view;
    const isSame = state.line === line && state.file === this.file;
    store.set({ file: this.file, line: isSame ? 0 : line }, true);
  }

  private draw(): void {
    const { view } = this;
    const { model, state } = view;
    const order = this.fileOrder();
    const isOtherFile = this.file !== (this.file = this.chooseFile(order));
    this.element.hidden = this.file < 0;
    if (this.file < 0) return;
    const now = [view.values(), view.wanted(), view.what, this.file, ...model.readySources];
    const line = state.file === this.file ? state.line : 0;
    if (isOther(now, this.codeFor)) {
      this.codeFor = now;
      this.files.show(order.map((one) => ({ value: String(one), text: view.fileName(one) })), String(this.file));
      this.path.textContent = view.filePath(this.file);
      this.values = this.lineValues();
      this.showCode();
      if (isOtherFile && !line) this.code.scrollTo(this.largestLine());
    }
    this.code.mark(line);
    const stacks = [...now, line];
    if (!isOther(stacks, this.stacksFor)) return;
    if (line && (isOtherFile || line !== this.stacksFor.at(-1))) this.code.scrollTo(line);
    this.stacksFor = stacks;
    this.laterStacks();
  }

  /* --- numbers --- */

  private lineValues(): LineValues {
    const { model } = this.view;
    const { ofPlace } = this.view.sourceKeys();
    const sums = this.view.sourceSums();
    const result: LineValues = { own: sums.map(() => new Map()), total: sums.map(() => new Map()), most: 0 };
    for (let place = PLACE_FIRST; place < model.places.count; place++) {
      if (model.places.file[place] !== this.file) continue;
      const line = placeLine(model, place);
      const key = ofPlace[place]!;
      sums.forEach(({ own, total }, side) => {
        result.own[side]!.set(line, own[key]!);
        result.total[side]!.set(line, total[key]!);
        result.most = Math.max(result.most, own[key]!);
      });
    }
    return result;
  }

  /** The line that has most, as files do. */
  private largestLine(): number {
    const largestOf = (sides: Map<number, number>[]) => {
      const lines = sides.flatMap((side) => [...side]);
      return lines.reduce((most, one) => (one[1] > most[1] ? one : most), [0, 0] as [number, number])[0];
    };
    return largestOf(hasModules(this.view.model) ? this.values.total : this.values.own);
  }

  private beside(line: number): Beside {
    const { values, view } = this;
    const counts = isCount(view.what);
    const text = (value: number) => (value ? amount(value, counts) : "");
    const own = values.own.map((one) => one.get(line) ?? 0);
    const total = values.total.map((one) => one.get(line) ?? 0);
    const last = own.length - 1;
    const shown = view.isCompared ? own[1]! - own[0]! : own[0]!;
    const part = values.most ? Math.abs(shown) / values.most : 0;
    return {
      own: view.isCompared ? (shown ? change(shown, counts) : "") : text(shown),
      total: text(view.isCompared ? own[last]! : total[last]!),
      colour: part > 0 ? heatColour(part, theme().isDark) : "",
    };
  }

  /* --- code --- */

  private showCode(): void {
    const { view } = this;
    const source = this.sourceOf(this.file);
    const head = h(
      "div",
      { class: "code-line code-head", "aria-hidden": "true" },
      h("span", { class: "line-number", text: "line" }),
      h("span", { class: "line-value", text: view.isCompared ? "change" : "own" }),
      h("span", { class: "line-value faint", text: view.isCompared ? "after" : "with callees" }),
      h("span", { class: "line-text", text: view.title() }),
    );
    this.code.show(head, source ? codeLines(source) : this.linesWithoutText());
  }

  private linesWithoutText(): CodeLine[] {
    const lines = new Set(this.values.total.flatMap((total) => [...total.keys()]));
    const numbers = [...lines].sort((a, b) => a - b);
    return [remark("Neither the recording nor this page has the text of this file."), ...numbers.map((number) => ({ number, tokens: [] }))];
  }

  /* --- stacks --- */

  /** The stacks in which the line stands, the largest first. */
  private findStacks(line: number): { stacks: FoundStack[]; sum: number } {
    const { view } = this;
    const { model } = view;
    const values = column(view.values(), view.what);
    const wanted = view.wantedSides()[model.runs.length - 1]!;
    const isIn = new Uint8Array(model.parent.length);
    for (let node = 1; node < isIn.length; node++) {
      const place = model.place[node]!;
      const is = place >= PLACE_FIRST && model.places.file[place] === this.file && placeLine(model, place) === line;
      isIn[node] = is || isIn[model.parent[node]!] ? 1 : 0;
    }
    const byNode = new Map<number, number>();
    let sum = 0;
    for (let row = 0; row < model.node.length; row++) {
      const node = model.node[row]!;
      if (!wanted[row] || !isIn[node] || values[row]! <= 0) continue;
      byNode.set(node, (byNode.get(node) ?? 0) + values[row]!);
      sum += values[row]!;
    }
    const stacks = [...byNode].map(([node, value]) => ({ node, value })).sort((a, b) => b.value - a.value);
    return { stacks, sum };
  }

  private drawStacks(): void {
    const { view } = this;
    const line = view.state.file === this.file ? view.state.line : 0;
    if (line <= 0) {
      replace(this.stacks, h("p", { class: "hint", text: "Choose a line to see the stacks that lead through it." }));
      return;
    }
    const { stacks, sum } = this.findStacks(line);
    const counts = isCount(view.what);
    const title = stacks.length === 1 ? "1 stack" : `${count(stacks.length)} stacks`;
    replace(
      this.stacks,
      h("h3", { text: `${title} through line ${line}` }),
      h("p", { class: "muted", text: `${amount(sum, counts)} ${view.title()}${view.isCompared ? ", after" : ""}` }),
      h("ol", { class: "stack-list" }, ...stacks.slice(0, STACKS_MOST).map((stack) => this.stack(stack, sum))),
      stacks.length > STACKS_MOST && h("p", { class: "muted", text: `and ${count(stacks.length - STACKS_MOST)} smaller ones` }),
    );
  }

  private stack(stack: FoundStack, sum: number): HTMLElement {
    const { view } = this;
    const { model } = view;
    const frames: HTMLElement[] = [];
    for (let node = stack.node; node && frames.length < FRAMES_MOST; node = model.parent[node]!) {
      const place = model.place[node]!;
      frames.push(h("li", {}, h("span", { class: "strong", text: view.functionName(place) }), " ", h("span", { class: "where", text: view.position(place) })));
    }
    return h(
      "li",
      {},
      h(
        "details",
        { open: true },
        h("summary", {}, h("b", { text: amount(stack.value, isCount(view.what)) }), h("span", { class: "muted", text: ` ${share(stack.value, sum)}` })),
        h("ol", { class: "frames", "aria-label": "Innermost first" }, ...frames),
      ),
    );
  }
}

function remark(text: string): CodeLine {
  return { number: 0, tokens: [{ kind: "", text }] };
}

/** All lines that are there, and remarks where some are not. */
function codeLines(source: Source): CodeLine[] {
  const lines: CodeLine[] = [];
  let next = 1;
  const gap = (to: number) => {
    if (to > next) lines.push(remark(`${count(to - next)} lines are not on this page`));
  };
  for (const excerpt of source.excerpts) {
    gap(excerpt.first);
    tokensOf(excerpt.lines).forEach((tokens, i) => lines.push({ number: excerpt.first + i, tokens }));
    next = excerpt.first + excerpt.lines.length;
  }
  gap(source.lineCount + 1);
  return lines;
}
