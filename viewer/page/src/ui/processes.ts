/*
 * The processes: which one started which, how each ended, what it held. Choosing one leaves the
 * others out of everything above.
 */
import type { ProcessFacts } from "../data";
import { append, h } from "../dom";
import { count, seconds, shortCommand, size, visible } from "../format";
import type { View } from "../view";

const ENDINGS: Record<string, string> = { executed: "became another program", running: "lived on", unknown: "not known" };

function ending(facts: ProcessFacts): string {
  if (facts.signal) return `signal ${facts.signal}${facts.core_dumped ? ", core dumped" : ""}${facts.out_of_memory ? ", out of memory" : ""}`;
  if (facts.exit_status !== null) return `status ${facts.exit_status}`;
  return ENDINGS[facts.ending] ?? facts.ending;
}

export class Processes {
  readonly element: HTMLElement;
  private readonly rows = new Map<number, HTMLTableRowElement>();

  constructor(private readonly view: View) {
    const body = h("tbody");
    for (const number of this.order()) body.append(this.row(number));
    const heads = ["process", "ended", "start", "duration", "peak", "at end", "leaked", "allocations", "Python"];
    this.element = h(
      "section",
      { class: "panel processes", "aria-label": "Processes" },
      h("div", { class: "panel-head" }, h("h2", { text: "Processes" })),
      h(
        "div",
        { class: "wide-scroller", tabindex: "0", role: "region", "aria-label": "Rows of processes" },
        h(
          "table",
          {},
          h("thead", {}, h("tr", {}, ...heads.map((text, i) => h("th", { scope: "col", class: i ? "number" : "name", text })))),
          body,
        ),
      ),
    );
  }

  /** Parents before their children, these at once behind them. */
  private order(): number[] {
    const { processes } = this.view.model;
    const children = new Map<number, number[]>();
    processes.forEach((process, i) => children.set(process.parent, [...(children.get(process.parent) ?? []), i]));
    const order: number[] = [];
    const open = [...(children.get(-1) ?? [])].reverse();
    while (open.length) {
      const number = open.pop()!;
      order.push(number);
      open.push(...[...(children.get(number) ?? [])].reverse());
    }
    return order;
  }

  private depth(number: number): number {
    let depth = 0;
    for (let at = this.view.model.processes[number]!.parent; at >= 0; at = this.view.model.processes[at]!.parent) depth++;
    return Math.min(depth, 12);
  }

  private row(number: number): HTMLTableRowElement {
    const { view } = this;
    const { facts, side } = view.model.processes[number]!;
    const length = facts.started === null ? NaN : (facts.ended ?? view.model.runs[side]!.run.length) - facts.started;
    const name = h("div", { class: "process-name" });
    name.style.paddingInlineStart = `${this.depth(number) * 16}px`;
    const text = shortCommand(facts.command);
    const label = h("span", { class: "strong", text: String(facts.pid) });
    append(name, [
      view.isCompared && h("span", { class: "side", text: side ? "after" : "before" }),
      view.isCompared || view.model.processes.length < 2
        ? label
        : h("button", { type: "button", class: "link", text: String(facts.pid), "aria-label": `Only process ${facts.pid}`, on: { click: () => this.choose(number) } }),
      h("code", { class: "command-cell", text: ` ${text}`, title: visible(facts.command.join(" ")) }),
    ]);
    const environment = Object.entries(facts.environment ?? {});
    if (environment.length)
      name.append(h("div", { class: "environment" }, ...environment.map(([key, value]) => h("code", { text: `${visible(key)}=${visible(value)}` }))));
    const cells = [
      ending(facts),
      facts.started === null ? "" : seconds(facts.started),
      Number.isNaN(length) ? "" : seconds(Math.max(0, length)),
      size(facts.peak_bytes),
      size(facts.end_bytes),
      size(facts.leaked_bytes),
      count(facts.allocations),
      visible(facts.python ?? ""),
    ];
    const row = h("tr", {}, h("td", { class: "name" }, name), ...cells.map((text) => h("td", { class: "number", text })));
    this.rows.set(number, row);
    return row;
  }

  private choose(number: number): void {
    const { store } = this.view;
    store.set({ process: store.state.process === number ? -1 : number, thread: -1, zoom: "" }, true);
  }

  update(): void {
    for (const [number, row] of this.rows)
      if (number === this.view.state.process) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
  }
}
