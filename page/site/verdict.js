// The verdict as receipt-core states it (docs/spec/verdict.md): what it comes to, what to compare, what was checked and what not.

import { draw, make } from './show.js';
import { word } from './words.js';

// Results of which a clock is to blame.
const CLOCKS = ['FROM_THE_FUTURE', 'DIRECTORY_AHEAD'];
// A sign for each tone, so that colour is never the only difference.
const SIGNS = {
  good: 'm6 12.5 4 4 8-9',
  caution: 'M12 6v7.5M12 17v.5',
  bad: 'm7 7 10 10M17 7 7 17',
  unknown: 'M8.5 9.5a3.5 3.5 0 1 1 4.6 3.3c-.8.3-1.1.8-1.1 1.7M12 17.5v.5',
};
const FRAMES = {
  good: 'M12 1.5a10.5 10.5 0 1 1 0 21 10.5 10.5 0 0 1 0-21z',
  caution: 'M12 2 23 21.5H1z',
  bad: 'M7.5 1.5h9l6 6v9l-6 6h-9l-6-6v-9z',
  unknown: 'M2.5 2.5h19v19h-19z',
};

// In a word; on a chain for tests with its mark, for who reads no further.
export function wordOf({ conclusion, chain }, language) {
  return (chain.test ? word(language, 'testMark') : '') + conclusion.word[language];
}

// What it all amounts to: sign, word, first sentence, as of when, what to do.
export function firstWords(verdict, language) {
  const conclusion = verdict.conclusion;
  const lines = [make('p', { class: 'sentence' }, ...numbered(conclusion.sentence[language]))];
  // Then two times are what it is about.
  if (CLOCKS.includes(conclusion.code)) lines.push(make('p', { class: 'as-of' }, verdict.judged_at[language]));
  if (verdict.as_of) lines.push(make('p', { class: 'as-of' }, verdict.as_of[language]));
  // In force, its word says so.
  const isPart = verdict.presentation && conclusion.code !== 'PRESENTED';
  if (isPart) lines.unshift(make('p', {}, word(language, 'part')));
  if (conclusion.advice) lines.push(make('p', { class: 'advice' }, conclusion.advice[language]));
  return make(
    'div',
    { class: `first tone-${conclusion.tone}`, 'data-code': conclusion.code },
    sign(conclusion.tone),
    make('h2', { id: 'word', tabindex: -1 }, wordOf(verdict, language)),
    ...lines,
  );
}

// A text in which the number of a receipt stays in one line.
function numbered(text) {
  const parts = text.split(/(\d{8}-\d{10})/);
  return parts.map((part, index) => (index % 2 ? make('span', { class: 'number' }, part) : part));
}

// What stands beside a word of this tone.
export function sign(tone) {
  return draw(
    'svg',
    { class: 'sign', viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false' },
    draw('path', { class: 'frame', d: FRAMES[tone] }),
    draw('path', { class: 'mark', d: SIGNS[tone] }),
  );
}

// What must be read besides, right below; but for one of this code.
export function notices(verdict, language, without) {
  const items = verdict.notices.filter(({ code }) => code !== without).map((notice) => make('li', { 'data-code': notice.code }, notice[language]));
  return items.length ? [make('ul', { class: 'notices' }, ...items)] : [];
}

// What must be the same on the receipt that somebody holds; large beside a code, which anybody can copy. Where nothing is to be accepted, it is there to
// be looked up.
export function comparison(verdict, language, isScan) {
  const rows = verdict.compare || [];
  if (!rows.length) return [];
  const { code, result } = verdict.conclusion;
  const name = code === 'KEY_REVOKED' ? 'revoked' : result === 'invalid' ? 'signed' : 'compare';
  const entries = rows.map((row) => pair(row[language], row.value));
  return [
    make(
      'section',
      { class: isScan ? 'compare large' : 'compare', 'aria-labelledby': 'compare' },
      make('h3', { id: 'compare' }, word(language, name)),
      make('p', {}, word(language, `${name}Why`)),
      make('dl', {}, ...entries),
    ),
  ];
}

// A name and its value.
export function pair(name, value) {
  return make('div', {}, make('dt', {}, name), content('dd', value));
}

// What stands in a receipt is mostly Chinese, whatever the page speaks.
export function content(tag, text, attributes) {
  const lang = /[\u2e80-\u9fff]/.test(text) ? 'zh-CN' : undefined;
  return make(tag, Object.assign({ lang }, attributes), text);
}

// Every check that was made, and what was not checked.
export function checks(verdict, language) {
  const rows = verdict.checks.map((check) =>
    make(
      'li',
      { class: `outcome-${check.outcome}` },
      make('strong', {}, word(language, check.outcome)),
      ` ${check[language]} `,
      make('code', {}, check.code),
      ...(check.details || []).map((detail) => make('p', { class: 'detail', lang: 'en' }, detail)),
    ),
  );
  const made = make(
    'details',
    { id: 'checks' },
    make('summary', {}, word(language, 'checks', { count: rows.length })),
    make('ol', {}, ...rows),
  );
  const judged = make('p', { class: 'judged' }, verdict.judged_at[language]);
  // Of what is no receipt there is nothing else to know.
  if (verdict.conclusion.result === 'no_receipt') return [made, judged];
  const layers = verdict.layers.map((layer) => make('li', { class: `layer-${layer.result}` }, layer[language]));
  const open = verdict.not_checked.map((item) => make('li', {}, item[language]));
  return [
    make('ul', { class: 'layers' }, ...layers),
    made,
    make(
      'section',
      { class: 'open', 'aria-labelledby': 'open' },
      make('h3', { id: 'open' }, word(language, 'notChecked')),
      make('ul', {}, ...open),
    ),
    judged,
  ];
}
