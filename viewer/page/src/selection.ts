/*
 * What every row holds or has done at what is being looked at: a moment with a name, a moment of
 * time, a span of time, or the whole run.
 *
 * Moments and spans lie at edges (schema/page_format.h), and are exact there. What a row holds at an
 * edge is the sum of its changes before it. What was there at a span's start and freed in it are the
 * deaths in it of what had been allocated before; what was allocated in it and kept follows.
 */
import type { History } from "./data";
import { hasModules, type Model } from "./model";
import { hasSpan, type State, type What } from "./state";

/** What rows have, by row. `freed…` are there for spans alone. */
export interface Values {
  bytes: Float64Array;
  blocks: Float64Array;
  allocated: Float64Array;
  allocations: Float64Array;
  temporary: Float64Array | undefined;
  temporaryBlocks: Float64Array | undefined;
  freed: Float64Array | undefined;
  freedBlocks: Float64Array | undefined;
}

/** The number of the edge that is nearest to a time. */
export function nearest(edges: ArrayLike<number>, time: number): number {
  let from = 0;
  let to = edges.length - 1;
  while (to - from > 1) {
    const middle = (from + to) >> 1;
    if (edges[middle]! <= time) from = middle;
    else to = middle;
  }
  return time - edges[from]! <= edges[to]! - time ? from : to;
}

/** The times at which spans of a run may begin and end. */
function spanTimes(history: History, exact: boolean): Float64Array {
  if (!exact) return history.edges;
  return Float64Array.from(history.deathEdges, (edge) => history.edges[edge]!);
}

/** Is it known what became of each block, so that spans tell kept from freed? */
export function knowsDeaths(model: Model): boolean {
  return model.runs.every((run) => run.run.history);
}

/** The times of moments, and of the ends of spans, that can be chosen: those of the last run. */
export function choosable(model: Model, isSpan: boolean): Float64Array {
  const { history } = model.runs[model.runs.length - 1]!;
  return isSpan ? spanTimes(history, knowsDeaths(model)) : history.edges;
}

/** The same state, but with times, numbers and groups that there are. */
export function possibleState(model: Model, state: State): State {
  const snapped = (time: number, isSpan: boolean) => {
    const times = choosable(model, isSpan);
    return times[nearest(times, time)]!;
  };
  const next = { ...state };
  if (hasSpan(state)) {
    next.from = snapped(state.from, true);
    next.to = snapped(state.to, true);
    if (next.from === next.to) next.at = next.from;
    if (next.from === next.to) next.from = next.to = NaN;
  } else if (typeof state.at === "number") {
    next.at = snapped(state.at, false);
  }
  if (next.process >= model.processes.length) next.process = -1;
  if (next.thread >= model.threads.length) next.thread = -1;
  if (!hasModules(model) && next.by === "module") next.by = "file";
  if (!hasModules(model) && next.colours === "module") next.colours = "package";
  return next;
}

class Sums {
  readonly values: Values;

  constructor(private readonly model: Model, isSpan: boolean) {
    const column = () => new Float64Array(model.node.length);
    this.values = {
      bytes: column(),
      blocks: column(),
      allocated: column(),
      allocations: column(),
      temporary: undefined,
      temporaryBlocks: undefined,
      freed: isSpan ? column() : undefined,
      freedBlocks: isSpan ? column() : undefined,
    };
  }

  /** Adds what a side's rows gained from one edge to another. */
  addChanges(side: number, from: number, to: number): void {
    const { changes } = this.model.runs[side]!.history;
    const first = this.model.firstRow[side]!;
    const { bytes, blocks, allocated, allocations } = this.values;
    for (let i = changes.starts[from]!; i < changes.starts[to]!; i++) {
      const row = first + changes.row[i]!;
      bytes[row]! += changes.bytes[i]!;
      blocks[row]! += changes.blocks[i]!;
      allocated[row]! += changes.allocatedBytes[i]!;
      allocations[row]! += changes.allocations[i]!;
    }
  }

