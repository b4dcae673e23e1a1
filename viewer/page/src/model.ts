/*
 * What the page counts by: rows of (stack, thread, allocator), of one recording or of two.
 *
 * Of two recordings the trees are laid over each other: a line is the same one on both sides when
 * its file, its function and its text are (so a line that has moved is still itself), the n-th of
 * equal ones with the n-th; a stack is the same when all its lines are. A row is of one side.
 *
 * A place is a line in a module. Compilers call different files the same, so that a line may be in
 * several modules, and so several places.
 *
 * Everything is arrays by number. Nothing in here changes once it is made.
 */
import {
  PLACE_FIRST,
  PLACE_FOLDED,
  PLACE_NONE,
  type ProcessFacts,
  type Run,
  type RowColumns,
  type ThreadFacts,
} from "./data";
import { lineOf, readSources, type Source, type Sources } from "./sources";

export interface Process {
  facts: ProcessFacts;
  side: number;
  parent: number; // number of a process; -1: none
}

export interface Thread {
  facts: ThreadFacts;
  side: number;
  process: number; // -1: of several
}

export interface Model {
  runs: Run[];
  files: string[]; // paths
  functions: string[];
  packages: string[];
  modules: string[]; // paths; the first one is "", Python's
  places: {
    count: number;
    file: Uint32Array; // from PLACE_FIRST on; so the others
    function: Uint32Array;
    package: Uint32Array;
    module: Uint32Array;
    line: Uint32Array; // the same number for one line in several modules
    owner: Uint32Array; // number of the function in its file
    lines: Int32Array[]; // by side; 0: the side does not have it
    ofSide: Uint32Array[]; // by side: by the run's own place
  };
  owners: Uint32Array; // by number of a function in its file: one of its places
  parent: Uint32Array; // by node
  place: Uint32Array;
  node: Uint32Array; // by row
  thread: Uint32Array;
  allocator: Uint8Array;
  side: Uint8Array;
  columns: RowColumns;
  firstRow: number[]; // by side
  threads: Thread[];
  processes: Process[];
  sources: Promise<Sources>[];
  readySources: (Sources | undefined)[]; // once they are there
  fileOfSide: Int32Array[]; // by side: by file, the run's own number, -1: none
}

/** Numbers for keys, from 0 on, in the order in which they come. */
class Numbers<Key> {
  private readonly known = new Map<Key, number>();
  readonly keys: Key[] = [];

  of(key: Key): number {
    let number = this.known.get(key);
    if (number === undefined) {
      number = this.keys.length;
      this.known.set(key, number);
      this.keys.push(key);
    }
    return number;
  }
}

function joined(...parts: (string | number | undefined)[]): string {
  return parts.join("\u001f");
}

/** By place: what says that lines, of two sides or in two modules, are the same one. */
function lineKeys(run: Run, sources: Sources | undefined): string[] {
  const { placeFile, placeFunction, placeLine } = run.tree;
  const order = Array.from(placeFile, (_, i) => i);
  if (sources) order.sort((a, b) => placeLine[a]! - placeLine[b]!);
  const seen = new Map<string, { line: number; ordinal: number }>();
  const keys: string[] = [];
  for (const i of order) {
    const file = placeFile[i]!;
    const line = placeLine[i]!;
    const text = sources && lineOf(sources.get(file), line)?.trim();
    const key = joined(run.files[file]![0], run.functions[placeFunction[i]!], text ?? line);
    const last = seen.get(key);
    const ordinal = !last ? 0 : last.line === line ? last.ordinal : last.ordinal + 1;
    seen.set(key, { line, ordinal });
    keys[i] = ordinal ? joined(key, ordinal) : key;
  }
  return keys;
}

function joinColumns(runs: Run[]): RowColumns {
  if (runs.length === 1) return runs[0]!.tree.columns;
  const rows = runs.reduce((sum, run) => sum + run.tree.node.length, 0);
  const joined: Partial<RowColumns> = {};
  for (const name of Object.keys(runs[0]!.tree.columns) as (keyof RowColumns)[]) {
    const column = new Float64Array(rows);
    let at = 0;
    for (const run of runs) {
      column.set(run.tree.columns[name], at);
      at += run.tree.node.length;
    }
    joined[name] = column;
  }
  return joined as RowColumns;
}

