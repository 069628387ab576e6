// Whether this device's clock can be believed: where a server stands behind the page, its clock is another opinion.

const APART_MS = 10 * 60 * 1000;
const MINUTE_MS = 60 * 1000;

// By how many minutes this device is ahead of the server, if by more than ten; negative: behind. 0 without a server, or without its answer.
export async function minutesAhead() {
  if (!/^https?:$/.test(location.protocol)) return 0;
  try {
    // A cached answer would have the time of when it was made.
    const response = await fetch(location.pathname, { method: 'HEAD', cache: 'no-store', credentials: 'omit' });
    const theirs = Date.parse(response.headers.get('date'));
    const apart = Date.now() - theirs;
    return Math.abs(apart) > APART_MS ? Math.round(apart / MINUTE_MS) : 0;
  } catch (error) {
    return 0;
  }
}
