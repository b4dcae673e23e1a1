/*
 * A tree of stacks turned around: the innermost frame first, its callers below.
 *
 * Level by level: a frame's stacks are sorted by who called it. What is below a small part of the
 * whole is not gone into, so that the work is bounded by what can be seen. Where stacks are split,
 * what they are split by stays first.
 */
import { linkChildren, type StackTree } from "./stacks";

/* Frames of less than this part of all have no callers. */
const LEAST = 1 / 20000;

/** One stack: how far outwards it has been followed, and where it ends. */
interface Stacks {
  at: Uint32Array; // by number: a node of the tree, 0: followed to its end
  leaf: Uint32Array;
}

class Turned {
  readonly key: number[] = [0];
  readonly parent: number[] = [0];
  readonly items: Uint32Array[] = [];
  readonly isEnd: Uint8Array;

  constructor(private readonly tree: StackTree, private readonly stacks: Stacks, firstSplit: number) {
    this.items.push(Uint32Array.from(stacks.leaf, (_, i) => i));
    // What stacks are split by is no caller.
    this.isEnd = Uint8Array.from(tree.key, (key, i) => (i === 0 || key >= firstSplit ? 1 : 0));
  }

  private add(parent: number, key: number, items: number[]): void {
    this.key.push(key);
    this.parent.push(parent);
    this.items.push(Uint32Array.from(items));
  }

  /** Sorts a node's stacks by a key, and makes a child for each. */
  expand(node: number, keyOf: (item: number) => number): void {
    const groups = new Map<number, number[]>();
    for (const item of this.items[node]!) {
      const key = keyOf(item);
      if (key < 0) continue;
      const group = groups.get(key);
      if (group) group.push(item);
      else groups.set(key, [item]);
    }
    for (const [key, items] of groups) this.add(node, key, items);
  }

  /** The frame that a stack has come to, which it then leaves; -1: there is none. */
  next(item: number): number {
    const { at } = this.stacks;
    const node = at[item]!;
    if (this.isEnd[node]) return -1;
    at[item] = this.tree.parent[node]!;
    return this.tree.key[node]!;
  }

  /** What a stack is split by; -1: nothing. */
  splitOf(item: number): number {
    let node = this.stacks.leaf[item]!;
    while (!this.isEnd[node]) node = this.tree.parent[node]!;
    return node ? this.tree.key[node]! : -1;
  }
}

function sumItems(items: Uint32Array[], leaf: Uint32Array, own: Float64Array): Float64Array {
  return Float64Array.from(items, (list) => list.reduce((sum, item) => sum + own[leaf[item]!]!, 0));
}

/** What each has for itself: what its children have not. */
function remainders(parent: ArrayLike<number>, total: Float64Array): Float64Array {
  const own = total.slice();
  for (let node = 1; node < total.length; node++) own[parent[node]!]! -= total[node]!;
  return own.map((value) => Math.max(0, value));
}

export function invert(tree: StackTree, firstSplit: number): StackTree {
  const has = (node: number) => tree.own[node]! > 0 || tree.sides.some((side) => side.own[node]! > 0);
  const leaf = Uint32Array.from(Array.from({ length: tree.count }, (_, i) => i).filter(has));
  const turned = new Turned(tree, { at: leaf.slice(), leaf }, firstSplit);
  const weigh = (node: number) => turned.items[node]!.reduce((sum, item) => sum + tree.own[leaf[item]!]!, 0);
  const least = tree.total[0]! * LEAST;
  let node = 0;
  if (tree.key.some((key) => key >= firstSplit)) {
    turned.expand(0, (item) => turned.splitOf(item));
    node = 1;
  }
  for (; node < turned.key.length; node++)
    if (node === 0 || weigh(node) >= least) turned.expand(node, (item) => turned.next(item));
  const parent = Uint32Array.from(turned.parent);
  const total = sumItems(turned.items, leaf, tree.own);
  return {
    count: parent.length,
    key: Uint32Array.from(turned.key),
    parent,
    own: remainders(parent, total),
    total,
    sides: tree.sides.map((side) => {
      const sum = sumItems(turned.items, leaf, side.own);
      return { own: remainders(parent, sum), total: sum };
    }),
    ...linkChildren(parent, total),
  };
}
