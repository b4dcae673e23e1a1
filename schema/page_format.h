/*
 * The data of an interactive page (heapline html): what viewer/html writes and viewer/page reads.
 *
 * The page has one <script type="application/json" id="heapline-data">:
 *
 *   {"format": PAGE_FORMAT, "version": of heapline, "view": what opens first, "runs": [one, or two
 *    that are compared]}
 *
 * A run is an object of what there is little of, and three members that are packed: "tree",
 * "history" and "sources", each the base64 of a zlib stream of varints (varint.h; "signed" ones are
 * zigzag-coded). Columns stand one after the other, each with a number for every row. "delta"s are
 * signed differences from the row before, the first one's from 0.
 *
 *   tree      places: count; file; function; delta of the line
 *               They are numbered from 2 on; 0 is no Python frame, 1 is frames that were left out.
 *             nodes: count; node - parent; delta of the place
 *               They are numbered from 0, the empty stack, whose parent is 0.
 *             rows: count; delta of the node; thread; allocator; peak blocks, peak bytes;
 *               blocks and bytes of the process's own peak; end blocks, bytes; leaked blocks,
 * bytes; temporary blocks, bytes; allocations; allocated bytes history   points of the curves:
 * count; difference of the time from the one before, in µs curves: count; of each, point by point:
 * deltas of the live bytes by allocator, one allocator after the other; then the most that was live
 * since the point before, RSS, PSS and swap, each 0 where it is not known, else 1 + the delta from
 * the last one that is, zigzag-coded edges: count; difference of the time from the one before, in
 * µs changes, of each bucket between two edges: count; difference of the row from the one before
 * (signed); allocations; allocated bytes; blocks, bytes: by how much what the row holds has changed
 * (signed) edges of deaths: count; difference of the edge's number from the one before deaths, of
 * each bucket between two of those: count; difference of the row from the one before; how many
 * buckets earlier the blocks had been allocated; blocks, bytes (signed) sources   files: file + 1;
 * lines in all; runs; of each run: its first line; bytes of its text; the text, every line ended by
 * \n. A 0 ends them.
 *
 * What a row holds at an edge is the sum of its changes before it. Rows of changes and deaths may
 * be others than those of the moments with a name, of which they are then folded.
 */
#ifndef HEAPLINE_SCHEMA_PAGE_FORMAT_H
#define HEAPLINE_SCHEMA_PAGE_FORMAT_H

#define PAGE_FORMAT 1

#endif
