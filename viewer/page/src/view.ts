/*
 * What is shown, worked out from the model and the state. Everything is worked out when it is first
 * asked for and kept until something that it depends on is another.
 */
import { ALLOCATORS, PLACE_FIRST, PLACE_FOLDED, PLACE_NONE } from "./data";
import { isOther } from "./dom";
import { wantedRows } from "./filter";
import { baseName, lastFolder, seconds, shortCommand, shortPath, visible } from "./format";
import { keysOf, keysOfSource, outermost, sumByKey, sumCumulated, walkOf, type Keys, type Walk } from "./grouping";
import { invert } from "./invert";
import { placeLine, type Model } from "./model";
import { findPlaces, foundTotal, type Found } from "./search";
import { column, shownWhat, valuesOf, type Values } from "./selection";
import { growTree, splitKey, type StackTree } from "./stacks";
import { hasSpan, type State, type Store, type What } from "./state";

/** Keeps a result as long as what it was made for is the same. */
function kept<Result>(make: () => Result, depends: () => unknown[]): () => Result {
  let before: unknown[] | undefined;
  let result: Result;
  return () => {
    const now = depends();
    if (!before || isOther(now, before)) {
      result = make();
      before = now;
    }
    return result;
  };
}

/** The folder in which all files of the program are; "" when there is none. */
function commonFolder(model: Model): string {
  const own = new Set(model.places.file.filter((_, place) => place >= PLACE_FIRST && model.packages[model.places.package[place]!] === "program"));
  const folders = model.files
    .filter((path, file) => own.has(file) && path.startsWith("/"))
    .map((path) => path.split("/").slice(0, -1));
  const [first = [], ...others] = folders;
  let length = first.length;
  for (const folder of others) while (length > 0 && first.slice(0, length).join("/") !== folder.slice(0, length).join("/")) length--;
  return length > 1 ? first.slice(0, length).join("/") : "";
}

export class View {
  readonly isCompared: boolean;
  private readonly walk: () => Walk;

  constructor(
    readonly model: Model,
    readonly store: Store,
  ) {
    this.isCompared = model.runs.length > 1;
    this.walk = kept(() => walkOf(model), () => []);
  }

  get state(): State {
    return this.store.state;
  }

  get what(): What {
    return shownWhat(this.state);
  }

  readonly values: () => Values = kept(
    () => valuesOf(this.model, this.state),
    () => [this.state.at, this.state.from, this.state.to, this.state.process >= 0],
  );

  readonly wanted: () => Uint8Array = kept(
    () => wantedRows(this.model, this.state),
    () => [this.state.process, this.state.thread, this.state.allocators, this.state.include, this.state.exclude],
  );

  /** By side: which rows of it count. */
  readonly wantedSides: () => Uint8Array[] = kept(
    () =>
      this.model.runs.map((_, side) => {
        const wanted = this.wanted();
        return this.isCompared ? wanted.map((on, row) => (on && this.model.side[row] === side ? 1 : 0)) : wanted;
      }),
    () => [this.wanted()],
  );

  /** By side: what rows weigh. */
  private readonly weights: () => Float64Array[] = kept(
    () => {
      const values = column(this.values(), this.what);
      return this.wantedSides().map((wanted) => values.map((value, row) => (wanted[row] ? value : 0)));
    },
    () => [this.values(), this.wantedSides(), this.what],
  );

  /** The sums of what is looked at, by side. */
  readonly totals: () => number[] = kept(
    () => this.weights().map((weights) => weights.reduce((sum, value) => sum + value, 0)),
    () => [this.weights()],
  );

  private readonly upright: () => StackTree = kept(
    () => growTree(this.model, this.weights(), this.state, this.state.compared),
    () => {
      const { functions, recursion, imports, split, compared } = this.state;
      return [this.weights(), functions, recursion, imports, split, compared];
    },
  );

  /** The tree of the flame graph. */
  readonly tree: () => StackTree = kept(
    () => (this.state.inverted ? invert(this.upright(), splitKey(this.model)) : this.upright()),
    () => [this.upright(), this.state.inverted],
  );

