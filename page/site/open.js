// Documents: a PDF or an OFD carries the bundle as an attachment. What it draws is not looked at: a forger keeps the attachment and repaints
// the page.

import { bundleOf, documentBytesMax } from './carrier.js';
import { readStart } from './read.js';

// What is said where there is no bundle. Each of the sentences says what to do instead.
const WORDS = {
  GONE: 'documentGone',
  NO_BUNDLE: 'documentNoBundle',
  SEVERAL: 'documentSeveral',
  ENCRYPTED: 'documentEncrypted',
  DAMAGED: 'documentDamaged',
  TOO_LARGE: 'documentTooLarge',
  OTHER: 'documentOther',
};

// { kind: 'pdf' | 'ofd' | 'other', bundle: bytes or null, why: null or a reason }
export async function attached(bytes) {
  return bundleOf(bytes);
}

// The same of a chosen file, with the word that says why there is none.
export async function openDocument(file) {
  const { kind, bundle, why } = await attached(await readStart(file, await documentBytesMax()));
  return { kind, bundle, word: why && WORDS[why] };
}
