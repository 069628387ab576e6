// The code in a picture. Browsers open pictures; what they hold in memory for that is bounded here, by what a picture's first bytes say of its
// size. One that does not say it there is not opened.

import { codesIn } from './carrier.js';

// The longest side at which a picture is looked through, one after the other until a code is found: most codes are large enough in the
// first, and a small one in a large photo needs the second. A small picture is looked at enlarged besides: screenshots of messengers have
// two pixels a module.
const SIDES = [1600, 3200];
const SMALL_SIDE = 900;
// How wide a picture is opened to see which way up it is.
const PROBE_WIDTH = 64;
// What a browser that cannot make a picture smaller while it opens it may open; and what none may.
const PIXELS_UNSCALED_MAX = 16000000;
const PIXELS_MAX = 160000000;
// meta, iprp, ipco, each in the one before; and ispe in the last, a size (ISO/IEC 23008-12). The first has a version of four bytes.
const BOXES = [0x6d657461, 0x69707270, 0x6970636f, 0x69737065];
// How the code of a receipt begins, whoever's page it is of.
const RECEIPT = /^https:\/\/[^/]+\/v(#|$)/i;

// The text of the code in a picture: an image, a canvas, a frame of a video, or pixels; null if there is none.
export async function readCode(source) {
  const image = source instanceof ImageData ? await createImageBitmap(source) : source;
  return chosen(await codesOf(image, Math.max(...sizeOfImage(image)))).text || null;
}

// { text } of the code in a chosen picture, or the { word } that says why there is none, with its { values }. `start`: its first bytes.
export async function codeOfPicture(file, start) {
  let size = sizeInBytes(start);
  if (!size) return { word: 'pictureNotOpened' };
  const pixels = size[0] * size[1];
  const scales = await canScale();
  if (pixels > (scales ? PIXELS_MAX : PIXELS_UNSCALED_MAX)) {
    return { word: 'pictureTooLarge', values: { megapixels: Math.round(pixels / 1e6), wan: Math.round(pixels / 1e4) } };
  }
  try {
    if (Math.max(...size) > SIDES[0]) size = await turned(file, size);
  } catch (error) {
    return { word: 'pictureNotOpened' };
  }
  const sides = SIDES.filter((side, index) => index === 0 || Math.max(...size) > SIDES[index - 1]);
  for (const side of sides) {
    let image;
    try {
      image = await open(file, size, side);
    } catch (error) {
      return { word: 'pictureNotOpened' };
    }
    const code = chosen(await codesOf(image, side));
    image.close();
    if (code.text || code.word) return code;
  }
  return { word: 'pictureNoCode' };
}

// Of several codes in one picture a receipt's is meant; of several receipts' none, for nobody can say which.
export function chosen(texts) {
  const receipts = texts.filter((text) => RECEIPT.test(text));
  if (receipts.length > 1) return { word: 'pictureSeveralCodes' };
  const text = receipts[0] || texts[0];
  return text === undefined ? {} : { text };
}

// The texts in an image, at most so many pixels long, and at twice its size if it is small.
export async function codesOf(image, side) {
  const [width, height] = sizeOfImage(image);
  const longest = Math.max(width, height);
  const scale = Math.min(1, side / longest);
  const texts = await look(image, width * scale, height * scale);
  if (texts.length || longest >= SMALL_SIDE) return texts;
  return look(image, width * 2, height * 2);
}

async function look(image, width, height) {
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(width));
  canvas.height = Math.max(1, Math.round(height));
  const context = canvas.getContext('2d', { willReadFrequently: true });
  // What is transparent is paper.
  context.fillStyle = '#fff';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return codesIn(greyOf(data), canvas.width, canvas.height);
}

// One byte a pixel: how light it is.
function greyOf(data) {
  const grey = new Uint8Array(data.length / 4);
  for (let from = 0, to = 0; to < grey.length; from += 4, to += 1) {
    grey[to] = (data[from] * 77 + data[from + 1] * 150 + data[from + 2] * 29) >> 8;
  }
  return grey;
}

