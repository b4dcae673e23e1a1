/*
 * Memory over time, and choosing from it: a click chooses a moment, dragging a span.
 *
 * What can be chosen are edges (schema/page_format.h). Two handles stand at what is chosen, one at a
 * moment; they are moved with the pointer or the arrow keys, and say where they are.
 */
import uPlot from "uplot";
import { draw, hasOwnCurve, type Drawing } from "../curves";
import { oklch, theme, type Theme } from "../colour";
import { choice, eachFrame, h, isOther, replace, say } from "../dom";
import { seconds, size } from "../format";
import { choosable, knowsDeaths, nearest } from "../selection";
import { hasSpan, type Curves } from "../state";
import type { View } from "../view";

const HEIGHT = 176;
const PHONE_HEIGHT = 160;
const LAYER_HUES: Record<string, number> = { object: 65, mem: 95, raw: 150, malloc: 250, mmap: 300 };
const PROCESS_HUES = [65, 250, 150, 320, 20, 195, 290, 115];

/* Pixels that a pointer may move in a click. */
const CLICK_MOST = 4;

/* Two marks that are fewer pixels apart would have one text over the other. */
const LABEL_ROOM = 150;

function layerColour(name: string, index: number, isDark: boolean): string {
  const hue = LAYER_HUES[name] ?? PROCESS_HUES[index % PROCESS_HUES.length]!;
  const strength = name in LAYER_HUES ? 0.09 : 0.08 - 0.02 * Math.floor(index / PROCESS_HUES.length);
  return oklch(isDark ? 0.5 : 0.82, Math.max(0.02, strength), hue);
}

/* --- axes --- */

function niceStep(most: number, steps: number): number {
  const unit = 1024 ** Math.max(0, Math.floor(Math.log(Math.max(most, 1)) / Math.log(1024)));
  for (const scale of [unit / 1024, unit])
    for (const step of [1, 2, 5, 10, 20, 50, 100, 200, 500]) if ((most / (step * scale)) <= steps) return Math.max(1, step * scale);
  return unit * 1000;
}

function byteSplits(most: number): number[] {
  const step = niceStep(most, 4);
  const splits: number[] = [];
  for (let value = 0; value <= most; value += step) splits.push(value);
  return splits;
}

/** A round number in the largest unit that it fills. */
function byteText(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; value >= 1024 && unit + 1 < units.length; unit++) value /= 1024;
  return value === 0 ? "0" : `${Number(value.toFixed(1))} ${units[unit]}`;
}

function timeText(value: number, step: number): string {
  if (value >= 120) {
    const minutes = Math.floor(value / 60);
    const rest = Math.round(value % 60);
    return rest ? `${minutes}:${String(rest).padStart(2, "0")}` : `${minutes} min`;
  }
  const digits = step >= 1 ? 0 : Math.min(4, Math.ceil(-Math.log10(step)));
  return `${value.toFixed(digits)} s`;
}

/* --- the chart --- */

export class Timeline {
  readonly element: HTMLElement;
  private readonly host = h("div", { class: "chart" });
  private readonly legend = h("div", { class: "legend" });
  private readonly chosen = h("span", { class: "chosen-text" });
  private readonly shade = h("div", { class: "shade", hidden: true });
  private readonly handles: HTMLElement[];
  private readonly kind;
  private readonly whole;
  private readonly place = eachFrame(() => this.placeHandles());
  private plot: uPlot | undefined;
  private width = 0;
  private drawings: Drawing[] = [];
  private drawnFor: unknown[] = [];
  private dragged: { from: number; to: number; x: number } | undefined;

