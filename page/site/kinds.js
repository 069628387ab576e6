// What a chosen file is, by its first bytes alone: names and types are only what somebody says of it.

const HEAD_BYTES = 1024;
// A bundle says so in its first bytes, as receipt-core has it: a receipt may quote the signs of other files.
const BUNDLE = ['tallystick/bundle/', 256];
// A report of a receipt left out, whatever else is in it (docs/spec/left-out.md).
const REPORT = '{"format":"tallystick/left-out/';
const PICTURES = ['\x89PNG\r\n\x1a\n', '\xff\xd8\xff', 'GIF87a', 'GIF89a'];
// Cameras of phones: HEIC and AVIF.
const CAMERA_PICTURE = /^....ftyp(heic|heix|mif1|msf1|avif)/s;

// 'report', 'pdf', 'zip' (an OFD, or another archive), 'picture', or 'other': for receipt-core to say what.
export function kindOf(bytes) {
  const text = Array.from(bytes.subarray(0, HEAD_BYTES), (byte) => String.fromCharCode(byte)).join('');
  if (text.startsWith(REPORT)) return 'report';
  if (text.slice(0, BUNDLE[1]).includes(BUNDLE[0])) return 'other';
  if (text.startsWith('PK\x03\x04')) return 'zip';
  if (isPicture(text)) return 'picture';
  // Readers of PDF take it with something before it.
  return text.includes('%PDF-') ? 'pdf' : 'other';
}

function isPicture(text) {
  if (PICTURES.some((start) => text.startsWith(start)) || CAMERA_PICTURE.test(text)) return true;
  return /^RIFF....WEBP/s.test(text) || /^BM....\0{4}/s.test(text);
}
