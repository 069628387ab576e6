// Several files as one: a ZIP archive whose entries are stored as they are, by the format of PKWARE's APPNOTE 4.3. Names are ASCII.
//
//   local header + name + bytes, for each · central directory: one header + name for each · its end

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  return value;
});
// 1980-01-01, 00:00: a ZIP knows no earlier day, and when a receipt was kept is nobody's business.
const DAY = 0x21;

// The parts of the archive; `files`: { name, bytes }.
export function zipped(files) {
  const [parts, directory] = [[], []];
  let at = 0;
  for (const { name, bytes } of files) {
    const encoded = new TextEncoder().encode(name);
    // Version 1.0, no flags, stored; sum and sizes; no further fields.
    const common = [2, 10, 2, 0, 2, 0, 2, 0, 2, DAY, 4, crcOf(bytes), 4, bytes.length, 4, bytes.length, 2, encoded.length, 2, 0];
    const local = numbers([4, 0x04034b50, ...common]);
    parts.push(local, encoded, bytes);
    directory.push(numbers([4, 0x02014b50, 2, 10, ...common, 2, 0, 2, 0, 2, 0, 4, 0, 4, at]), encoded);
    at += local.length + encoded.length + bytes.length;
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0);
  const end = numbers([4, 0x06054b50, 2, 0, 2, 0, 2, files.length, 2, files.length, 4, length, 4, at, 2, 0]);
  return [...parts, ...directory, end];
}

function crcOf(bytes) {
  let value = -1;
  for (const byte of bytes) value = (value >>> 8) ^ TABLE[(value ^ byte) & 255];
  return ~value >>> 0;
}

// Pairs of a width in bytes and a number, the lowest byte first.
function numbers(pairs) {
  const bytes = [];
  for (let index = 0; index < pairs.length; index += 2) {
    for (let byte = 0; byte < pairs[index]; byte++) bytes.push((pairs[index + 1] >>> (8 * byte)) & 255);
  }
  return Uint8Array.from(bytes);
}