  constructor(private readonly view: View) {
    this.handles = [this.handle(0), this.handle(1)];
    this.kind = choice<Curves>(
      "What the heap is made of",
      [
        { value: "allocator", text: "by allocator" },
        { value: "process", text: "by process" },
      ],
      (curves) => view.store.set({ curves }),
    );
    this.whole = h("button", {
      type: "button",
      class: "quiet",
      text: "Clear",
      title: "Back to the peak",
      on: { click: () => view.store.set({ at: "peak", from: NaN, to: NaN }, true) },
    });
    this.element = h(
      "section",
      { class: "panel timeline", "aria-label": "Memory over time" },
      h("div", { class: "panel-head" }, h("h2", { text: "Memory over time" }), this.chosen, this.whole, h("span", { class: "grow" }), this.kind.element),
      this.host,
      this.legend,
    );
    new ResizeObserver(() => {
      this.width = this.host.clientWidth;
      this.update();
    }).observe(this.host);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    new MutationObserver(() => this.redraw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  private redraw(): void {
    this.drawnFor = [];
    this.update();
  }

  /* --- what can be chosen --- */

  private get length(): number {
    return Math.max(...this.view.model.runs.map((run) => run.run.length), 1e-6);
  }

  private times(isSpan: boolean): Float64Array {
    return choosable(this.view.model, isSpan);
  }

  private snap(time: number, isSpan: boolean): number {
    const times = this.times(isSpan);
    return times[nearest(times, time)]!;
  }

  private chooseMoment(time: number): void {
    const { store } = this.view;
    const what = store.state.what.startsWith("freed") ? { what: "bytes" as const } : {};
    const held = store.state.what === "blocks" ? {} : { what: "bytes" as const };
    store.set({ at: this.snap(time, false), from: NaN, to: NaN, ...what, ...held }, true);
    say(`Shown: ${this.view.momentText()}`);
  }

  private chooseSpan(from: number, to: number): void {
    const first = this.snap(Math.min(from, to), true);
    const last = this.snap(Math.max(from, to), true);
    if (first === last) return this.chooseMoment(first);
    this.view.store.set({ from: first, to: last }, true);
    say(`Shown: ${this.view.momentText()}`);
  }

  /** The time of what is shown, when it is a moment. */
  private momentTime(): number {
    const { state, model } = this.view;
    const run = model.runs[model.runs.length - 1]!;
    const process = model.processes[state.process]?.facts;
    switch (state.at) {
      case "peak":
        return process?.peak_time ?? run.totals.peak_time ?? NaN;
      case "end":
        return process?.end_time ?? Math.max(...run.processes.map((one) => one.end_time ?? NaN));
      case "exit":
        return run.run.length;
      default:
        return state.at;
    }
  }

  /* --- handles --- */

  private handle(number: number): HTMLElement {
    const element = h("div", {
      class: "handle",
      tabindex: "0",
      role: "slider",
      "aria-orientation": "horizontal",
      on: {
        keydown: (event) => this.moveByKey(event, number),
        pointerdown: (event) => this.grab(event, number),
      },
    });
    return element;
  }

  private positions(): number[] {
    const { state } = this.view;
    if (this.dragged) return [this.dragged.from, this.dragged.to].sort((a, b) => a - b);
    return hasSpan(state) ? [state.from, state.to] : [this.momentTime()];
  }

  private placeHandles(): void {
    const { plot } = this;
    if (!plot) return;
    const positions = this.positions();
    const isSpan = positions.length > 1;
    const pixels = positions.map((time) => plot.valToPos(Math.min(time, this.length), "x"));
    this.handles.forEach((handle, i) => {
      const time = positions[i];
      handle.hidden = time === undefined || Number.isNaN(time);
      if (time === undefined || handle.hidden) return;
      handle.style.left = `${pixels[i]}px`;
      handle.setAttribute("aria-label", isSpan ? (i ? "End of the span" : "Start of the span") : "Moment that is shown");
      handle.setAttribute("aria-valuemin", "0");
      handle.setAttribute("aria-valuemax", this.length.toFixed(3));
      handle.setAttribute("aria-valuenow", time.toFixed(3));
      handle.setAttribute("aria-valuetext", seconds(time));
    });
    this.shade.hidden = !isSpan;
    if (!isSpan) return;
    this.shade.style.left = `${pixels[0]}px`;
    this.shade.style.width = `${pixels[1]! - pixels[0]!}px`;
  }

  private moveByKey(event: KeyboardEvent, number: number): void {
    const positions = this.positions();
    const isSpan = positions.length > 1 || event.shiftKey;
    const times = this.times(isSpan);
    const now = nearest(times, positions[number]!);
    const page = Math.max(1, Math.round(times.length / 10));
    const steps: Record<string, number> = {
      ArrowLeft: now - 1,
      ArrowDown: now - 1,
      ArrowRight: now + 1,
      ArrowUp: now + 1,
      PageDown: now - page,
      PageUp: now + page,
      Home: 0,
      End: times.length - 1,
    };
    const to = steps[event.key];
    if (event.key === "Escape") this.view.store.set({ at: "peak", from: NaN, to: NaN }, true);
    else if (to === undefined) return;
    else {
      const time = times[Math.min(times.length - 1, Math.max(0, to))]!;
      if (positions.length > 1) this.moveEnd(number, time);
      else if (event.shiftKey) this.chooseSpan(positions[0]!, time);
      else this.chooseMoment(time);
    }
    event.preventDefault();
  }

  private moveEnd(number: number, time: number): void {
    const { from, to } = this.view.state;
    this.chooseSpan(number ? from : time, number ? time : to);
  }

  /** Takes one end of a span, or the moment, along. */
  private grab(event: PointerEvent, number: number): void {
    event.preventDefault();
    event.stopPropagation();
    const positions = this.positions();
    const isSpan = positions.length > 1;
    const fixed = isSpan ? positions[1 - number]! : NaN;
    this.follow(event, (time, isOver) => {
      if (isSpan && !isOver) this.dragged = { from: fixed, to: time, x: 0 };
      else if (isSpan) this.chooseSpan(fixed, time);
      else if (isOver) this.chooseMoment(time);
      else if (this.plot) this.handles[0]!.style.left = `${this.plot.valToPos(time, "x")}px`;
      if (isSpan) this.placeHandles();
    });
  }

  /* --- the pointer --- */

  private timeAt(clientX: number): number {
    const { plot } = this;
    const area = plot!.over.getBoundingClientRect();
    const x = Math.min(area.width, Math.max(0, clientX - area.left));
    return Math.min(this.length, Math.max(0, plot!.posToVal(x, "x")));
  }

  /** Follows a pointer until it is let go. */
  private follow(event: PointerEvent, move: (time: number, isOver: boolean) => void): void {
    const target = event.currentTarget as HTMLElement;
    target.setPointerCapture(event.pointerId);
    const moved = (one: PointerEvent) => move(this.timeAt(one.clientX), false);
    const over = (one: PointerEvent) => {
      target.removeEventListener("pointermove", moved);
      target.removeEventListener("pointerup", over);
      target.removeEventListener("pointercancel", over);
      this.dragged = undefined;
      if (one.type === "pointerup") move(this.timeAt(one.clientX), true);
      this.dragged = undefined;
      this.placeHandles();
    };
    target.addEventListener("pointermove", moved);
    target.addEventListener("pointerup", over);
    target.addEventListener("pointercancel", over);
  }

  private press(event: PointerEvent): void {
    if (event.button !== 0) return;
    const first = this.timeAt(event.clientX);
    let isDrag = false;
    const x = event.clientX;
    const seen = (one: PointerEvent) => (isDrag ||= Math.abs(one.clientX - x) > CLICK_MOST);
    const target = event.currentTarget as HTMLElement;
    target.addEventListener("pointermove", seen);
    this.follow(event, (time, isOver) => {
      if (isOver) target.removeEventListener("pointermove", seen);
      if (isOver && isDrag) this.chooseSpan(first, time);
      else if (isOver) this.chooseMoment(time);
      else if (isDrag) {
        this.dragged = { from: first, to: time, x };
        this.placeHandles();
      }
    });
  }

  /* --- drawing --- */

  update(): void {
    const { view, width } = this;
    const { state, model } = view;
    this.kind.element.hidden = model.runs[0]!.curves.length < 2 || view.isCompared;
    this.kind.show(state.curves);
    this.showChosen();
    const now = [width, state.process, state.curves, state.resident];
    if (width && isOther(now, this.drawnFor)) {
      this.drawnFor = now;
      this.drawings = model.runs.map((_, side) => draw(model, side, state, (number) => view.processName(number)));
      this.makePlot(width);
      this.showLegend(-1);
    }
    this.place();
  }

  private showChosen(): void {
    const { state, model } = this.view;
    const isTime = hasSpan(state) || typeof state.at === "number";
    this.whole.hidden = !isTime;
    const edges = this.times(hasSpan(state));
    const net = hasSpan(state) && !knowsDeaths(model) ? "; without history only net changes are known" : "";
    this.chosen.textContent = isTime
      ? `shown: ${this.view.momentText()} (one of ${edges.length} exact moments${net})`
      : "click for a moment, drag for a span";
  }

  private makePlot(width: number): void {
    this.plot?.destroy();
    const colours = theme();
    const isCompared = this.view.isCompared;
    const { data, series } = isCompared ? this.comparedSeries(colours) : this.layerSeries(colours);
    const most = Math.max(1, ...data.slice(1).map((values) => values.reduce((a, b) => Math.max(a, b || 0), 0)));
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: colours.muted, font, ticks: { show: false }, grid: { stroke: colours.line, width: 1 } };
    this.plot = new uPlot(
      {
        width,
        height: width < 600 ? PHONE_HEIGHT : HEIGHT,
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
        scales: { x: { time: false, range: [0, this.length] }, y: { range: [0, most * 1.12] } },
        axes: [
          { ...axis, size: 26, space: 70, grid: { show: false }, values: (_, splits) => splits.map((value) => timeText(value, splits[1]! - splits[0]!)) },
          { ...axis, size: 62, splits: () => byteSplits(most * 1.1), values: (_, splits) => splits.map(byteText) },
        ],
        series,
        hooks: {
          draw: [(plot) => this.mark(plot, colours)],
          setCursor: [(plot) => this.showLegend(plot.cursor.idx ?? -1)],
        },
      },
      data.map((values) => Array.from(values, (value) => (Number.isNaN(value) ? null : value))) as uPlot.AlignedData,
      this.host,
    );
    const { over } = this.plot;
    over.append(this.shade, ...this.handles);
    over.addEventListener("pointerdown", (event) => this.press(event));
  }

  private layerSeries(colours: Theme): { data: Float64Array[]; series: uPlot.Series[] } {
    const drawing = this.drawings[0]!;
    const data: Float64Array[] = [];
    const series: uPlot.Series[] = [];
    let below = new Float64Array(drawing.times.length);
    drawing.layers.forEach((layer, i) => {
      const colour = layerColour(layer.name, i, colours.isDark);
      below = layer.values.map((value, k) => value + below[k]!);
      data.push(below);
      series.push({ label: layer.name, fill: colour, stroke: colour, width: 0, points: { show: false } });
    });
    // The lowest layer is painted last.
    data.reverse();
    series.reverse();
    data.push(drawing.heap);
    series.push({ label: "heap", stroke: colours.text, width: 1, points: { show: false } });
    if (!this.view.state.resident) return { data: [drawing.times, ...data], series: [{}, ...series] };
    data.push(drawing.resident);
    series.push({ label: "RSS", stroke: colours.accent, width: 1.5, dash: [4, 3], spanGaps: true, points: { show: false } });
    return { data: [drawing.times, ...data], series: [{}, ...series] };
  }

  /** Two lines, at the points of both. */
  private comparedSeries(colours: Theme): { data: Float64Array[]; series: uPlot.Series[] } {
    const [before, after] = this.drawings as [Drawing, Drawing];
    const times = Float64Array.from(new Set([...before.times, ...after.times])).sort();
    const at = (drawing: Drawing) => {
      let i = 0;
      const last = drawing.times[drawing.times.length - 1]!;
      return times.map((time) => {
        while (i + 1 < drawing.times.length && drawing.times[i + 1]! <= time) i++;
        return time > last ? NaN : drawing.heap[i]!;
      });
    };
    const line = (label: string, stroke: string, width: number, dash?: number[]): uPlot.Series => ({ label, stroke, width, dash, points: { show: false } });
    return {
      data: [times, at(before), at(after)],
      series: [{}, line("before", colours.muted, 1.5, [5, 3]), line("after", colours.chosen, 1.5)],
    };
  }

  /** Marks peak and end. */
  private mark(plot: uPlot, colours: Theme): void {
    const { model, state } = this.view;
    const own = hasOwnCurve(model, state) ? model.processes[state.process]!.facts : undefined;
    model.runs.forEach((run, side) => {
      const name = model.runs.length > 1 ? ["before: ", "after: "][side]! : "";
      const peak = own ?? run.totals;
      const end = own ? own.end_time : Math.max(...run.processes.map((process) => process.end_time ?? 0));
      const text = `${name}peak ${size(peak.peak_bytes)}`;
      if (peak.peak_time !== null) this.markAt(plot, colours, peak.peak_time, peak.peak_bytes, text, side);
      if (!end || name) return;
      const apart = peak.peak_time === null ? Infinity : Math.abs(plot.valToPos(end, "x") - plot.valToPos(peak.peak_time, "x"));
      this.markAt(plot, colours, end, NaN, "end", apart < LABEL_ROOM ? 1 : 0);
    });
  }

  /** With its text in the first row, or in one below. */
  private markAt(plot: uPlot, colours: Theme, time: number, bytes: number, text: string, row: number): void {
    const context = plot.ctx;
    const ratio = devicePixelRatio || 1;
    const x = Math.round(plot.valToPos(time, "x", true));
    const { left, top, width, height } = plot.bbox;
    const y = Number.isNaN(bytes) ? top : plot.valToPos(bytes, "y", true);
    context.save();
    context.strokeStyle = colours.muted;
    context.lineWidth = ratio;
    context.setLineDash([2 * ratio, 2 * ratio]);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x, top + height);
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = colours.text;
    if (!Number.isNaN(bytes)) {
      context.beginPath();
      context.arc(x, y, 3 * ratio, 0, 2 * Math.PI);
      context.fill();
    }
    context.font = `${Number.isNaN(bytes) ? "" : "600 "}${11 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
    const room = context.measureText(text).width + 8 * ratio;
    const isRight = x + room > left + width;
    context.textAlign = isRight ? "right" : "left";
    context.lineWidth = 4 * ratio;
    context.lineJoin = "round";
    context.strokeStyle = colours.page;
    const at = [x + (isRight ? -6 : 6) * ratio, Math.max(top + 11 * ratio, y - 5 * ratio) + row * 14 * ratio] as const;
    context.strokeText(text, ...at);
    context.fillText(text, ...at);
    context.restore();
  }

  /* --- the legend --- */

  private residentButton(content: HTMLElement): HTMLElement {
    const { store } = this.view;
    return h(
      "button",
      {
        type: "button",
        class: "legend-button",
        title: "Resident memory, which the kernel counts: with or without",
        "aria-pressed": String(store.state.resident),
        on: { click: () => store.set({ resident: !store.state.resident }) },
      },
      content,
    );
  }

  private showLegend(index: number): void {
    const colours = theme();
    const item = (name: string, colour: string, kind: string, value: number) =>
      h(
        "span",
        { class: "legend-item" },
        swatch(colour, kind),
        name,
        index >= 0 && h("b", { text: Number.isNaN(value) ? " –" : ` ${size(value)}` }),
      );
    const items: Node[] = [];
    if (this.view.isCompared) {
      items.push(item("before", colours.muted, "line", NaN), item("after", colours.chosen, "line", NaN));
      replace(this.legend, ...items);
      return;
    }
    const drawing = this.drawings[0];
    if (!drawing) return;
    drawing.layers.forEach((layer, i) => items.push(item(layer.name, layerColour(layer.name, i, colours.isDark), "area", layer.values[index]!)));
    items.push(item("heap", colours.text, "line", drawing.heap[index]!));
    if (drawing.resident.some((value) => value > 0)) {
      const many = this.view.model.processes.length > 1 && !hasOwnCurve(this.view.model, this.view.state);
      const rss = item(many ? "RSS, added up" : "RSS", colours.accent, "dash", drawing.resident[index]!);
      items.push(this.residentButton(rss));
      const more = [`PSS ${size(drawing.proportional[index]!)}`, `swapped ${size(drawing.swapped[index]!)}`];
      const known = [drawing.proportional[index]! > 0, drawing.swapped[index]! > 0];
      items.push(h("span", { class: "legend-item muted", text: more.filter((_, i) => known[i]).join(", ") }));
    }
    if (index >= 0) items.push(h("span", { class: "legend-item muted", text: `at ${seconds(drawing.times[index]!)}` }));
    replace(this.legend, ...items);
  }
}

function swatch(colour: string, kind: string): HTMLElement {
  const element = h("span", { class: `swatch ${kind}` });
  element.style.color = colour;
  return element;
}
