/*
 * The table: what counts, by line, function, file and so on.
 *
 * A row that is chosen shows its source and is marked in the flame graph. Only the first rows are in
 * the document; more come on request.
 */
import { ALLOCATORS, PLACE_FIRST } from "../data";
import { append, h, isOther, replace, select, tick } from "../dom";
import { amount, change, count, share, visibleSource } from "../format";
import { isPlaceGroup } from "../grouping";
import { hasModules, placeText } from "../model";
import { column, isCount } from "../selection";
import { GROUPS, hasSpan, type Group } from "../state";
import type { View } from "../view";
import { sourceAt } from "./source";

const ROWS_FIRST = 40;
const ROWS_MORE = 200;

const GROUP_NAMES: Record<Group, string> = {
  line: "Lines",
  function: "Functions",
  file: "Files",
  package: "Packages",
  module: "Modules",
  allocator: "Allocators",
  thread: "Threads",
  process: "Processes",
};

interface Column {
  name: string; // in the fragment
  title: string;
  hint: string;
  values: Float64Array; // by key
  text: (value: number) => string;
  wide: boolean; // only where there is room
}

interface Row {
  key: number;
  name: string;
}

export class Table {
  readonly element: HTMLElement;
  private readonly title = h("h2");
  private readonly by;
  private readonly cumulative;
  private readonly head = h("tr");
  private readonly body = h("tbody");
  private readonly foot = h("tfoot");
  private readonly caption = h("caption", { class: "unseen" });
  private readonly more = h("button", { type: "button", class: "more", on: { click: () => this.showMore() } });
  private readonly wide;
  private shown = ROWS_FIRST;
  private rows: Row[] = [];
  private columns: Column[] = [];
  private lead: Column | undefined;
  private shownFor: unknown[] = [];
  private summedFor: unknown[] = [];

  constructor(private readonly view: View) {
    const { store } = view;
    this.by = select<Group>("Rows are", (by) => store.set({ by, sort: "" }));
    this.cumulative = tick("with callees", "A row counts the stacks in which it stands anywhere", (cumulative) =>
      store.set({ cumulative }),
    );
    this.wide = h("button", {
      type: "button",
      class: "quiet",
      text: "⤢",
      title: "The whole width, all columns",
      "aria-label": "Table in the whole width, with all columns",
      on: { click: () => store.set({ wide: view.state.wide === "table" ? "" : "table" }) },
    });
    this.element = h(
      "section",
      { class: "panel table", "aria-label": "Table" },
      h("div", { class: "panel-head" }, this.title, h("span", { class: "grow" }), h("div", { class: "options" }, this.by.element, this.cumulative.element), this.wide),
      h(
        "div",
        { class: "table-scroller", tabindex: "0", role: "region", "aria-label": "Rows of the table" },
        h("table", {}, this.caption, h("thead", {}, this.head), this.body, this.foot),
        this.more,
      ),
    );
  }

  /* --- columns --- */

  private sums(values: Float64Array | undefined, side = 0): Float64Array {
    return values ? this.view.sums(side, values) : new Float64Array(this.view.keys().count);
  }

  private plain(name: string, title: string, hint: string, values: Float64Array | undefined, counts: boolean, wide = true): Column {
    return { name, title, hint, values: this.sums(values), text: (value) => amount(value, counts), wide };
  }

  private momentColumns(): Column[] {
    const values = this.view.values();
    return [
      this.plain("bytes", "size", "Held at what is shown", values.bytes, false, false),
      this.plain("blocks", "blocks", "Blocks held", values.blocks, true, false),
      this.plain("allocated", "allocated", "Bytes allocated in the whole run", values.allocated, false),
      this.plain("allocations", "allocations", "Allocations in the whole run", values.allocations, true),
      this.plain("temporary", "temporary", "Bytes freed before the thread's next allocation", values.temporary, false),
      this.plain("temporary-blocks", "temp. blocks", "Blocks freed before the thread's next allocation", values.temporaryBlocks, true),
    ];
  }