  readonly found: () => Found = kept(
    () => findPlaces(this.model, this.state.search),
    () => [this.state.search],
  );

  /** By key of a frame: is it found? Where lines of a function are one, one of them is enough. */
  readonly foundKeys: () => Uint8Array = kept(
    () => {
      const { keys } = this.found();
      if (!this.state.functions) return keys;
      const { owner } = this.model.places;
      const found = keys.slice();
      for (let place = PLACE_FIRST; place < keys.length; place++)
        if (keys[place]) found[this.model.owners[owner[place]!]!] = 1;
      return found;
    },
    () => [this.found(), this.state.functions],
  );

  /** What the stacks have in which something was found. */
  readonly foundTotal: () => number = kept(
    () => (this.state.search ? foundTotal(this.upright(), this.foundKeys()) : 0),
    () => [this.upright(), this.foundKeys()],
  );

  /** By place: is it of the line whose source is shown? */
  readonly chosenPlaces: () => Uint8Array = kept(
    () => {
      const { file, line } = this.state;
      const { places } = this.model;
      const chosen = new Uint8Array(places.count);
      if (file < 0 || line <= 0) return chosen;
      for (let place = PLACE_FIRST; place < places.count; place++)
        if (places.file[place] === file && places.lines.some((lines) => lines[place] === line)) chosen[place] = 1;
      return chosen;
    },
    () => [this.state.file, this.state.line],
  );

  /* --- the table --- */

  readonly keys: () => Keys = kept(
    () => keysOf(this.model, this.state.by),
    () => [this.state.by],
  );

  private readonly outermost: () => Uint8Array = kept(
    () => outermost(this.model, this.keys(), this.walk()),
    () => [this.keys()],
  );

  get isCumulated(): boolean {
    return this.state.cumulative && this.keys().ofPlace.length > 0;
  }

  /** A column of the table, of one side. */
  sums(side: number, values: Float64Array): Float64Array {
    const wanted = this.wantedSides()[side]!;
    return this.isCumulated
      ? sumCumulated(this.model, this.keys(), wanted, values, this.outermost())
      : sumByKey(this.model, this.keys(), wanted, values);
  }

  /* --- the source --- */

  readonly sourceKeys: () => Keys = kept(
    () => keysOfSource(this.model),
    () => [],
  );

  private readonly sourceOutermost: () => Uint8Array = kept(
    () => outermost(this.model, this.sourceKeys(), this.walk()),
    () => [],
  );

  /** By side: what lines of source have, by key: for themselves and with what they called. */
  readonly sourceSums: () => { own: Float64Array; total: Float64Array }[] = kept(
    () => {
      const values = column(this.values(), this.what);
      return this.wantedSides().map((wanted) => ({
        own: sumByKey(this.model, this.sourceKeys(), wanted, values),
        total: sumCumulated(this.model, this.sourceKeys(), wanted, values, this.sourceOutermost()),
      }));
    },
    () => [this.values(), this.wantedSides(), this.what],
  );

  /* --- names --- */

  /** The folders that need not be said: where the program was started, and where all of it lies. */
  private readonly folders: () => string[] = kept(
    () => [this.model.runs[this.model.runs.length - 1]!.run.directory, commonFolder(this.model)],
    () => [],
  );

  filePath(file: number): string {
    return visible(this.model.files[file]!);
  }

  /** By file: is it native code's? */
  private readonly nativeFiles: () => Uint8Array = kept(
    () => {
      const { count, file, module } = this.model.places;
      const native = new Uint8Array(this.model.files.length);
      for (let place = PLACE_FIRST; place < count; place++) if (module[place]) native[file[place]!] = 1;
      return native;
    },
    () => [],
  );

  fileName(file: number): string {
    const name = shortPath(this.model.files[file]!, this.folders());
    return this.nativeFiles()[file] ? lastFolder(name) : name;
  }

