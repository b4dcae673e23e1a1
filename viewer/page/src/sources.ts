/*
 * The source texts that the page carries, by file of a run. They are unpacked when they are first
 * asked for. Of large files there are only the surroundings of lines that count.
 */
import { Reader, unpack } from "./packed";

/** A run of lines, the first of which has this number. */
export interface Excerpt {
  first: number;
  lines: string[];
}

export interface Source {
  lineCount: number; // of the whole file
  excerpts: Excerpt[];
}

export type Sources = Map<number, Source>;

export async function readSources(packed: string): Promise<Sources> {
  const reader = new Reader(await unpack(packed));
  const decoder = new TextDecoder();
  const sources: Sources = new Map();
  for (let file = reader.one(); file > 0; file = reader.one()) {
    const source: Source = { lineCount: reader.one(), excerpts: [] };
    for (let runs = reader.one(); runs > 0; runs--) {
      const first = reader.one();
      const text = decoder.decode(reader.skip(reader.one()));
      source.excerpts.push({ first, lines: text.split("\n").slice(0, -1) });
    }
    sources.set(file - 1, source);
  }
  return sources;
}

export function lineOf(source: Source | undefined, line: number): string | undefined {
  for (const excerpt of source?.excerpts ?? [])
    if (line >= excerpt.first && line < excerpt.first + excerpt.lines.length)
      return excerpt.lines[line - excerpt.first];
  return undefined;
}
