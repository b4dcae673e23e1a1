/*
 * The data of an interactive page (heapline html): what viewer/html writes and viewer/page reads.
 *
 * The page has one <script type="application/json" id="heapline-data">:
 *
 *   {"format": PAGE_FORMAT, "version": of heapline, "view": what opens first,
 *    "runs": [one, or two that are compared]}
 *
 * A run is an object of what there is little of, and three members that are packed: "tree",
 * "history" and "sources", each the base64 of a zlib stream of varints (varint.h; "signed" ones
 * are zigzag-coded). Columns stand one after the other, each with a number for every row. A "step"
 * is the difference from the row before, that of the first one from 0.
 *
 * Numbers of files, functions and modules are those of the run's "files": [[path, package], …] of
 * Python's source, [path, package, module] of native code; "functions": [name, …]; and "modules":
 * [path, …], the programs and libraries that native code is of, each path once. Native files may
 * have the same path when their modules are others.
 *
 *   tree
 *     places    count; file; function; step of the line (signed)
 *               They are numbered from 2 on; 0 is no Python frame, 1 frames that were left out.
 *     nodes     count; node - parent; step of the place (signed)
 *               They are numbered from 0, the empty stack, whose parent is 0.
 *     rows      count; step of the node (signed); thread; allocator; peak blocks, bytes; blocks
 *               and bytes of the process's own peak; end blocks, bytes; leaked blocks, bytes;
 *               temporary blocks, bytes; allocations; allocated bytes
 *   history
 *     points    of the curves: count; step of the time in microseconds
 *     curves    count; of each, point by point: steps of the live bytes by allocator (signed), one
 *               allocator after the other; then the most that was live since the point before,
 *               RSS, PSS and swap: each 0 where it is not known, else 1 + the step from the last
 *               one that is, zigzag-coded
 *     edges     count; step of the time in microseconds
 *     changes   how many there are in each bucket between two edges; then of all, bucket by bucket:
 *               step of the row (signed); allocations; allocated bytes; blocks, bytes (signed): by
 *               how much what the row holds has changed
 *     edges of deaths
 *               count; step of the edge's number
 *     deaths    how many there are in each bucket between two of those; then of all: step of the
 *               row (signed); how many buckets earlier the blocks had been allocated; blocks,
 *               bytes (signed)
 *   sources
 *     files     file + 1; lines in all; runs of lines; of each run: its first line; bytes of its
 *               text; the text, every line ended by \n. A 0 ends the files.
 *
 * What a row holds at an edge is the sum of its changes before it. Rows of changes and deaths may
 * be others than those of the moments with a name, of which they are then folded.
 */
#ifndef HEAPLINE_SCHEMA_PAGE_FORMAT_H
#define HEAPLINE_SCHEMA_PAGE_FORMAT_H

#define PAGE_FORMAT 2

#endif
