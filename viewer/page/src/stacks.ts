/*
 * The tree that the flame graph shows, grown from the rows that count.
 *
 * Frames have keys: a place of the model, or something that stacks are split by. On the way from the
 * model's tree to this one, lines of a function may become one frame, the import system's frames be
 * left out, and a call of what is on the stack already be merged into the outer call. Node 0 is the
 * root; parents are smaller than their children.
 *
 * Of two recordings every node has what each side has, beside what its width says.
 *
 * Nothing here calls itself: stacks may be thousands of frames deep.
 */
import { PLACE_NONE } from "./data";
import { importPlaces, type Model } from "./model";
import type { Compared, Split } from "./state";

export interface StackTree {
  count: number;
  key: Uint32Array;
  parent: Uint32Array;
  own: Float64Array; // by node: of stacks that end there
  total: Float64Array; // and with all below
  sides: { own: Float64Array; total: Float64Array }[]; // of two recordings; else empty
  childStart: Uint32Array; // by node: its children are child[childStart[n]] to before the next
  child: Uint32Array; // the largest first
}

export interface StackOptions {
  functions: boolean;
  recursion: boolean;
  imports: boolean;
  split: Split;
}

/** What stacks are split by has keys from here on. */
export function splitKey(model: Model): number {
  return model.places.count;
}

/** By row: the number of what it is split by. */
function splitOf(model: Model, split: Split): (row: number) => number {
  switch (split) {
    case "thread":
      return (row) => model.thread[row]!;
    case "process":
      return (row) => 1 + model.threads[model.thread[row]!]!.process;
    default:
      return (row) => model.allocator[row]!;
  }
}

class Builder {
  readonly key: number[] = [0];
  readonly parent: number[] = [0];
  readonly own: number[][] = [];
  private readonly known = new Map<number, number>();
  private readonly isImport: Uint8Array | undefined;

  constructor(
    private readonly model: Model,
    private readonly options: StackOptions,
    sides: number,
  ) {
    for (let i = 0; i < sides; i++) this.own.push([0]);
    if (options.imports) this.isImport = importPlaces(model);
  }

  child(parent: number, key: number): number {
    const both = parent * 0x1000000 + key;
    let node = this.known.get(both);
    if (node === undefined) {
      node = this.key.length;
      this.known.set(both, node);
      this.key.push(key);
      this.parent.push(parent);
      for (const own of this.own) own.push(0);
    }
    return node;
  }

  /** The frame with this key that the node is or was called from, above `root`; -1: none. */
  private onStack(node: number, root: number, key: number): number {
    for (; node !== root; node = this.parent[node]!) if (this.key[node] === key) return node;
    return -1;
  }

  /** What a frame at a place, called from `parent`, becomes. */
  step(parent: number, root: number, place: number): number {
    const { model, options } = this;
    if (this.isImport?.[place]) return parent;
    const key = options.functions && place > 1 ? model.owners[model.places.owner[place]!]! : place;
    if (options.recursion) {
      const outer = this.onStack(parent, root, key);
      if (outer >= 0) return outer;
    }
    return this.child(parent, key);
  }
}

/** Adds the stacks of some rows below `root`. */
function grow(builder: Builder, model: Model, rows: number[] | undefined, weights: Float64Array[],
              root: number, scratch: Uint32Array): void {
  const { node, parent, place } = model;
  const into = scratch.fill(0);
  const used: number[] = [];
  const visit = (row: number) => {
    if (!weights.some((weight) => weight[row] !== 0)) return;
    for (let at = node[row]!; at && !into[at]; at = parent[at]!) {
      into[at] = 1;
      used.push(at);
    }
  };
  if (rows) rows.forEach(visit);
  else for (let row = 0; row < node.length; row++) visit(row);
  const order = Uint32Array.from(used).sort();
  into[0] = root;
  for (const at of order) into[at] = builder.step(into[parent[at]!]!, root, place[at]!);
  const add = (row: number) => {
    weights.forEach((weight, side) => {
      if (weight[row] === 0) return;
      const to = node[row] ? into[node[row]!]! : builder.child(root, PLACE_NONE);
      builder.own[side]![to]! += weight[row]!;
    });
  };
  if (rows) rows.forEach(add);
  else for (let row = 0; row < node.length; row++) add(row);
}