function sizeOfImage(image) {
  return [image.videoWidth || image.naturalWidth || image.width, image.videoHeight || image.naturalHeight || image.height];
}

function open(file, size, side) {
  if (Math.max(...size) <= side) return createImageBitmap(file);
  const scale = side / Math.max(...size);
  const [resizeWidth, resizeHeight] = size.map((length) => Math.max(1, Math.round(length * scale)));
  return createImageBitmap(file, { resizeWidth, resizeHeight, resizeQuality: 'high' });
}

// Width and height as the browser opens it: a phone's photo may lie on its side in the file, and say that it is to be turned. Given one side, a
// browser keeps the proportions.
async function turned(file, size) {
  // A picture that is narrower than that is not made larger.
  if (Math.min(...size) < PROBE_WIDTH) return size;
  const small = await createImageBitmap(file, { resizeWidth: PROBE_WIDTH });
  const isTurned = small.height > small.width !== size[1] > size[0] && small.height !== small.width;
  small.close();
  return isTurned ? [size[1], size[0]] : size;
}

let scaling = null;

// Whether this browser makes a picture smaller while it opens it.
function canScale() {
  scaling =
    scaling ||
    createImageBitmap(new ImageData(4, 4), { resizeWidth: 2, resizeHeight: 2 }).then(
      (image) => image.width === 2,
      () => false,
    );
  return scaling;
}

// Width and height by the first bytes of PNG, GIF, BMP, WebP, JPEG, AVIF and HEIC; null if they do not say it.
function sizeInBytes(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sign = String.fromCharCode(...bytes.subarray(0, 16));
  if (bytes.length < 30) return null;
  if (sign.startsWith('\x89PNG')) return [view.getUint32(16), view.getUint32(20)];
  if (sign.startsWith('GIF8')) return [view.getUint16(6, true), view.getUint16(8, true)];
  if (sign.startsWith('BM')) return [Math.abs(view.getInt32(18, true)), Math.abs(view.getInt32(22, true))];
  if (sign.startsWith('RIFF')) return sizeInWebp(view, sign.slice(12));
  return sign.startsWith('\xff\xd8') ? sizeInJpeg(view) : sizeInBoxes(view);
}

// Of several sizes the largest: a phone's picture is made of tiles, and has a small one of itself beside it.
function sizeInBoxes(view) {
  let largest = null;
  const look = (start, end) => {
    for (let at = start; at + 20 <= end; at += Math.max(8, view.getUint32(at))) {
      const name = BOXES.indexOf(view.getUint32(at + 4));
      const last = Math.min(end, at + view.getUint32(at));
      if (name < 0) continue;
      if (name < 3) {
        look(at + (name ? 8 : 12), last);
        continue;
      }
      const size = [view.getUint32(at + 12), view.getUint32(at + 16)];
      if (!largest || size[0] * size[1] > largest[0] * largest[1]) largest = size;
    }
  };
  look(0, view.byteLength);
  return largest;
}

function sizeInWebp(view, chunk) {
  if (chunk === 'VP8 ') return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
  if (chunk === 'VP8L') {
    const bits = view.getUint32(21, true);
    return [(bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1];
  }
  if (chunk !== 'VP8X') return null;
  return [(view.getUint32(24, true) & 0xffffff) + 1, (view.getUint32(26, true) >>> 8) + 1];
}

// The first frame header; segments before it are passed over.
function sizeInJpeg(view) {
  let at = 2;
  while (at + 9 < view.byteLength) {
    // Between segments decoders pass over whatever stands there.
    if (view.getUint8(at) !== 0xff) {
      at += 1;
      continue;
    }
    const marker = view.getUint8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return [view.getUint16(at + 7), view.getUint16(at + 5)];
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
  return null;
}