  /** Adds what was there before and freed, between two edges of deaths: what was kept is that much
   * more than what was gained. */
  addDeaths(side: number, from: number, to: number): void {
    const { deaths } = this.model.runs[side]!.history;
    const first = this.model.firstRow[side]!;
    const { bytes, blocks, freed, freedBlocks } = this.values;
    for (let i = deaths.starts[from]!; i < deaths.starts[to]!; i++) {
      if (deaths.born[i]! >= from) continue;
      const row = first + deaths.row[i]!;
      bytes[row]! += deaths.bytes[i]!;
      blocks[row]! += deaths.blocks[i]!;
      freed![row]! += deaths.bytes[i]!;
      freedBlocks![row]! += deaths.blocks[i]!;
    }
  }

  /** Without deaths only differences are known: what is negative was freed. */
  partSigns(side: number): void {
    const { bytes, blocks, freed, freedBlocks } = this.values;
    const end = this.model.firstRow[side + 1] ?? bytes.length;
    for (let row = this.model.firstRow[side]!; row < end; row++) {
      freed![row] = Math.max(0, -bytes[row]!);
      freedBlocks![row] = Math.max(0, -blocks[row]!);
      bytes[row] = Math.max(0, bytes[row]!);
      blocks[row] = Math.max(0, blocks[row]!);
    }
  }
}

function atTime(model: Model, time: number): Values {
  const sums = new Sums(model, false);
  model.runs.forEach((run, side) => sums.addChanges(side, 0, nearest(run.history.edges, time)));
  const { allocatedBytes, allocations, temporaryBytes, temporaryBlocks } = model.columns;
  return {
    ...sums.values,
    allocated: allocatedBytes,
    allocations,
    temporary: temporaryBytes,
    temporaryBlocks,
  };
}

function ofSpan(model: Model, from: number, to: number): Values {
  const sums = new Sums(model, true);
  model.runs.forEach((run, side) => {
    const { history } = run;
    if (!run.run.history) {
      sums.addChanges(side, nearest(history.edges, from), nearest(history.edges, to));
      sums.partSigns(side);
      return;
    }
    const times = spanTimes(history, true);
    const first = nearest(times, from);
    const last = nearest(times, to);
    sums.addChanges(side, history.deathEdges[first]!, history.deathEdges[last]!);
    sums.addDeaths(side, first, last);
  });
  return sums.values;
}

/** All values of what is being looked at. */
export function valuesOf(model: Model, state: State): Values {
  if (hasSpan(state)) return ofSpan(model, state.from, state.to);
  if (typeof state.at === "number") return atTime(model, state.at);
  const columns = model.columns;
  const own = state.process >= 0; // a process's peak is its own
  const held = {
    peak: own
      ? { bytes: columns.ownPeakBytes, blocks: columns.ownPeakBlocks }
      : { bytes: columns.peakBytes, blocks: columns.peakBlocks },
    end: { bytes: columns.endBytes, blocks: columns.endBlocks },
    exit: { bytes: columns.leakedBytes, blocks: columns.leakedBlocks },
  }[state.at];
  return {
    ...held,
    allocated: columns.allocatedBytes,
    allocations: columns.allocations,
    temporary: columns.temporaryBytes,
    temporaryBlocks: columns.temporaryBlocks,
    freed: undefined,
    freedBlocks: undefined,
  };
}

/** Can this be looked at now? Of a span it is not known what was temporary, and only of a span what
 * was freed. */
export function canShow(state: State, what: What): boolean {
  const isSpan = hasSpan(state);
  if (what.startsWith("temporary")) return !isSpan;
  if (what.startsWith("freed")) return isSpan;
  return true;
}

/** What is looked at, where it cannot be what was asked for. */
export function shownWhat(state: State): What {
  return canShow(state, state.what) ? state.what : state.what.endsWith("blocks") ? "blocks" : "bytes";
}

export function column(values: Values, what: What): Float64Array {
  const found = {
    bytes: values.bytes,
    blocks: values.blocks,
    allocated: values.allocated,
    allocations: values.allocations,
    temporary: values.temporary,
    "temporary-blocks": values.temporaryBlocks,
    freed: values.freed,
    "freed-blocks": values.freedBlocks,
  }[what];
  return found ?? values.bytes;
}

export function isCount(what: What): boolean {
  return what === "allocations" || what.endsWith("blocks");
}
