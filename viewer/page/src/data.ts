/*
 * The data of the page as heapline has written it: schema/page_format.h in TypeScript. What is
 * packed becomes typed arrays, one for each column.
 */
import { Reader, unpack } from "./packed";

export const FORMAT = 2;

/* Places that are no lines. */
export const PLACE_NONE = 0;
export const PLACE_FOLDED = 1;
export const PLACE_FIRST = 2;

export const ALLOCATORS = ["malloc", "raw", "mem", "object", "mmap", "file", "reserved"] as const;

export interface RunFacts {
  file: string;
  command: string[];
  started: string;
  seconds: number | null;
  complete: boolean;
  lost_events: number;
  directory: string;
  length: number;
  history: boolean;
  trouble: string | null;
}

export interface ProcessFacts {
  pid: number;
  parent: number | null;
  command: string[];
  python: string | null;
  exit_status: number | null;
  signal: number | null;
  peak_bytes: number;
  peak_blocks: number;
  peak_time: number | null;
  end_bytes: number;
  end_blocks: number;
  end_time: number | null;
  end_seen: boolean;
  leaked_bytes: number;
  leaked_blocks: number;
  allocations: number;
  frees: number;
  allocated_bytes: number;
  started: number | null;
  ended: number | null;
  ending: string;
  core_dumped: boolean | null;
  out_of_memory: boolean | null;
  failed_allocations: number | null;
  largest_failed_bytes: number | null;
  unmatched_frees: number;
  lost_events: number;
  python_stacks: boolean;
  whole_history: boolean;
  environment?: Record<string, string>;
}

export interface ThreadFacts {
  process: number | null; // null: of several
  tid?: number;
  name?: string;
  summed?: number; // how many it stands for
}

export interface Totals {
  peak_known: boolean;
  peak_bytes: number;
  peak_blocks: number;
  peak_time: number | null;
  end_bytes: number;
  end_blocks: number;
  leaked_bytes: number;
  leaked_blocks: number;
  allocated_bytes: number;
  allocations: number;
  frees: number;
  run_end_bytes: number;
  run_end_blocks: number;
  run_end_processes: number;
}

export interface Limits {
  stacks: number;
  stacks_kept: number;
  time_stacks_kept: number;
  threads: number;
  processes: number;
  processes_of_run: number;
  curves_summed: number;
  curves_played: boolean;
  temporary: number;
  inherited: boolean;
}

/** Path, package, and of native code the number of its module. */
export type FileData = [string, string, number?];

interface RunData {
  run: RunFacts;
  processes: ProcessFacts[];
  threads: ThreadFacts[];
  curves: (number | null)[];
  totals: Totals;
  limits: Limits;
  files: FileData[];
  functions: string[];
  modules: string[]; // paths of the programs and libraries that native code is of
  tree: string;
  history: string;
  sources: string;
}

type MomentData = "peak" | "end" | "exit" | number;

export interface FirstView {
  at?: MomentData;
  between?: [MomentData, MomentData];
  temporary: boolean;
  include: string[];
  exclude: string[];
  allocators: number[];
}

export interface PageData {
  format: number;
  version: string;
  view: FirstView;
  runs: RunData[];
}

/** What rows hold or have done: a column each. */
export interface RowColumns {
  peakBlocks: Float64Array;
  peakBytes: Float64Array;
  ownPeakBlocks: Float64Array;
  ownPeakBytes: Float64Array;
  endBlocks: Float64Array;
  endBytes: Float64Array;
  leakedBlocks: Float64Array;
  leakedBytes: Float64Array;
  temporaryBlocks: Float64Array;
  temporaryBytes: Float64Array;
  allocations: Float64Array;
  allocatedBytes: Float64Array;
}

export interface Tree {
  placeFile: Uint32Array; // these three by place, from PLACE_FIRST on
  placeFunction: Uint32Array;
  placeLine: Int32Array;
  parent: Uint32Array; // by node
  place: Uint32Array;
  node: Uint32Array; // by row
  thread: Uint32Array;
  allocator: Uint8Array;
  columns: RowColumns;
}

export interface Curve {
  byAllocator: Float64Array[];
  most: Float64Array; // NaN: not known; so the rest
  resident: Float64Array;
  proportional: Float64Array;
  swapped: Float64Array;
}

/** By bucket: entries from starts[n] to before starts[n + 1]. */
export interface Changes {
  starts: Uint32Array;
  row: Uint32Array;
  allocations: Float64Array;
  allocatedBytes: Float64Array;
  blocks: Float64Array;
  bytes: Float64Array;
}

export interface Deaths {
  starts: Uint32Array;
  row: Uint32Array;
  born: Uint32Array; // bucket of deaths
  blocks: Float64Array;
  bytes: Float64Array;
}

