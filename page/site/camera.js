// Scanning with the camera inside the page. Frames go to the scanner and nowhere else; nothing is kept of them.

import { chosen, codesOf } from './picture.js';
import { at, state } from './state.js';
import { word } from './words.js';

// The longest side of a frame that is looked through.
const SIDE = 1280;
// Between two frames: a phone that scans without a pause gets hot.
const PAUSE_MS = 60;
// After so long without a code it is said what may help.
const HINT_MS = 6000;
const CONSTRAINTS = {
  audio: false,
  video: { facingMode: { ideal: 'environment' }, width: { ideal: 1280 }, height: { ideal: 720 } },
};
// What went wrong, by the name that a browser gives it; whatever else does, is said as the last.
const WORDS = {
  NotAllowedError: 'cameraRefused',
  SecurityError: 'cameraRefused',
  NotFoundError: 'cameraNone',
  OverconstrainedError: 'cameraNone',
  NotReadableError: 'cameraBusy',
};

// The camera that is on: its stream, and whether it has been switched off since. Of two, the last counts.
let running = null;

// Opens the camera; `found` gets the text of the first code. Where there is none to open, it is said why, and a picture may be taken instead.
export async function startCamera(found) {
  stopCamera();
  const own = { stream: null, stopped: false, since: performance.now() };
  running = own;
  at('camera').hidden = false;
  at('photo-part').hidden = true;
  at('video').hidden = true;
  says('cameraStarting');
  try {
    own.stream = await stream();
    if (own.stopped) {
      release(own);
      return;
    }
    at('video').srcObject = own.stream;
    await at('video').play();
  } catch (error) {
    if (!own.stopped) unable(own, error);
    return;
  }
  at('video').hidden = false;
  says('cameraLooking');
  at('camera-stop').focus();
  look(own, found);
}

// Switches it off, and takes its place off the page.
export function stopCamera() {
  if (!running) return;
  running.stopped = true;
  release(running);
  running = null;
  at('video').srcObject = null;
  at('camera').hidden = true;
}

function stream() {
  if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) {
    // Browsers hide the camera from pages whose way here nobody has secured.
    throw Object.assign(new Error(), { word: window.isSecureContext ? 'cameraUnknown' : 'cameraInsecure' });
  }
  return navigator.mediaDevices.getUserMedia(CONSTRAINTS);
}

function release(own) {
  if (own.stream) for (const track of own.stream.getTracks()) track.stop();
}

function unable(own, error) {
  release(own);
  own.stopped = true;
  const inWechat = /MicroMessenger/i.test(navigator.userAgent);
  says(error.word || (inWechat ? 'cameraWechat' : WORDS[error.name] || 'cameraUnknown'));
  at('video').hidden = true;
  at('photo-part').hidden = false;
  at('camera').scrollIntoView({ block: 'nearest' });
}

// Stays right when the language changes: the words of the page are found by this attribute.
function says(name) {
  at('camera-says').setAttribute('data-word', name);
  at('camera-says').textContent = word(state.language, name);
}

async function look(own, found) {
  while (!own.stopped) {
    const code = await codeOfFrame(own);
    if (own.stopped) return;
    if (code.text) {
      stopCamera();
      found(code.text);
      return;
    }
    if (code.word) says(code.word);
    else if (performance.now() - own.since > HINT_MS) says('cameraHint');
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function codeOfFrame(own) {
  const video = at('video');
  if (!video.videoWidth) return {};
  try {
    return chosen(await codesOf(video, SIDE));
  } catch (error) {
    // Nothing will be found, most likely because the scanner could not be fetched.
    unable(own, error);
    return {};
  }
}
