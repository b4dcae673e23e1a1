/*
 * What is looked at, when, of what: the bar that stays in sight. Also the search.
 */
import { ALLOCATORS } from "../data";
import { choice, eachFrame, h, replace, select } from "../dom";
import { amount, count, share } from "../format";
import { isFiltered } from "../filter";
import { canShow, isCount } from "../selection";
import { hasSpan, type What } from "../state";
import type { View } from "../view";

type When = "peak" | "end" | "exit" | "moment" | "span";

const WHATS: { value: What; text: string; title: string }[] = [
  { value: "bytes", text: "bytes", title: "Bytes held; of a span, allocated in it and kept" },
  { value: "blocks", text: "blocks", title: "Blocks held; of a span, allocated in it and kept" },
  { value: "freed", text: "freed", title: "Bytes that were there before the span and freed in it" },
  { value: "freed-blocks", text: "blocks freed", title: "Blocks that were there before the span and freed in it" },
  { value: "allocated", text: "allocated", title: "All bytes that were asked for, of the whole run or the span" },
  { value: "allocations", text: "allocations", title: "How many times, of the whole run or the span" },
  { value: "temporary", text: "temporary", title: "Bytes freed before the same thread's next allocation, of the whole run" },
  { value: "temporary-blocks", text: "temporary blocks", title: "The same in blocks" },
];

export class Toolbar {
  readonly element: HTMLElement;
  private readonly when;
  private readonly what;
  private readonly process;
  private readonly thread;
  private readonly allocators: HTMLInputElement[];
  private readonly include;
  private readonly exclude;
  private readonly search;
  private readonly found = h("output", { class: "found" });
  private readonly filter;
  private readonly filterSummary = h("summary", {}, "Filter");
  private readonly typed = eachFrame(() => this.takeSearch());

  constructor(private readonly view: View) {
    const { store } = view;
    this.when = choice<When>(
      "When",
      [
        { value: "peak", text: "peak", title: "What was held when it was most" },
        { value: "end", text: "at end", title: "What was held when the program's own code had ended" },
        { value: "exit", text: "leaked", title: "What was never freed" },
        { value: "moment", text: "moment", title: "Click in the timeline to choose one" },
        { value: "span", text: "span", title: "Drag over the timeline to choose one" },
      ],
      (when) => this.chooseWhen(when),
    );
    this.what = choice<What>("What", WHATS, (what) => store.set({ what }, true));
    this.process = select<string>("Process", (process) => store.set({ process: Number(process), thread: -1, zoom: "" }, true));
    this.thread = select<string>("Thread", (thread) => store.set({ thread: Number(thread), zoom: "" }, true));
    this.allocators = ALLOCATORS.map((_, i) =>
      h("input", { type: "checkbox", on: { change: () => this.takeAllocators(i) } }),
    );
    this.include = this.patterns("include", "Only files", "app/* *.py");
    this.exclude = this.patterns("exclude", "Not files", "*/site-packages/*");
    this.filter = h("details", { class: "filter" }, this.filterSummary, this.filterBody());
    this.search = h("input", {
      type: "search",
      placeholder: "Search functions, files",
      "aria-label": "Search functions and files; an expression between two slashes",
      autocomplete: "off",
      spellcheck: "false",
      on: { input: () => this.typed() },
    });
    this.element = h(
      "div",
      { class: "toolbar", role: "toolbar", "aria-label": "What is shown" },
      this.when.element,
      this.what.element,
      this.filter,
      h("span", { class: "grow" }),
      h("div", { class: "search" }, this.search, this.found),
    );
    addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("click", (event) => {
      if (this.filter.open && !this.filter.contains(event.target as Node)) this.filter.open = false;
    });
  }

  private patterns(name: "include" | "exclude", label: string, example: string): HTMLInputElement {
    return h("input", {
      type: "text",
      placeholder: example,
      "aria-label": `${label} that match these patterns`,
      spellcheck: "false",
      on: { change: (event) => this.view.store.set({ [name]: (event.target as HTMLInputElement).value, zoom: "" }, true) },
    });
  }

