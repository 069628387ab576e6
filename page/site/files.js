// A receipt that was fetched, as another kind of file. The site holds it for minutes under an address that nobody can guess, and hands it out with the
// name of a file: so it can be saved in browsers, too, that save nothing which a script holds, and opened by another program.

import { askAt } from './fetching.js';
import { savesNothing } from './save.js';
import { make } from './show.js';
import { at, state } from './state.js';
import { shown } from './verifier.js';
import { word } from './words.js';

// As what it can be had, by the site's names, and what people call it.
const FORMATS = { pdf: 'PDF', ofd: 'OFD', png: null, xml: 'XML', bundle: '.tally' };
// Nowhere else does a link lead.
const ADDRESS = /^download\/[\w-]+$/;

// Of the receipt that was had from `source`: whether the list is open, what is said, the { address, values } of the link, and for pictures, which
// show one page each, the page that comes next and how many there are.
const nothing = (source) => ({ source, isOpen: false, note: null, link: null, page: 1, pages: 1, isAsking: false });
let own = nothing(null);

// Opens or closes the list.
export function files() {
  own.isOpen = !own.isOpen;
  filesDrawn();
  if (own.isOpen) at('files-title').focus();
}

// Puts the list where it was, after the page was drawn anew. Of another receipt it is another one.
export function filesDrawn() {
  const control = document.querySelector('[data-part=files]');
  const source = control && state.question.source;
  if (own.source !== source) own = nothing(source);
  if (!control) return;
  control.setAttribute('aria-expanded', String(own.isOpen));
  const before = at('files');
  const focused = before && before.contains(document.activeElement) ? document.activeElement.id : null;
  if (before) before.remove();
  if (own.isOpen) control.parentNode.after(list(state.language));
  if (focused && at(focused)) at(focused).focus();
}

function list(language) {
  const buttons = Object.keys(FORMATS).map((format) => {
    const control = make('button', { type: 'button', id: `files-${format}` }, FORMATS[format] || picture(language));
    control.addEventListener('click', () => take(format));
    return control;
  });
  return make(
    'section',
    { id: 'files', 'aria-labelledby': 'files-title' },
    make('h3', { id: 'files-title', tabindex: -1 }, word(language, 'files')),
    make('p', {}, word(language, 'filesLead')),
    make('div', { class: 'row' }, ...buttons),
    make('p', { id: 'files-note', role: 'status' }, own.note ? word(language, own.note.name, own.note.values) : ''),
    ...link(language),
  );
}

function picture(language) {
  return word(language, own.pages > 1 ? 'filesPage' : 'filesPicture', own);
}

function link(language) {
  if (!own.link) return [];
  const { address, values } = own.link;
  const hint = savesNothing() ? [make('p', { class: 'hint' }, word(language, 'filesWechat'))] : [];
  const text = word(language, 'filesLink', values);
  const leads = make('p', {}, make('a', { id: 'files-link', class: 'go', href: address, rel: 'nofollow' }, text));
  return [make('div', { id: 'files-ready' }, leads, ...hint)];
}

function say(name, values) {
  own.note = name && { name, values };
  if (at('files-note')) at('files-note').textContent = name ? word(state.language, name, values) : '';
}

// Asks for it in this format. It is had by what it was fetched by: for the issuer that is one try more, and a right one.
async function take(format) {
  if (own.isAsking) return;
  const mine = own;
  Object.assign(mine, { isAsking: true, link: null });
  if (at('files-ready')) at('files-ready').remove();
  const isOver = () => own !== mine;
  say('filesAsking');
  const sent = Object.assign({}, mine.source.sent, { format }, format === 'png' && { page: String(mine.page) });
  const waits = (seconds) => !isOver() && say('typedWaits', { seconds });
  const { download, pages, name, values, fields } = await askAt(mine.source.address, sent, { isOver, waits });
  mine.isAsking = false;
  if (isOver()) return;
  if (!download || !ADDRESS.test(download.address)) {
    say(fields ? 'askMore' : name || 'typedFailed', values);
    return;
  }
  given(download, format === 'png' ? pages : 0);
  filesDrawn();
  if (at('files-link')) at('files-link').focus();
}

function given({ address, file_name: name, bytes, good_for_ms: goodForMs }, pages) {
  const values = { name: shown(state.question.verifier, String(name)), kilobytes: Math.ceil(bytes / 1000) };
  own.link = { address, values };
  say('filesGood', { minutes: Math.floor(goodForMs / 60000) });
  if (!(pages > 0)) return;
  const { page } = own;
  const minutes = own.note.values.minutes;
  Object.assign(own, { pages, page: (page % pages) + 1 });
  if (pages > 1) say(page < pages ? 'filesGoodPage' : 'filesGoodLast', { page, pages, next: own.page, minutes });
}