  private spanColumns(): Column[] {
    const values = this.view.values();
    const kept = this.plain("bytes", "kept", "Allocated in the span and kept", values.bytes, false, false);
    const freed = this.plain("freed", "freed", "There before the span and freed in it", values.freed, false, false);
    return [
      kept,
      this.plain("blocks", "blocks kept", "Blocks allocated in the span and kept", values.blocks, true),
      freed,
      this.plain("freed-blocks", "blocks freed", "Blocks from before the span freed in it", values.freedBlocks, true),
      {
        name: "net",
        title: "net",
        hint: "Kept less freed",
        values: kept.values.map((value, i) => value - freed.values[i]!),
        text: (value) => change(value, false),
        wide: true,
      },
      this.plain("allocated", "allocated", "Bytes allocated in the span", values.allocated, false),
      this.plain("allocations", "allocations", "Allocations in the span", values.allocations, true),
    ];
  }

  private comparedColumns(): Column[] {
    const { view } = this;
    const counts = isCount(view.what);
    const values = column(view.values(), view.what);
    const before = this.sums(values, 0);
    const after = this.sums(values, 1);
    const blocks = [this.sums(view.values().blocks, 0), this.sums(view.values().blocks, 1)];
    const one = (name: string, title: string, hint: string, list: Float64Array, text: (value: number) => string, wide: boolean): Column => ({ name, title, hint, values: list, text, wide });
    return [
      one("change", "change", "After less before", after.map((value, i) => value - before[i]!), (value) => change(value, counts), false),
      one("before", "before", "In the first recording", before, (value) => amount(value, counts), false),
      one("after", "after", "In the second recording", after, (value) => amount(value, counts), false),
      one("blocks", "blocks", "By how many blocks more", blocks[1]!.map((value, i) => value - blocks[0]![i]!), (value) => change(value, true), true),
    ];
  }

  /** The column that rows are sorted by when nothing else was asked for. */
  private leadColumn(): Column {
    return this.columns.find((one) => one.name === (this.view.isCompared ? "change" : this.view.what)) ?? this.columns[0]!;
  }

  private sortColumn(): Column | undefined {
    const { sort } = this.view.state;
    if (sort === "name") return undefined;
    return this.columns.find((one) => one.name === sort) ?? this.lead;
  }

  /* --- rows --- */

  private nameOf(key: number): string {
    const { view } = this;
    const { by } = view.state;
    const place = view.keys().place[key]!;
    if (by === "allocator") return ALLOCATORS[key]!;
    if (by === "thread") return view.threadName(key);
    if (by === "process") return view.processName(key - 1);
    if (place < PLACE_FIRST) return view.functionName(place);
    if (by === "file") return view.fileName(view.model.places.file[place]!);
    if (by === "package") return view.packageName(place);
    if (by === "module") return view.moduleName(place) || view.fileName(view.model.places.file[place]!);
    return view.functionName(place);
  }

  private isFound(key: number): boolean {
    const { view } = this;
    if (!view.state.search) return true;
    const { by } = view.state;
    if (by === "line") return view.found().keys[view.keys().place[key]!] === 1;
    if (!isPlaceGroup(by)) return this.nameOf(key).toLowerCase().includes(view.state.search.toLowerCase());
    return this.foundKeys()[key] === 1;
  }

  /** By key: does one of its places match? */
  private foundKeys(): Uint8Array {
    const keys = this.view.keys();
    const { keys: places } = this.view.found();
    const found = new Uint8Array(keys.count);
    for (let place = 0; place < places.length; place++) if (places[place]) found[keys.ofPlace[place]!] = 1;
    return found;
  }