  /** By module: what it is called without its folder, where no other one is called so too. */
  private readonly moduleNames: () => string[] = kept(
    () => {
      const { modules } = this.model;
      const isShared = (name: string) => modules.filter((path) => baseName(path) === name).length > 1;
      return modules.map((path) => visible(isShared(baseName(path)) ? path : baseName(path)));
    },
    () => [],
  );

  /** The program or library that native code is of; "" of Python's. */
  moduleName(place: number): string {
    return place < PLACE_FIRST ? "" : this.moduleNames()[this.model.places.module[place]!]!;
  }

  modulePath(place: number): string {
    return visible(this.model.modules[this.model.places.module[place]!]!);
  }

  functionName(place: number): string {
    if (place === PLACE_NONE) return "no Python frame";
    if (place === PLACE_FOLDED) return "other";
    return visible(this.model.functions[this.model.places.function[place]!]!);
  }

  /** "file" and ":line", or what else there is to say of a place. */
  positionParts(place: number): { file: string; line: string } {
    if (place < PLACE_FIRST) return { file: place === PLACE_FOLDED ? "smaller stacks, folded" : "", line: "" };
    const line = placeLine(this.model, place);
    const { file, module } = this.model.places;
    const isModule = this.model.files[file[place]!] === this.model.modules[module[place]!];
    return { file: isModule ? this.moduleName(place) : this.fileName(file[place]!), line: line > 0 ? `:${line}` : "" };
  }

  position(place: number, withLine = true): string {
    const { file, line } = this.positionParts(place);
    return withLine ? file + line : file;
  }

  packageOf(place: number): string {
    return place < PLACE_FIRST ? "" : this.model.packages[this.model.places.package[place]!]!;
  }

  packageName(place: number): string {
    const name = this.packageOf(place);
    const known: Record<string, string> = { program: "the program itself", stdlib: "standard library", system: "operating system" };
    return Object.hasOwn(known, name) ? known[name]! : visible(name);
  }

  processName(number: number): string {
    const process = this.model.processes[number];
    return process ? `${process.facts.pid} ${shortCommand(process.facts.command)}` : "other processes";
  }

  threadName(number: number): string {
    const { facts, process } = this.model.threads[number]!;
    const of = this.model.processes.length > 1 ? ` of ${this.model.processes[process]?.facts.pid ?? "others"}` : "";
    if (facts.summed) return `${facts.summed} other threads${of}`;
    return `${visible(facts.name ?? "")} ${facts.tid}${of}`;
  }

  /** What a frame of the flame graph is called: its function, or what its stacks are split by. */
  frameName(key: number): string {
    const number = key - splitKey(this.model);
    if (number < 0) return this.functionName(key);
    if (this.state.split === "thread") return this.threadName(number);
    if (this.state.split === "process") return this.processName(number - 1);
    return ALLOCATORS[number]!;
  }

  isSplit(key: number): boolean {
    return key >= splitKey(this.model);
  }

  /* --- what is looked at, in words --- */

  momentText(): string {
    const { state } = this;
    if (hasSpan(state)) return `from ${seconds(state.from)} to ${seconds(state.to)}`;
    if (typeof state.at === "number") return `at ${seconds(state.at)}`;
    return { peak: "at the peak", end: "at the end", exit: "leaked" }[state.at];
  }

  whatText(): string {
    const isSpan = hasSpan(this.state);
    return {
      bytes: isSpan ? "allocated and kept" : "held",
      blocks: isSpan ? "blocks allocated and kept" : "blocks held",
      allocated: "allocated",
      allocations: "allocations",
      temporary: "temporary allocations, bytes",
      "temporary-blocks": "temporary allocations",
      freed: "freed, of what was there before",
      "freed-blocks": "blocks freed, of those before",
    }[this.what];
  }

  /** Does what is looked at belong to a moment or a span, and not to the whole run? */
  get isOfMoment(): boolean {
    return hasSpan(this.state) || this.what === "bytes" || this.what === "blocks";
  }

  title(): string {
    return this.isOfMoment ? `${this.whatText()} ${this.momentText()}` : `${this.whatText()}, whole run`;
  }
}
