/*
 * The rows of the table: what counts, summed by line, function, file, package, module and so on; for
 * itself, or with all that it called.
 *
 * With what was called, a row counts the stacks in which it stands anywhere, each once. Every node's
 * total is added to its key's unless the key stands above it already; whether it does is known on a
 * walk in depth-first order, which keeps its place in the tree itself and needs no stack.
 */
import { ALLOCATORS, PLACE_FIRST } from "./data";
import { placeLine, type Model } from "./model";
import { linkChildren } from "./stacks";
import type { Group } from "./state";

/** Can it stand at any level of a stack? */
export function isPlaceGroup(by: Group): boolean {
  return by === "line" || by === "function" || by === "file" || by === "package" || by === "module";
}

export interface Keys {
  count: number;
  ofRow: (row: number) => number;
  ofPlace: Uint32Array; // of groups of places
  place: Int32Array; // by key: one of its places; -1: none
}

/** The two places that are none have keys of their own, in every grouping. */
function keysOfPlaces(model: Model, numbers: ArrayLike<number>): Keys {
  const ofPlace = new Uint32Array(model.places.count);
  const place: number[] = [0, 1];
  const known = new Map<number, number>();
  ofPlace[1] = 1;
  for (let i = PLACE_FIRST; i < ofPlace.length; i++) {
    const number = numbers[i]!;
    let key = known.get(number);
    if (key === undefined) {
      key = place.length;
      known.set(number, key);
      place.push(i);
    }
    ofPlace[i] = key;
  }
  return {
    count: place.length,
    ofRow: (row) => ofPlace[model.place[model.node[row]!]!]!,
    ofPlace,
    place: Int32Array.from(place),
  };
}

/** By place: its program or library, of Python's, whose modules are files, the file. */
function moduleNumbers(model: Model): Uint32Array {
  const names = [...model.modules, ...model.files];
  const numbers = new Map(names.map((name, i) => [name, i]));
  const { file, module } = model.places;
  return Uint32Array.from(file, (of, place) => numbers.get(module[place] ? model.modules[module[place]!]! : model.files[of]!)!);
}

function plainKeys(count: number, ofRow: (row: number) => number): Keys {
  return { count, ofRow, ofPlace: new Uint32Array(0), place: new Int32Array(count).fill(-1) };
}

/** A line of a file is one key, whichever functions are on it. */
export function keysOfSource(model: Model): Keys {
  return keysOfPlaces(model, Float64Array.from(model.places.file, (file, place) => file * 0x1000000 + placeLine(model, place)));
}

export function keysOf(model: Model, by: Group): Keys {
  switch (by) {
    case "line":
      return keysOfPlaces(model, model.places.line);
    case "function":
      return keysOfPlaces(model, model.places.owner);
    case "file":
      return keysOfPlaces(model, model.places.file);
    case "package":
      return keysOfPlaces(model, model.places.package);
    case "module":
      return keysOfPlaces(model, moduleNumbers(model));
    case "allocator":
      return plainKeys(ALLOCATORS.length, (row) => model.allocator[row]!);
    case "thread":
      return plainKeys(model.threads.length, (row) => model.thread[row]!);
    case "process":
      return plainKeys(model.processes.length + 1, (row) => 1 + model.threads[model.thread[row]!]!.process);
  }
}

/** Sums a column by key, of the rows that count. */
export function sumByKey(model: Model, keys: Keys, wanted: Uint8Array, column: Float64Array): Float64Array {
  const sums = new Float64Array(keys.count);
  for (let row = 0; row < model.node.length; row++) if (wanted[row]) sums[keys.ofRow(row)]! += column[row]!;
  return sums;
}

/** The tree's children, which do not depend on what is looked at. */
export interface Walk {
  childStart: Uint32Array;
  child: Uint32Array;
  next: Uint32Array; // by node: its next sibling, 0: none
}

export function walkOf(model: Model): Walk {
  const { childStart, child } = linkChildren(model.parent, new Float64Array(model.parent.length));
  const next = new Uint32Array(model.parent.length);
  for (let node = 0; node < model.parent.length; node++)
    for (let i = childStart[node]!; i + 1 < childStart[node + 1]!; i++) next[child[i]!] = child[i + 1]!;
  return { childStart, child, next };
}

/** By node: is its key on none of its callers? */
export function outermost(model: Model, keys: Keys, walk: Walk): Uint8Array {
  const onPath = new Uint32Array(keys.count);
  const first = new Uint8Array(model.parent.length);
  const keyAt = (node: number) => keys.ofPlace[model.place[node]!]!;
  const { childStart, child, next } = walk;
  const below = (node: number) => (childStart[node]! < childStart[node + 1]! ? child[childStart[node]!]! : 0);
  for (let node = below(0); node; ) {
    if (onPath[keyAt(node)]!++ === 0) first[node] = 1;
    const child = below(node);
    if (child) {
      node = child;
      continue;
    }
    while (node) {
      onPath[keyAt(node)]!--;
      if (next[node]) break;
      node = model.parent[node]!;
    }
    if (node) node = next[node]!;
  }
  return first;
}

/** The same sums with what was called. */
export function sumCumulated(model: Model, keys: Keys, wanted: Uint8Array, column: Float64Array,
                             first: Uint8Array): Float64Array {
  const totals = new Float64Array(model.parent.length);
  const sums = new Float64Array(keys.count);
  for (let row = 0; row < model.node.length; row++) if (wanted[row]) totals[model.node[row]!]! += column[row]!;
  sums[0] = totals[0]!;
  for (let node = totals.length - 1; node > 0; node--) {
    if (first[node]) sums[keys.ofPlace[model.place[node]!]!]! += totals[node]!;
    totals[model.parent[node]!]! += totals[node]!;
  }
  return sums;
}