interface Places {
  file: number[];
  function: number[];
  package: number[];
  module: number[];
  line: number[];
  lines: number[][];
  ofSide: Uint32Array[];
}

/** The names of all runs. */
interface Names {
  files: Numbers<string>;
  functions: Numbers<string>;
  packages: Numbers<string>;
  modules: Numbers<string>;
}

function makeNames(): Names {
  const make = () => new Numbers<string>();
  const names = { files: make(), functions: make(), packages: make(), modules: make() };
  names.modules.of("");
  return names;
}

/** Lays the places of all runs over each other; those of one run keep their numbers. */
function joinPlaces(runs: Run[], sources: (Sources | undefined)[], names: Names): Places {
  const none = () => [0, 0];
  const places: Places = {
    file: none(), function: none(), package: none(), module: none(), line: none(),
    lines: runs.map(none),
    ofSide: [],
  };
  const numbers = new Numbers<string>();
  const lines = new Numbers<string>();
  runs.forEach((run, side) => {
    const { placeFile, placeFunction, placeLine } = run.tree;
    const keys = runs.length > 1 || run.modules.length ? lineKeys(run, sources[side]) : undefined;
    const own = new Uint32Array(PLACE_FIRST + placeFile.length);
    own[PLACE_FOLDED] = PLACE_FOLDED;
    for (let i = 0; i < placeFile.length; i++) {
      const [path, packageName, number] = run.files[placeFile[i]!]!;
      const module = number === undefined ? "" : run.modules[number]!;
      const place = PLACE_FIRST + (runs.length > 1 ? numbers.of(joined(keys![i], module)) : i);
      own[PLACE_FIRST + i] = place;
      places.file[place] = names.files.of(path);
      places.function[place] = names.functions.of(run.functions[placeFunction[i]!]!);
      places.package[place] = names.packages.of(packageName);
      places.module[place] = names.modules.of(module);
      places.line[place] = keys ? lines.of(keys[i]!) : i;
      places.lines[side]![place] = placeLine[i]!;
    }
    places.ofSide.push(own);
  });
  return places;
}

interface Nodes {
  parent: Uint32Array;
  place: Uint32Array;
  ofSide: Uint32Array[];
}

/** The same with their trees. */
function joinNodes(runs: Run[], ofSide: Uint32Array[]): Nodes {
  if (runs.length === 1) {
    const { parent, place } = runs[0]!.tree;
    return { parent, place, ofSide: [Uint32Array.from(parent, (_, i) => i)] };
  }
  const parents: number[] = [0];
  const places: number[] = [PLACE_NONE];
  const known = new Map<number, number>();
  const maps = runs.map((run, side) => {
    const { parent, place } = run.tree;
    const own = new Uint32Array(parent.length);
    for (let i = 1; i < parent.length; i++) {
      const to = own[parent[i]!]!;
      const at = ofSide[side]![place[i]!]!;
      const key = to * 0x1000000 + at;
      let node = known.get(key);
      if (node === undefined) {
        node = parents.length;
        known.set(key, node);
        parents.push(to);
        places.push(at);
      }
      own[i] = node;
    }
    return own;
  });
  return { parent: Uint32Array.from(parents), place: Uint32Array.from(places), ofSide: maps };
}

function joinProcesses(runs: Run[]): { processes: Process[]; threads: Thread[] } {
  const processes: Process[] = [];
  const threads: Thread[] = [];
  runs.forEach((run, side) => {
    const first = processes.length;
    for (const facts of run.processes) processes.push({ facts, side, parent: -1 });
    for (let i = first; i < processes.length; i++) {
      const parent = processes[i]!.facts.parent;
      // Numbers are used again: the latest one that began before.
      for (let k = i - 1; parent !== null && k >= first; k--)
        if (processes[k]!.facts.pid === parent) {
          processes[i]!.parent = k;
          break;
        }
    }
    for (const facts of run.threads)
      threads.push({ facts, side, process: facts.process === null ? -1 : first + facts.process });
  });
  return { processes, threads };
}

