// Base64 of several hundred kilobytes. `atob` and a loop over its text take a slow phone more than a second.

export function bytesOf(base64) {
  return Uint8Array.fromBase64 ? Uint8Array.fromBase64(base64) : decode(base64);
}

function decode(base64) {
  const values = new Uint8Array(128);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  for (let index = 0; index < 64; index++) values[alphabet.charCodeAt(index)] = index;
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((base64.length / 4) * 3 - padding);
  for (let from = 0, to = 0; from < base64.length; from += 4, to += 3) {
    const four =
      (values[base64.charCodeAt(from)] << 18) |
      (values[base64.charCodeAt(from + 1)] << 12) |
      (values[base64.charCodeAt(from + 2)] << 6) |
      values[base64.charCodeAt(from + 3)];
    bytes[to] = four >> 16;
    bytes[to + 1] = four >> 8;
    bytes[to + 2] = four;
  }
  return bytes;
}
