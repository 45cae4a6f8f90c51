/** GPT-2's byte alphabet: every byte as one printable character, so that a vocabulary can be stored as text. */

const BYTES = new Map<string, number>();

for (let byte = 0, spare = 0; byte < 256; byte++) {
  const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  BYTES.set(String.fromCodePoint(printable ? byte : 256 + spare++), byte);
}

/** The bytes that a byte-level piece stands for, or null when it holds a character outside the alphabet. */
export function bytesOfPiece(piece: string): Uint8Array | null {
  const bytes: number[] = [];
  for (const char of piece) {
    const byte = BYTES.get(char);
    if (byte === undefined) return null;
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** A piece as readable text: UTF-8 where it is complete, `<0xE6>` for the bytes of a split character. */
export function readablePiece(piece: string): string {
  const bytes = bytesOfPiece(piece);
  if (bytes === null) return piece;
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    return strict.decode(bytes);
  } catch {
    return Array.from(bytes, (byte) =>
      byte < 0x80 ? String.fromCharCode(byte) : `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
    ).join("");
  }
}