/** Functions of files: a number for each, and one of its places. */
function numberOwners(file: Uint32Array, functions: Uint32Array): { owner: Uint32Array; owners: Uint32Array } {
  const owner = new Uint32Array(file.length);
  const numbers = new Numbers<number>();
  const owners: number[] = [];
  for (let place = PLACE_FIRST; place < file.length; place++) {
    owner[place] = numbers.of(file[place]! * 0x1000000 + functions[place]!);
    owners[owner[place]!] ??= place;
  }
  return { owner, owners: Uint32Array.from(owners) };
}

export async function makeModel(runs: Run[]): Promise<Model> {
  const sources = runs.map((run) => readSources(run.packedSources));
  const ready = runs.length > 1 ? await Promise.all(sources) : [undefined];
  const names = makeNames();
  const places = joinPlaces(runs, ready, names);
  const nodes = joinNodes(runs, places.ofSide);
  const count = places.file.length;
  const file = Uint32Array.from(places.file);
  const functionOf = Uint32Array.from(places.function);
  const { owner, owners } = numberOwners(file, functionOf);
  const rows = runs.reduce((sum, run) => sum + run.tree.node.length, 0);
  const node = new Uint32Array(rows);
  const thread = new Uint32Array(rows);
  const allocator = new Uint8Array(rows);
  const side = new Uint8Array(rows);
  const firstRow: number[] = [];
  let row = 0;
  let firstThread = 0;
  runs.forEach((run, number) => {
    firstRow.push(row);
    for (let i = 0; i < run.tree.node.length; i++, row++) {
      node[row] = nodes.ofSide[number]![run.tree.node[i]!]!;
      thread[row] = firstThread + run.tree.thread[i]!;
      allocator[row] = run.tree.allocator[i]!;
      side[row] = number;
    }
    firstThread += run.threads.length;
  });
  const model: Model = {
    runs,
    files: names.files.keys,
    functions: names.functions.keys,
    packages: names.packages.keys,
    modules: names.modules.keys,
    places: {
      count,
      file,
      function: functionOf,
      package: Uint32Array.from(places.package),
      module: Uint32Array.from(places.module),
      line: Uint32Array.from(places.line),
      lines: places.lines.map((lines) => Int32Array.from({ length: count }, (_, i) => lines[i] ?? 0)),
      ofSide: places.ofSide,
      owner,
    },
    owners,
    parent: nodes.parent,
    place: nodes.place,
    node,
    thread,
    allocator,
    side,
    columns: joinColumns(runs),
    firstRow,
    ...joinProcesses(runs),
    sources,
    readySources: ready,
    fileOfSide: runs.map((run) => {
      const own = new Int32Array(names.files.keys.length).fill(-1);
      run.files.forEach(([path], i) => (own[names.files.of(path)] = i));
      return own;
    }),
  };
  sources.forEach((source, i) => void source.then((texts) => (model.readySources[i] = texts)));
  return model;
}

/** Were frames of native code recorded? */
export function hasModules(model: Model): boolean {
  return model.modules.length > 1;
}

/** The line of a place: of the last side that has it. */
export function placeLine(model: Model, place: number): number {
  let line = 0;
  for (const lines of model.places.lines) line = lines[place] || line;
  return line;
}

/** The side that a place's line is taken from. */
export function placeSide(model: Model, place: number): number {
  let side = 0;
  model.places.lines.forEach((lines, i) => {
    if (lines[place]) side = i;
  });
  return side;
}

export function fileSource(model: Model, side: number, file: number): Source | undefined {
  const own = model.fileOfSide[side]![file]!;
  return own < 0 ? undefined : model.readySources[side]?.get(own);
}

/** The source text of a place, once sources are there. */
export function placeText(model: Model, place: number): string | undefined {
  if (place < PLACE_FIRST) return undefined;
  const side = placeSide(model, place);
  return lineOf(fileSource(model, side, model.places.file[place]!), model.places.lines[side]![place]!);
}

const IMPORT_FILES = /^<frozen (importlib\._bootstrap(_external)?|zipimport)>$|\/importlib\/__init__\.py$/;

/** By place: is it the import system's own? */
export function importPlaces(model: Model): Uint8Array {
  const isImport = model.files.map((path) => IMPORT_FILES.test(path));
  const { count, file } = model.places;
  return Uint8Array.from({ length: count }, (_, i) => (i >= PLACE_FIRST && isImport[file[i]!] ? 1 : 0));
}
