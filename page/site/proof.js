// The way from a value to the checkpoint: as a picture, and the same as text with every hash in full.

import { draw, make } from './show.js';
import { traceOf } from './verifier.js';
import { word } from './words.js';

const WIDTH = 320;
const BOX = 30;
const GAP = 26;
const HALF = 150;
// Letters in a line of the picture.
const CAPTION = 50;
const LEAVES = { content: 'leafContent', batch: 'leafBatch', log: 'leafLog' };
const ROOTS = { content: 'rootContent', batch: 'rootBatch', log: 'rootLog' };
const TREES = { content: 'treeContent', batch: 'treeBatch', log: 'treeLog' };

// The way from the field of the page's state; `choose(field)` is called with the name of another value to begin with.
export function proof({ question, verdict, language, field }, choose) {
  const trace = traceOf(question.verifier, Object.assign({ field }, question.options), question.bytes);
  return trace ? drawn(trace, verdict.receipt || verdict.presentation, language, choose) : '';
}

function drawn(trace, receipt, language, choose) {
  const names = receipt.lines.map((line) => [line.code, line[language]]);
  // Rows of a presentation are lines, too.
  (receipt.items || []).forEach((text, index) => names.push([`items[${index}]`, text]));
  const options = names.map(([field, label]) =>
    make('option', { value: field, selected: field === trace.field }, label),
  );
  const select = make('select', { id: 'field' }, ...options);
  select.addEventListener('change', () => choose(select.value));
  const label = (names.find(([field]) => field === trace.field) || ['', trace.field])[1];
  const ends = trace.checkpoint ? [] : [make('p', { class: 'hint' }, word(language, 'proofEnds'))];
  return make(
    'div',
    { class: 'proof' },
    make('p', {}, word(language, 'proofLead')),
    make('p', { class: 'choice' }, make('label', { for: 'field' }, word(language, 'proofField')), ' ', select),
    picture(trace, label, language),
    ...ends,
    hashes(trace, label, language),
  );
}

function steps(trace) {
  return trace.trees.reduce((sum, tree) => sum + tree.steps.length, 0);
}

// Eight digits of each end: enough to see that two are the same, and what a phone has room for.
function short(hash) {
  return `${hash.slice(0, 8)}…${hash.slice(-8)}`;
}

// As much of a text as a line of the picture takes; a Chinese character is as wide as two others.
function fitting(text) {
  let room = CAPTION;
  const kept = Array.from(text).filter((character) => (room -= character > '\u2e7f' ? 2 : 1) >= 0);
  return kept.length < Array.from(text).length ? `${kept.join('')}…` : text;
}

function picture(trace, label, language) {
  const parts = [];
  let y = 4;
  const caption = (text, style) => {
    parts.push(draw('text', { x: WIDTH / 2, y: y + 14, class: style }, fitting(text)));
    y += 22;
  };
  const box = (x, width, hash, style) => {
    parts.push(draw('rect', { x, y, width, height: BOX, rx: 4, class: style }));
    parts.push(draw('text', { x: x + width / 2, y: y + 20, class: `hash ${style}` }, short(hash)));
  };
  const line = (from, to, start, end) =>
    parts.push(draw('path', { d: `M${from} ${start}C${from} ${end} ${to} ${start} ${to} ${end}`, class: 'way' }));

  caption(label, 'begin');
  for (const tree of trace.trees) {
    line(WIDTH / 2, WIDTH / 2, y - 4, y + 10);
    y += 12;
    caption(word(language, TREES[tree.kind], { size: tree.size }), 'tree');
    caption(word(language, LEAVES[tree.kind], { index: tree.index + 1 }), 'note');
    let own = tree.leaf;
    for (const step of tree.steps) {
      const isRight = step.side === 'left';
      const [left, right] = [5, WIDTH - 5 - HALF];
      box(isRight ? right : left, HALF, own, 'own');
      box(isRight ? left : right, HALF, step.sibling, 'sibling');
      const next = nextCentre(tree, step, left + HALF / 2, right + HALF / 2);
      line(left + HALF / 2, next, y + BOX, y + BOX + GAP);
      line(right + HALF / 2, next, y + BOX, y + BOX + GAP);
      y += BOX + GAP;
      own = step.parent;
    }
    box(20, WIDTH - 40, tree.root, 'root');
    y += BOX + 2;
    caption(word(language, ROOTS[tree.kind]), 'note');
  }
  if (trace.checkpoint) {
    line(WIDTH / 2, WIDTH / 2, y - 4, y + 10);
    y += 12;
    const top = y;
    caption(word(language, 'checkpoint'), 'tree');
    caption(trace.checkpoint.origin, 'note');
    caption(trace.checkpoint.as_of_utc, 'note');
    for (const signer of trace.checkpoint.signers) caption(`✓ ${signer}`, 'signer');
    parts.unshift(draw('rect', { x: 2, y: top - 2, width: WIDTH - 4, height: y - top + 6, rx: 6, class: 'seal' }));
    y += 8;
  }
  const title = word(language, 'proofPicture', { field: label, count: steps(trace) });
  return draw(
    'svg',
    { class: 'picture', viewBox: `0 0 ${WIDTH} ${y}`, role: 'img', 'aria-label': title },
    ...parts,
  );
}

// Where the hash of two stands in the next row: the middle, if it is the root.
function nextCentre(tree, step, left, right) {
  const following = tree.steps[tree.steps.indexOf(step) + 1];
  if (!following) return WIDTH / 2;
  return following.side === 'left' ? right : left;
}

function hashes(trace, label, language) {
  const items = [make('li', {}, label)];
  for (const tree of trace.trees) {
    const leaf = word(language, LEAVES[tree.kind], { index: tree.index + 1 });
    items.push(make('li', {}, `${word(language, 'treeLeaf', { tree: word(language, TREES[tree.kind], tree), leaf })} `, code(tree.leaf)));
    for (const step of tree.steps) {
      const side = word(language, step.side);
      items.push(
        make('li', {}, `${word(language, 'with', { side })} `, code(step.sibling), ` ${word(language, 'gives')} `, code(step.parent)),
      );
    }
    items.push(make('li', {}, `${word(language, ROOTS[tree.kind])} `, code(tree.root)));
  }
  if (trace.checkpoint) {
    const { origin, as_of_utc: asOf, signers } = trace.checkpoint;
    const signed = signers.join(language === 'zh' ? '、' : ', ');
    const at = asOf.replace('T', ' ').replace('Z', '');
    items.push(make('li', {}, word(language, 'checkpointLine', { origin, at, signers: signed })));
  }
  return make('details', { id: 'hashes' }, make('summary', {}, word(language, 'proofHashes')), make('ol', { class: 'hashes' }, ...items));
}

function code(hash) {
  return make('code', {}, hash);
}