export interface History {
  times: Float64Array; // of the curves' points, in seconds
  curves: Curve[];
  edges: Float64Array; // in seconds
  changes: Changes;
  deathEdges: Uint32Array; // numbers of edges
  deaths: Deaths;
}

export interface Run extends Omit<RunData, "tree" | "history" | "sources"> {
  tree: Tree;
  history: History;
  packedSources: string;
}

function readTree(reader: Reader): Tree {
  const places = reader.one();
  const placeFile = reader.column(new Uint32Array(places));
  const placeFunction = reader.column(new Uint32Array(places));
  const placeLine = reader.signedSteps(new Int32Array(places));
  const nodes = reader.one();
  const parent = reader.column(new Uint32Array(nodes));
  for (let i = 0; i < nodes; i++) parent[i] = i - parent[i]!;
  const place = reader.signedSteps(new Uint32Array(nodes));
  const rows = reader.one();
  const numbers = () => reader.column(new Float64Array(rows));
  return {
    placeFile,
    placeFunction,
    placeLine,
    parent,
    place,
    node: reader.signedSteps(new Uint32Array(rows)),
    thread: reader.column(new Uint32Array(rows)),
    allocator: reader.column(new Uint8Array(rows)),
    columns: {
      peakBlocks: numbers(),
      peakBytes: numbers(),
      ownPeakBlocks: numbers(),
      ownPeakBytes: numbers(),
      endBlocks: numbers(),
      endBytes: numbers(),
      leakedBlocks: numbers(),
      leakedBytes: numbers(),
      temporaryBlocks: numbers(),
      temporaryBytes: numbers(),
      allocations: numbers(),
      allocatedBytes: numbers(),
    },
  };
}

function readCurve(reader: Reader, points: number): Curve {
  return {
    byAllocator: ALLOCATORS.map(() => reader.signedSteps(new Float64Array(points))),
    most: reader.knownSteps(new Float64Array(points)),
    resident: reader.knownSteps(new Float64Array(points)),
    proportional: reader.knownSteps(new Float64Array(points)),
    swapped: reader.knownSteps(new Float64Array(points)),
  };
}

/** Where each bucket's entries begin, from how many each has. */
function readStarts(reader: Reader, buckets: number): Uint32Array {
  const starts = new Uint32Array(buckets + 1);
  for (let i = 0; i < buckets; i++) starts[i + 1] = starts[i]! + reader.one();
  return starts;
}

function readChanges(reader: Reader, buckets: number): Changes {
  const starts = readStarts(reader, buckets);
  const count = starts[buckets]!;
  return {
    starts,
    row: reader.signedSteps(new Uint32Array(count)),
    allocations: reader.column(new Float64Array(count)),
    allocatedBytes: reader.column(new Float64Array(count)),
    blocks: reader.signedColumn(new Float64Array(count)),
    bytes: reader.signedColumn(new Float64Array(count)),
  };
}

function readDeaths(reader: Reader, buckets: number): Deaths {
  const starts = readStarts(reader, buckets);
  const count = starts[buckets]!;
  const row = reader.signedSteps(new Uint32Array(count));
  const born = reader.column(new Uint32Array(count));
  for (let bucket = 0; bucket < buckets; bucket++)
    for (let i = starts[bucket]!; i < starts[bucket + 1]!; i++) born[i] = bucket - born[i]!;
  return {
    starts,
    row,
    born,
    blocks: reader.signedColumn(new Float64Array(count)),
    bytes: reader.signedColumn(new Float64Array(count)),
  };
}

function seconds(times: Float64Array): Float64Array {
  return times.map((time) => time / 1e6);
}

function readHistory(reader: Reader): History {
  const points = reader.one();
  const times = seconds(reader.steps(new Float64Array(points)));
  const curves: Curve[] = [];
  for (let count = reader.one(); count > 0; count--) curves.push(readCurve(reader, points));
  const edges = seconds(reader.steps(new Float64Array(reader.one())));
  const changes = readChanges(reader, edges.length - 1);
  const deathEdges = reader.steps(new Uint32Array(reader.one()));
  const deaths = readDeaths(reader, deathEdges.length - 1);
  return { times, curves, edges, changes, deathEdges, deaths };
}

/** The data in the document. */
export function readPage(text: string): PageData {
  const data = JSON.parse(text) as PageData;
  if (data.format !== FORMAT) throw new Error(`data of format ${data.format}, not ${FORMAT}`);
  return data;
}

export async function readRun(data: RunData): Promise<Run> {
  const [tree, history] = await Promise.all([unpack(data.tree), unpack(data.history)]);
  return {
    ...data,
    tree: readTree(new Reader(tree)),
    history: readHistory(new Reader(history)),
    packedSources: data.sources,
  };
}
