/*
 * Puts the page together: reads the data, makes the parts, and draws them again when the state
 * changes.
 */
import { readPage, readRun, type FirstView, type PageData } from "./data";
import { eachFrame, h } from "./dom";
import { command, middle } from "./format";
import { makeModel, type Model } from "./model";
import { possibleState } from "./selection";
import { FIRST, Store, type Moment, type State } from "./state";
import { about } from "./ui/about";
import { Flame } from "./ui/flame";
import { notesOf } from "./ui/notes";
import { Processes } from "./ui/processes";
import { SourceView } from "./ui/source";
import { Summary } from "./ui/summary";
import { Table } from "./ui/table";
import { Timeline } from "./ui/timeline";
import { Toolbar } from "./ui/toolbar";
import { View } from "./view";

/** The time of a moment with a name, for the ends of a span. */
function timeOf(moment: Moment, model: Model): number {
  const run = model.runs[model.runs.length - 1]!;
  if (typeof moment === "number") return moment;
  if (moment === "peak") return run.totals.peak_time ?? 0;
  if (moment === "exit") return run.run.length;
  return Math.max(0, ...run.processes.map((process) => process.end_time ?? 0));
}

/** The state that the page opens with, as the command line had it. */
function firstState(first: FirstView, model: Model): State {
  const [from, to] = first.between ? first.between.map((moment) => timeOf(moment, model)) : [NaN, NaN];
  return {
    ...FIRST,
    at: first.at ?? "peak",
    from: from!,
    to: to!,
    what: first.temporary ? "temporary" : "bytes",
    include: first.include.join(" "),
    exclude: first.exclude.join(" "),
    allocators: first.allocators.reduce((bits, allocator) => bits | (1 << allocator), 0),
  };
}

function warnings(model: Model): HTMLElement | null {
  const list = model.runs.flatMap((run) => notesOf(run).warnings);
  if (!list.length) return null;
  return h("ul", { class: "warnings", "aria-label": "Warnings" }, ...list.map((text) => h("li", { text })));
}

function build(data: PageData, model: Model, root: HTMLElement): void {
  const first = possibleState(model, firstState(data.view, model));
  const store = new Store(first, (state) => possibleState(model, state));
  const view = new View(model, store);
  const summary = new Summary(view);
  const timeline = new Timeline(view);
  const toolbar = new Toolbar(view);
  const source = new SourceView(view);
  const table = new Table(view);
  const flame = new Flame(view);
  const processes = new Processes(view);
  const both = h("div", { class: "both" }, table.element, flame.element);
  const isEmpty = !model.processes.length;
  root.append(summary.element);
  const notes = warnings(model);
  if (notes) root.append(notes);
  if (isEmpty) root.append(h("p", { class: "panel empty", text: "No Python process was recorded: there is nothing to show." }));
  else root.append(timeline.element, toolbar.element, both, source.element, processes.element);
  root.append(about(view, data.version));
  document.title = middle(`heapline: ${model.runs.map((run) => command(run.run.command)).join(" → ")}`, 200);
  const update = () => {
    both.dataset["wide"] = store.state.wide;
    const parts = isEmpty ? [summary] : [summary, timeline, toolbar, table, flame, source, processes];
    for (const part of parts) part.update();
  };
  store.listen(eachFrame(update));
  for (const ready of model.sources) void ready.then(() => isEmpty || table.update());
  update();
}

async function start(): Promise<void> {
  const root = document.getElementById("page")!;
  try {
    if (typeof DecompressionStream === "undefined") throw new Error("this browser is too old to unpack it");
    const data = readPage(document.getElementById("heapline-data")!.textContent ?? "");
    const model = await makeModel(await Promise.all(data.runs.map(readRun)));
    root.replaceChildren();
    build(data, model, root);
    document.documentElement.dataset["ready"] = "1";
    performance.mark("ready");
  } catch (error) {
    root.replaceChildren(h("p", { class: "panel empty", role: "alert", text: `This page cannot be shown: ${error instanceof Error ? error.message : String(error)}` }));
    throw error;
  }
}

void start();