function groupsOf(model: Model, split: Split): Map<number, number[]> {
  const of = splitOf(model, split);
  const groups = new Map<number, number[]>();
  for (let row = 0; row < model.node.length; row++) {
    const group = of(row);
    const rows = groups.get(group);
    if (rows) rows.push(row);
    else groups.set(group, [row]);
  }
  return groups;
}

function sumUp(own: Float64Array, parent: ArrayLike<number>): Float64Array {
  const total = own.slice();
  for (let node = total.length - 1; node > 0; node--) total[parent[node]!]! += total[node]!;
  return total;
}

/** Puts every node's children together, the largest first. */
export function linkChildren(parent: ArrayLike<number>, total: Float64Array): Pick<StackTree, "childStart" | "child"> {
  const count = total.length;
  const childStart = new Uint32Array(count + 1);
  for (let node = 1; node < count; node++) childStart[parent[node]! + 1]!++;
  for (let node = 0; node < count; node++) childStart[node + 1]! += childStart[node]!;
  const child = new Uint32Array(Math.max(0, count - 1));
  const next = childStart.slice();
  for (let node = 1; node < count; node++) child[next[parent[node]!]!++] = node;
  for (let node = 0; node < count; node++) {
    const from = childStart[node]!;
    const to = childStart[node + 1]!;
    if (to - from > 1) child.subarray(from, to).sort((a, b) => total[b]! - total[a]! || a - b);
  }
  return { childStart, child };
}

/** What widths say, of what two sides have. */
function widthOf(compared: Compared, before: number, after: number): number {
  switch (compared) {
    case "before":
      return before;
    case "after":
      return after;
    case "grown":
      return Math.max(0, after - before);
    case "shrunk":
      return Math.max(0, before - after);
  }
}

/** The tree of all rows, each of which has `weights` by side; of one recording there is one side. */
export function growTree(model: Model, weights: Float64Array[], options: StackOptions, compared: Compared): StackTree {
  const builder = new Builder(model, options, weights.length);
  const scratch = new Uint32Array(model.parent.length);
  if (options.split === "none") {
    grow(builder, model, undefined, weights, 0, scratch);
  } else {
    for (const [group, rows] of groupsOf(model, options.split))
      if (rows.some((row) => weights.some((weight) => weight[row] !== 0)))
        grow(builder, model, rows, weights, builder.child(0, splitKey(model) + group), scratch);
  }
  const parent = Uint32Array.from(builder.parent);
  const owns = builder.own.map((own) => Float64Array.from(own, (value) => Math.max(0, value)));
  const own =
    owns.length === 1
      ? owns[0]!
      : Float64Array.from(owns[0]!, (before, i) => widthOf(compared, before, owns[1]![i]!));
  const total = sumUp(own, parent);
  return {
    count: parent.length,
    key: Uint32Array.from(builder.key),
    parent,
    own,
    total,
    sides: owns.length === 1 ? [] : owns.map((one) => ({ own: one, total: sumUp(one, parent) })),
    ...linkChildren(parent, total),
  };
}

/** The node at the end of a path of keys from the root; -1 when there is none. */
export function findPath(tree: StackTree, path: readonly number[]): number {
  let node = 0;
  for (const key of path) {
    let found = -1;
    for (let i = tree.childStart[node]!; i < tree.childStart[node + 1]!; i++)
      if (tree.key[tree.child[i]!] === key) found = tree.child[i]!;
    if (found < 0) return -1;
    node = found;
  }
  return node;
}

/** The keys from the root to a node. */
export function pathOf(tree: StackTree, node: number): number[] {
  const path: number[] = [];
  for (; node; node = tree.parent[node]!) path.push(tree.key[node]!);
  return path.reverse();
}
