/*
 * What the timeline draws: layers that stand on each other, and lines.
 *
 * Of several processes the heap is added up point by point. What the kernel says is sampled: between
 * two samples the first one holds.
 */
import { ALLOCATORS, type Curve } from "./data";
import type { Model } from "./model";
import type { State } from "./state";

export interface Layer {
  name: string;
  values: Float64Array;
}

export interface Drawing {
  times: Float64Array;
  layers: Layer[]; // the lowest first
  heap: Float64Array; // the most since the point before
  resident: Float64Array; // NaN: not known; so the others
  proportional: Float64Array;
  swapped: Float64Array;
}

function sumOf(columns: Float64Array[], length: number): Float64Array {
  const sum = new Float64Array(length);
  for (const column of columns) for (let i = 0; i < length; i++) sum[i]! += column[i]!;
  return sum;
}

function heldBy(curve: Curve): Float64Array {
  return sumOf(curve.byAllocator, curve.most.length);
}

/** The sum of what is known of each, which holds from one sample to the next, the last excepted. */
function sumOfKnown(columns: Float64Array[], length: number): Float64Array {
  const sum = new Float64Array(length).fill(NaN);
  for (const column of columns) {
    const last = column.findLastIndex((value) => !Number.isNaN(value));
    let now = NaN;
    for (let i = 0; i <= last; i++) {
      if (!Number.isNaN(column[i]!)) now = column[i]!;
      if (!Number.isNaN(now)) sum[i] = (Number.isNaN(sum[i]!) ? 0 : sum[i]!) + now;
    }
  }
  return sum;
}

/** The numbers of the curves that are shown, of a side. */
function chosenCurves(model: Model, side: number, state: State): number[] {
  const all = model.runs[side]!.curves.map((_, i) => i);
  if (state.process < 0) return all;
  const first = model.processes.findIndex((process) => process.side === side);
  const own = all.filter((i) => model.runs[side]!.curves[i] === state.process - first);
  return own.length ? own : all;
}

/** Is the timeline of the chosen process alone? */
export function hasOwnCurve(model: Model, state: State): boolean {
  return state.process >= 0 && chosenCurves(model, 0, state).length === 1;
}

export function draw(model: Model, side: number, state: State, nameOf: (process: number) => string): Drawing {
  const run = model.runs[side]!;
  const { times, curves } = run.history;
  const numbers = chosenCurves(model, side, state);
  const chosen = numbers.map((i) => curves[i]!);
  const first = model.processes.findIndex((process) => process.side === side);
  const layers =
    state.curves === "process" && chosen.length > 1
      ? numbers.map((number, i) => {
          const process = run.curves[number];
          return {
            name: process === null || process === undefined ? "other processes" : nameOf(first + process),
            values: heldBy(chosen[i]!),
          };
        })
      : ALLOCATORS.map((name, i) => ({
          name: name as string,
          values: sumOf(chosen.map((curve) => curve.byAllocator[i]!), times.length),
        }));
  const held = sumOf(chosen.map(heldBy), times.length);
  const only = chosen.length === 1 ? chosen[0]! : undefined;
  return {
    times,
    layers: layers.filter((layer) => layer.values.some((value) => value > 0)),
    heap: held.map((value, i) => (only && only.most[i]! > value ? only.most[i]! : value)),
    resident: sumOfKnown(chosen.map((curve) => curve.resident), times.length),
    proportional: sumOfKnown(chosen.map((curve) => curve.proportional), times.length),
    swapped: sumOfKnown(chosen.map((curve) => curve.swapped), times.length),
  };
}
