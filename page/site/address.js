// A code on paper that a phone's own scanner has opened: its digits stand in this page's address, behind `#`.

// The text behind `#`, or null; taken out of the address, so that neither the bar nor the history keeps a receipt.
export function takeFragment() {
  const fragment = location.hash;
  if (fragment.length < 2) return null;
  history.replaceState(null, '', location.pathname + location.search);
  return fragment.slice(1);
}

// The hosts to which codes lead that this page judges: its own, and former ones.
export function hosts() {
  const named = document.querySelector('meta[name=hosts]').getAttribute('content').split(' ').filter(Boolean);
  return named.length || !location.host ? named : [location.host.toUpperCase()];
}

// The text of a code on paper with these digits, as its scanner would read it.
export function codeOf(digits) {
  return `HTTPS://${hosts()[0] || location.host.toUpperCase()}/V#${digits}`;
}