  private filterBody(): HTMLElement {
    const { view } = this;
    const row = (label: string, ...content: HTMLElement[]) => h("div", { class: "filter-row" }, h("span", { class: "label", text: label }), ...content);
    return h(
      "div",
      { class: "filter-body" },
      !view.isCompared && view.model.processes.length > 1 && row("Process", this.process.element),
      !view.isCompared && view.model.threads.length > 1 && row("Thread", this.thread.element),
      row("Allocator", h("div", { class: "ticks" }, ...ALLOCATORS.map((name, i) => h("label", { class: "tick" }, this.allocators[i]!, name)))),
      row("Only files", this.include),
      row("Not files", this.exclude),
      h("button", { type: "button", text: "No filter", on: { click: () => view.store.set({ process: -1, thread: -1, allocators: 0, include: "", exclude: "", zoom: "" }, true) } }),
    );
  }

  private chooseWhen(when: When): void {
    const { store } = this.view;
    const { state } = this.view;
    const held = state.what === "blocks" || state.what === "freed-blocks" ? "blocks" : "bytes";
    if (when === "moment" || when === "span") {
      document.querySelector<HTMLElement>(".handle:not([hidden])")?.focus();
      return;
    }
    store.set({ at: when, from: NaN, to: NaN, what: held }, true);
  }

  private takeAllocators(changed: number): void {
    const all = (1 << ALLOCATORS.length) - 1;
    const now = this.view.state.allocators || all;
    const next = now ^ (1 << changed);
    this.view.store.set({ allocators: next === all ? 0 : next, zoom: "" }, true);
  }

  private takeSearch(): void {
    this.view.store.set({ search: this.search.value });
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    const isTyping = target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.search.focus();
      this.search.select();
    } else if (event.key === "Escape" && target === this.search) {
      this.search.value = "";
      this.takeSearch();
      this.search.blur();
    } else if (event.key === "Escape" && this.filter.open) {
      this.filter.open = false;
      this.filterSummary.focus();
    }
  }

  /* --- showing --- */

  update(): void {
    const { view } = this;
    const { state } = view;
    const when: When = hasSpan(state) ? "span" : typeof state.at === "number" ? "moment" : state.at;
    this.when.show(view.isOfMoment ? when : ("" as When));
    this.what.show(view.what);
    for (const [i, button] of [...this.what.element.children].entries()) {
      const value = WHATS[i]!.value;
      const isRare = value.startsWith("freed") || value === "temporary-blocks";
      (button as HTMLElement).hidden = !canShow(state, value) || (isRare && value === "temporary-blocks" && state.what !== value && state.what !== "temporary");
    }
    this.showFilter();
    if (this.search.value !== state.search) this.search.value = state.search;
    this.showFound();
  }

  private showFilter(): void {
    const { view } = this;
    const { state, model } = view;
    this.process.show(
      [{ value: "-1", text: "all" }, ...model.processes.map((_, i) => ({ value: String(i), text: view.processName(i) }))],
      String(state.process),
    );
    const threads = model.threads.map((thread, i) => ({ thread, i })).filter(({ thread }) => state.process < 0 || thread.process === state.process);
    this.thread.show([{ value: "-1", text: "all" }, ...threads.map(({ i }) => ({ value: String(i), text: view.threadName(i) }))], String(state.thread));
    this.allocators.forEach((box, i) => (box.checked = state.allocators === 0 || ((state.allocators >> i) & 1) === 1));
    this.include.value = state.include;
    this.exclude.value = state.exclude;
    const isOn = isFiltered(state);
    this.filter.classList.toggle("on", isOn);
    const whole = view.totals().reduce((a, b) => a + b, 0);
    replace(this.filterSummary, isOn ? `Filter: ${amount(whole, isCount(view.what))} left` : "Filter");
  }

  private showFound(): void {
    const { view } = this;
    if (!view.state.search) {
      this.found.textContent = "";
      return;
    }
    const { count: places, problem } = view.found();
    if (problem) {
      this.found.textContent = problem;
      return;
    }
    const sum = view.foundTotal();
    this.found.textContent = `${share(sum, view.tree().total[0]!)} in ${count(places)} ${places === 1 ? "line" : "lines"}, ${amount(sum, isCount(view.what))}`;
  }
}

