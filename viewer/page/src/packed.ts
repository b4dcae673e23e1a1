/*
 * Reading what the page carries in packed form: base64, a zlib stream, and in it columns of
 * variable-length numbers. The layout of each stream is in schema/page_format.h; this file knows
 * numbers alone.
 *
 * Numbers are read as doubles: sizes are below 2^53.
 */

/** The bytes of a packed member. */
export async function unpack(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const binary = atob(text);
  const packed = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) packed[i] = binary.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export class Reader {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The next number. */
  one(): number {
    const bytes = this.bytes;
    let byte = bytes[this.at++]!;
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 0x80;
    do {
      byte = bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
    } while (byte >= 0x80);
    return value;
  }

  /** The next number, which may be negative. */
  signed(): number {
    const value = this.one();
    return value % 2 ? -(value + 1) / 2 : value / 2;
  }

  skip(count: number): Uint8Array {
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  /* Columns. `into` says what they are kept in. */

  column<T extends Numbers>(into: T): T {
    for (let i = 0; i < into.length; i++) into[i] = this.one();
    return into;
  }

  signedColumn<T extends Numbers>(into: T): T {
    for (let i = 0; i < into.length; i++) into[i] = this.signed();
    return into;
  }

  /** Rising numbers, as differences. */
  steps<T extends Numbers>(into: T): T {
    let value = 0;
    for (let i = 0; i < into.length; i++) into[i] = value += this.one();
    return into;
  }

  /** Any numbers, as differences. */
  signedSteps<T extends Numbers>(into: T): T {
    let value = 0;
    for (let i = 0; i < into.length; i++) into[i] = value += this.signed();
    return into;
  }

  /** Differences of what may be unknown, which is NaN. */
  knownSteps(into: Float64Array): Float64Array {
    let value = 0;
    for (let i = 0; i < into.length; i++) {
      const code = this.one();
      if (code === 0) {
        into[i] = NaN;
        continue;
      }
      value += code % 2 ? (code - 1) / 2 : -code / 2;
      into[i] = value;
    }
    return into;
  }
}

type Numbers = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;