  private compare(): (a: Row, b: Row) => number {
    const { ascending, sort } = this.view.state;
    const sign = ascending ? -1 : 1;
    const by = this.sortColumn();
    if (!by || sort === "name") return (a, b) => sign * (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
    const { values } = by;
    const isChange = by.name === "change" && !sort;
    const weight = (key: number) => (isChange ? Math.abs(values[key]!) : values[key]!);
    return (a, b) => sign * (weight(b.key) - weight(a.key)) || a.key - b.key;
  }

  private makeRows(): void {
    const { count: keys } = this.view.keys();
    const rows: Row[] = [];
    const isWide = this.view.state.wide === "table";
    const shown = this.columns.filter((one) => isWide || !one.wide || one === this.lead);
    for (let key = 0; key < keys; key++)
      if (shown.some((one) => one.values[key] !== 0) && this.isFound(key)) rows.push({ key, name: this.nameOf(key) });
    this.rows = rows.sort(this.compare());
  }

  /* --- showing --- */

  update(): void {
    const { view } = this;
    const { state } = view;
    this.by.show(this.groups().map((value) => ({ value, text: GROUP_NAMES[value] })), state.by);
    this.cumulative.show(state.cumulative);
    this.cumulative.element.hidden = !isPlaceGroup(state.by);
    this.wide.setAttribute("aria-pressed", String(state.wide === "table"));
    const sums = [view.values(), view.wantedSides(), view.keys(), state.cumulative, view.what];
    if (isOther(sums, this.summedFor)) {
      this.columns = view.isCompared ? this.comparedColumns() : hasSpan(state) ? this.spanColumns() : this.momentColumns();
      this.lead = this.leadColumn();
      this.summedFor = sums;
    }
    const now = [this.columns, state.sort, state.ascending, state.search, state.wide === "table", view.model.readySources[0]];
    if (isOther(now, this.shownFor)) {
      this.shownFor = now;
      this.shown = ROWS_FIRST;
      this.makeRows();
      this.showHead();
      replace(this.body, ...this.rows.slice(0, this.shown).map((row) => this.row(row)));
      this.showFoot();
    }
    this.markChosen();
  }

  private groups(): readonly Group[] {
    const { model } = this.view;
    const has: Partial<Record<Group, boolean>> = {
      module: hasModules(model),
      thread: model.threads.length > 1,
      process: model.processes.length > 1,
    };
    return GROUPS.filter((by) => has[by] ?? true);
  }

  private classOf(one: Column): string {
    return `number${one === this.lead ? " lead" : one.wide ? " wide-only" : ""}`;
  }

  private showHead(): void {
    const { view } = this;
    const { state } = view;
    this.title.textContent = GROUP_NAMES[state.by];
    this.caption.textContent = `${GROUP_NAMES[state.by]}, ${view.title()}`;
    const sorted = state.sort === "name" ? "name" : this.sortColumn()!.name;
    const heading = (name: string, title: string, hint: string, classes: string) => {
      const isRising = state.ascending === (name !== "name"); // names rise unless asked otherwise
      const order = name === sorted ? (isRising ? "ascending" : "descending") : undefined;
      const arrow = order ? (isRising ? " ▴" : " ▾") : "";
      return h(
        "th",
        { scope: "col", class: classes, "aria-sort": order },
        h("button", { type: "button", title: hint, on: { click: () => this.sortBy(name) } }, title, h("span", { class: "arrow", "aria-hidden": "true", text: arrow })),
      );
    };
    replace(
      this.head,
      ...this.columns.map((one) => heading(one.name, one.title, one.hint, this.classOf(one))),
      h("th", { scope: "col", class: "number share", text: "share" }),
      heading("name", state.by, "By name", "name"),
    );
  }

  private sortBy(name: string): void {
    const { store } = this.view;
    const { state } = this.view;
    const isSame = (state.sort === "name" ? "name" : this.sortColumn()!.name) === name;
    store.set({ sort: name, ascending: isSame ? !state.ascending : false });
  }

  private whole(): number {
    const totals = this.view.totals();
    return this.view.isCompared ? Math.max(...totals) : totals[0]!;
  }

  private row(row: Row): HTMLTableRowElement {
    const { view } = this;
    const lead = this.lead!;
    const whole = this.whole();
    const value = lead.values[row.key]!;
    const part = whole ? Math.min(1, Math.abs(value) / whole) : 0;
    const bar = h("span", { class: `bar${value < 0 ? " less" : ""}` });
    bar.style.width = `${(100 * part).toFixed(2)}%`;
    const place = view.keys().place[row.key]!;
    const isSource = place >= PLACE_FIRST && this.isInOneFile(place);
    const element = h(
      "tr",
      { on: isSource ? { click: () => view.store.set(sourceAt(view, place), true) } : {} },
      ...this.columns.map((one) => this.cell(one, one.values[row.key]!)),
      h("td", { class: "number share" }, h("div", { class: "track", "aria-hidden": "true" }, bar), h("span", { text: share(Math.abs(value), whole) })),
      h("td", { class: "name" }, this.name(row, place, isSource)),
    );
    element.dataset["place"] = String(place);
    return element;
  }

  /** Is all of the place's row in its file? */
  private isInOneFile(place: number): boolean {
    const { by } = this.view.state;
    return by !== "package" && !(by === "module" && this.view.moduleName(place));
  }

  /** The whole path of what a place's row is called. */
  private pathOf(place: number): string | undefined {
    const { view } = this;
    if (this.isInOneFile(place)) return view.filePath(view.model.places.file[place]!);
    return view.state.by === "module" ? view.modulePath(place) : undefined;
  }

  /** A number; to the digit when it is pointed at. */
  private cell(one: Column, value: number): HTMLElement {
    if (Number.isNaN(value)) return h("td", { class: this.classOf(one) });
    return h("td", { class: this.classOf(one), title: count(value), text: one.text(value) });
  }

  private name(row: Row, place: number, isSource: boolean): HTMLElement {
    const { view } = this;
    const { by } = view.state;
    const title = place >= PLACE_FIRST ? this.pathOf(place) : undefined;
    const head = isSource
      ? h("button", { type: "button", class: "link", text: row.name })
      : h("span", { class: "strong", text: row.name });
    const parts: HTMLElement[] = [h("div", { class: "name-line", title }, head)];
    if ((by === "line" || by === "function") && place !== 0) {
      const { file, line } = view.positionParts(place);
      append(parts[0]!, [h("span", { class: "where", text: file }), by === "line" && line && h("span", { class: "where-line", text: line })]);
    }
    const text = by === "line" ? placeText(view.model, place)?.trim() : undefined;
    if (text) parts.push(h("code", { class: "source", text: visibleSource(text) }));
    return h("div", { class: "name-cell" }, ...parts);
  }

  private showFoot(): void {
    const left = this.rows.length - this.shown;
    const { view } = this;
    this.more.hidden = left <= 0;
    this.more.textContent = `${count(left)} more rows`;
    const isEmpty = !this.rows.length;
    const sums = this.columns.map((one) => (view.isCumulated ? NaN : one.values.reduce((a, b) => a + b, 0)));
    replace(
      this.foot,
      isEmpty
        ? h("tr", {}, h("td", { class: "empty", colspan: String(this.columns.length + 2), text: view.state.search ? "No row matches the search." : `Nothing was ${view.title()}.` }))
        : h(
            "tr",
            {},
            ...this.columns.map((one, i) => this.cell(one, sums[i]!)),
            h("td", { class: "number share", text: "" }),
            h("td", { class: "name muted", text: view.isCumulated ? `${count(this.rows.length)} rows; their stacks overlap` : `all of ${view.title()}` }),
          ),
    );
  }

  private showMore(): void {
    const from = this.shown;
    this.shown += ROWS_MORE;
    this.body.append(...this.rows.slice(from, this.shown).map((row) => this.row(row)));
    this.showFoot();
    this.markChosen();
  }

  private markChosen(): void {
    const chosen = this.view.chosenPlaces();
    const isPlace = isPlaceGroup(this.view.state.by) && this.view.state.by === "line";
    for (const row of this.body.rows) {
      const is = isPlace && chosen[Number(row.dataset["place"])] === 1;
      if (is) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }
}
