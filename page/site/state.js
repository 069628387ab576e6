// What the page knows, in one place: modules of the page share it, and nothing else.

export const state = {
  language: 'zh',
  // Resolves to the verifier, or to null if this browser cannot run it.
  ready: null,
  // That it cannot is known.
  isUnable: false,
  // What this page judges by: id and name.
  chain: null,
  // Things judged so far: of several that were chosen, the last one counts, whichever is read first.
  asked: 0,
  // The file or code, and the options that it was judged with.
  question: null,
  verdict: null,
  // What is said instead of a verdict: a word, and its values.
  message: null,
  // What became of a refresh: a word.
  note: null,
  // The greatest age of a status that the reader takes, in seconds; null: any.
  ageSecondsMax: null,
  // By how many minutes this device's clock is ahead of the server's, if by too many.
  minutesAhead: 0,
  // The value whose way to the checkpoint is shown.
  field: 'total_amount',
};

export const at = (id) => document.getElementById(id);
