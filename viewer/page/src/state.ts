/*
 * What is being looked at, and where it is kept: in the fragment of the page's address, so that a
 * view can be sent to somebody who has the same page, and so that the browser's back button goes
 * back to the view before.
 *
 * Only what differs from the view that opens first is written. Whatever a fragment says that cannot
 * be is left out.
 */
import { ALLOCATORS } from "./data";

export type Moment = "peak" | "end" | "exit" | number;

export const WHATS = [
  "bytes",
  "blocks",
  "allocated",
  "allocations",
  "temporary",
  "temporary-blocks",
  "freed",
  "freed-blocks",
] as const;
export type What = (typeof WHATS)[number];

export const GROUPS = ["line", "function", "file", "package", "module", "allocator", "thread", "process"] as const;
export type Group = (typeof GROUPS)[number];

export const SPLITS = ["none", "process", "thread", "allocator"] as const;
export type Split = (typeof SPLITS)[number];

export const COLOURS = ["package", "module", "file", "own"] as const;
export type Colours = (typeof COLOURS)[number];

export const CURVES = ["allocator", "process"] as const;
export type Curves = (typeof CURVES)[number];

export const COMPARED = ["after", "before", "grown", "shrunk"] as const;
export type Compared = (typeof COMPARED)[number];

export interface State {
  at: Moment; // when there is no span
  from: number; // seconds; NaN: there is no span
  to: number;
  what: What;
  compared: Compared; // of two recordings: what widths say
  curves: Curves; // what the timeline is made of
  resident: boolean; // RSS is drawn
  /* What is left out. */
  process: number; // -1: all
  thread: number;
  allocators: number; // a bit for each; 0: all
  include: string; // patterns with spaces between them
  exclude: string;
  /* The table. */
  by: Group;
  cumulative: boolean;
  sort: string; // of a column; "": what is being looked at
  ascending: boolean;
  /* The flame graph. */
  zoom: string; // keys of frames, joined by "."
  inverted: boolean;
  functions: boolean; // lines of a function are one
  recursion: boolean; // is merged
  imports: boolean; // are hidden
  split: Split;
  colours: Colours;
  upward: boolean;
  wide: "" | "table" | "flame";
  /* The source. */
  file: number; // -1: none
  line: number;
  search: string;
}

export const FIRST: State = {
  at: "peak",
  from: NaN,
  to: NaN,
  what: "bytes",
  compared: "after",
  curves: "allocator",
  resident: true,
  process: -1,
  thread: -1,
  allocators: 0,
  include: "",
  exclude: "",
  by: "line",
  cumulative: false,
  sort: "",
  ascending: false,
  zoom: "",
  inverted: false,
  functions: false,
  recursion: false,
  imports: false,
  split: "none",
  colours: "package",
  upward: false,
  wide: "",
  file: -1,
  line: 0,
  search: "",
};

const CHOICES: Partial<Record<keyof State, readonly string[]>> = {
  what: WHATS,
  by: GROUPS,
  split: SPLITS,
  colours: COLOURS,
  compared: COMPARED,
  curves: CURVES,
  wide: ["", "table", "flame"],
};

/* Longer than any that the page makes. */
const TEXT_MAX = 20000;

function textOf(value: State[keyof State]): string {
  if (typeof value === "boolean") return value ? "1" : "0";
  return String(value);
}

export function toFragment(state: State, first: State): string {
  const parts = new URLSearchParams();
  for (const name of Object.keys(FIRST) as (keyof State)[]) {
    const value = textOf(state[name]);
    if (value !== textOf(first[name])) parts.set(name, value);
  }
  return parts.toString();
}

function momentOf(text: string): Moment | undefined {
  if (text === "peak" || text === "end" || text === "exit") return text;
  const seconds = Number(text);
  return text && seconds >= 0 && Number.isFinite(seconds) ? seconds : undefined;
}

function valueOf(name: keyof State, text: string): State[keyof State] | undefined {
  const first = FIRST[name];
  if (name === "at") return momentOf(text);
  if (CHOICES[name]) return CHOICES[name].includes(text) ? text : undefined;
  if (typeof first === "boolean") return text === "1" ? true : text === "0" ? false : undefined;
  if (typeof first === "string") return text.length <= TEXT_MAX ? text : undefined;
  const number = Number(text);
  if (name === "from" || name === "to") return number >= 0 ? number : NaN;
  return Number.isInteger(number) && number >= -1 ? number : undefined;
}

export function fromFragment(fragment: string, first: State): State {
  const state: State = { ...first };
  for (const [name, text] of new URLSearchParams(fragment.replace(/^#/, ""))) {
    if (!(name in FIRST)) continue;
    const value = valueOf(name as keyof State, text);
    if (value !== undefined) Object.assign(state, { [name]: value });
  }
  if (!(state.from < state.to)) state.from = state.to = NaN;
  state.allocators &= (1 << ALLOCATORS.length) - 1;
  return state;
}

export function hasSpan(state: State): boolean {
  return state.from < state.to;
}

/** The one place in which the state is changed; whoever listens draws it. */
export class Store {
  state: State;
  private readonly listeners: (() => void)[] = [];

  /** `possible` makes of a state one that the page can show. */
  constructor(
    private readonly first: State,
    private readonly possible: (state: State) => State,
  ) {
    this.state = this.read();
    addEventListener("popstate", () => this.take());
    addEventListener("hashchange", () => this.take());
  }

  private read(): State {
    return this.possible(fromFragment(location.hash, this.first));
  }

  private take(): void {
    const state = this.read();
    if (toFragment(state, this.first) === toFragment(this.state, this.first)) return;
    this.state = state;
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }

  listen(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Changes the view. With `step` the back button comes back to the one before. */
  set(change: Partial<State>, step = false): void {
    const before = toFragment(this.state, this.first);
    this.state = this.possible({ ...this.state, ...change });
    const after = toFragment(this.state, this.first);
    if (after === before) return;
    const address = after ? `#${after}` : location.pathname + location.search;
    if (step) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    this.tell();
  }
}
