/*
 * The head of the page: what was run, and the four numbers that matter. Each of them chooses what it
 * tells of.
 */
import type { Run } from "../data";
import { append, h } from "../dom";
import { change, command, count, seconds, size, visible } from "../format";
import { hasSpan, type State } from "../state";
import type { View } from "../view";

interface Figure {
  name: string;
  value: string;
  detail: string;
  choose: Partial<State>;
  isChosen: (state: State) => boolean;
}

const HELD: Partial<State> = { what: "bytes", from: NaN, to: NaN };

function isMoment(at: State["at"]): (state: State) => boolean {
  return (state) => !hasSpan(state) && state.at === at && (state.what === "bytes" || state.what === "blocks");
}

function heldAtEnd({ totals, limits }: Run): number {
  return limits.processes === 1 ? totals.end_bytes : totals.run_end_bytes;
}

/** What several processes held together when the run ended is not what each held at its own end. */
function heldDetail({ totals, limits }: Run): string {
  if (limits.processes === 1) return `${count(totals.end_blocks)} blocks`;
  return `of ${count(totals.run_end_processes)} of ${count(limits.processes)} processes; at own ends ${size(totals.end_bytes)}, added up`;
}

function figures(run: Run): Figure[] {
  const { totals } = run;
  const isOne = run.limits.processes === 1;
  const isOver = run.run.seconds !== null;
  const when = totals.peak_known ? `after ${seconds(totals.peak_time)}` : "each process's own, added up";
  return [
    { name: `Peak, ${when}`, value: size(totals.peak_bytes), detail: `${count(totals.peak_blocks)} blocks`, choose: { ...HELD, at: "peak" }, isChosen: isMoment("peak") },
    { name: isOver ? "Held at end" : "Held when last written", value: size(heldAtEnd(run)), detail: heldDetail(run), choose: { ...HELD, at: "end" }, isChosen: isMoment("end") },
    { name: isOver ? "Leaked, never freed" : "Not freed so far", value: size(totals.leaked_bytes), detail: `${count(totals.leaked_blocks)} blocks${isOne ? "" : ", each process's own"}`, choose: { ...HELD, at: "exit" }, isChosen: isMoment("exit") },
    {
      name: "Allocated",
      value: size(totals.allocated_bytes),
      detail: `${count(totals.allocations)} allocations`,
      choose: { ...HELD, what: "allocated" },
      isChosen: (state) => state.what === "allocated" && !hasSpan(state),
    },
  ];
}

/** Of two runs: the second one's numbers, and by how much they changed. */
function comparedFigures(before: Run, after: Run): Figure[] {
  const old = before.totals;
  const now = after.totals;
  const detail = (from: number, to: number) => `${change(to - from, false)} from ${size(from)}`;
  const details = [
    detail(old.peak_bytes, now.peak_bytes),
    detail(heldAtEnd(before), heldAtEnd(after)),
    detail(old.leaked_bytes, now.leaked_bytes),
    detail(old.allocated_bytes, now.allocated_bytes),
  ];
  return figures(after).map((figure, i) => ({ ...figure, detail: details[i]! }));
}

function ended(run: Run): string {
  if (run.run.seconds === null) return `as far as it is written, ${seconds(run.run.length)}`;
  const first = run.processes.find((process) => process.parent === null);
  const how = first?.signal ? `killed by signal ${first.signal}` : first && first.exit_status !== null ? `ended with status ${first.exit_status}` : "ended";
  return `${how} after ${seconds(run.run.seconds)}`;
}

function about(run: Run): string {
  const versions = [...new Set(run.processes.map((process) => process.python).filter(Boolean))];
  const parts = [
    versions.length ? `Python ${versions.join(", ")}` : "no Python",
    run.limits.processes_of_run > 1 ? `${count(run.limits.processes_of_run)} processes` : "",
    run.run.started.replace("T", " ").replace("Z", " UTC"),
    ended(run),
  ];
  return visible(parts.filter(Boolean).join(" · "));
}

export class Summary {
  readonly element: HTMLElement;
  private readonly buttons: { figure: Figure; button: HTMLButtonElement }[];

  constructor(private readonly view: View) {
    const { runs } = view.model;
    const last = runs[runs.length - 1]!;
    const list = runs.length > 1 ? comparedFigures(runs[0]!, last) : figures(last);
    this.buttons = list.map((figure) => ({
      figure,
      button: h(
        "button",
        { type: "button", class: "figure", on: { click: () => view.store.set(figure.choose, true) } },
        h("span", { class: "figure-name", text: figure.name }),
        h("span", { class: "figure-value", text: figure.value }),
        h("span", { class: "figure-detail", text: figure.detail }),
      ),
    }));
    this.element = h("header", { class: "summary" }, this.head(runs), h("div", { class: "figures", role: "group", "aria-label": "Sums" }, ...this.buttons.map(({ button }) => button)));
  }

  private head(runs: Run[]): HTMLElement {
    const head = h("div", { class: "head" }, h("div", { class: "brand", text: "heapline" }));
    const names = runs.length > 1 ? ["before", "after"] : [""];
    const lines = runs.map((run, i) => {
      const line = h("div", { class: "run" });
      const text = command(run.run.command);
      append(line, [
        names[i] && h("span", { class: "side", text: names[i] }),
        h(i === runs.length - 1 ? "h1" : "div", { class: "command", text, title: text }),
        h("span", { class: "about", text: about(run) }),
      ]);
      return line;
    });
    head.append(h("div", { class: "runs" }, ...lines), themeButton());
    return head;
  }

  update(): void {
    for (const { figure, button } of this.buttons) button.setAttribute("aria-pressed", String(figure.isChosen(this.view.state)));
  }
}

/** Light, dark, or as the system has it. */
function themeButton(): HTMLElement {
  const root = document.documentElement;
  const isDark = () => getComputedStyle(root).getPropertyValue("--is-dark").trim() === "1";
  return h("button", {
    type: "button",
    class: "quiet theme",
    text: "◐",
    title: "Light or dark",
    "aria-label": "Light or dark",
    on: { click: () => (root.dataset["theme"] = isDark() ? "light" : "dark") },
  });
}
