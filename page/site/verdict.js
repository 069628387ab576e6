// The verdict as receipt-core states it (docs/spec/verdict.md): what it comes to, what to compare, what was checked and what not.

import { draw, make } from './show.js';
import { word } from './words.js';

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

// What it all amounts to: sign, word, first sentence, as of when, what to do.
export function firstWords(verdict, language) {
  const conclusion = verdict.conclusion;
  const lines = [make('p', { class: 'sentence' }, conclusion.sentence[language])];
  if (verdict.as_of) lines.push(make('p', { class: 'as-of' }, verdict.as_of[language]));
  // In force, its word says so.
  const isPart = verdict.presentation && conclusion.code !== 'PRESENTED';
  if (isPart) lines.unshift(make('p', {}, word(language, 'part')));
  if (conclusion.advice) lines.push(make('p', { class: 'advice' }, conclusion.advice[language]));
  return make(
    'div',
    { class: `first tone-${conclusion.tone}`, 'data-code': conclusion.code },
    sign(conclusion.tone),
    make('h2', { id: 'word', tabindex: -1 }, conclusion.word[language]),
    ...lines,
  );
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

// What must be read besides, right below.
export function notices(verdict, language) {
  const items = verdict.notices.map((notice) => make('li', { 'data-code': notice.code }, notice[language]));
  return items.length ? [make('ul', { class: 'notices' }, ...items)] : [];
}

// What must be the same on the receipt that somebody holds; large beside a code, which anybody can copy.
export function comparison(verdict, language, isScan) {
  const rows = verdict.compare || [];
  if (!rows.length) return [];
  const entries = rows.map((row) => pair(row[language], row.value));
  return [
    make(
      'section',
      { class: isScan ? 'compare large' : 'compare', 'aria-labelledby': 'compare' },
      make('h3', { id: 'compare' }, word(language, 'compare')),
      make('p', {}, word(language, 'compareWhy')),
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
  const layers = verdict.layers.map((layer) => make('li', { class: `layer-${layer.result}` }, layer[language]));
  const open = verdict.not_checked.map((item) => make('li', {}, item[language]));
  return [
    make('ul', { class: 'layers' }, ...layers),
    make(
      'details',
      { id: 'checks' },
      make('summary', {}, word(language, 'checks', { count: rows.length })),
      make('ol', {}, ...rows),
    ),
    make(
      'section',
      { class: 'open', 'aria-labelledby': 'open' },
      make('h3', { id: 'open' }, word(language, 'notChecked')),
      make('ul', {}, ...open),
    ),
    make('p', { class: 'judged' }, verdict.judged_at[language]),
  ];
}
