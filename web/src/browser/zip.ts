// Writes a zip of files that are small or compressed already: nothing is packed smaller.

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** Return the CRC-32 of some bytes, as zlib.crc32. */
export function crc32(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

const NO_DATE = 0x21; // 1 January 1980; the names of the files say when
const UTF8 = 0x800;
const VERSION = 20;

/** Return a zip of files, in their order; a name that ends with "/" is a folder. */
export function zip(files: [name: string, bytes: Uint8Array][]): Blob {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const table: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  for (const [text, given] of files) {
    const bytes = Uint8Array.from(given);
    const name = new TextEncoder().encode(text);
    const described: Field[] = [[2, VERSION], [2, UTF8], [2, 0], [2, 0], [2, NO_DATE], [4, crc32(bytes)], [4, bytes.length], [4, bytes.length], [2, name.length], [2, 0]];
    const head = fields([[4, 0x04034b50], ...described]);
    parts.push(head, name, bytes);
    table.push(fields([[4, 0x02014b50], [2, VERSION], ...described, [2, 0], [2, 0], [2, 0], [4, text.endsWith("/") ? 0x10 : 0], [4, at]]), name);
    at += head.length + name.length + bytes.length;
  }
  const length = table.reduce((sum, each) => sum + each.length, 0);
  const end = fields([[4, 0x06054b50], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, length], [4, at], [2, 0]]);
  return new Blob([...parts, ...table, end], { type: "application/zip" });
}

type Field = [size: 2 | 4, value: number];

function fields(values: Field[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(values.reduce((sum, [size]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [size, value] of values) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return bytes;
}
