// Making elements. Text is only ever set as text: nothing that a file says becomes markup.

const SVG = 'http://www.w3.org/2000/svg';

// An element with attributes and children; a child is an element or a text.
export function make(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

// The same for drawings.
export function draw(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const name of Object.keys(attributes || {})) {
    const value = attributes[name];
    if (value !== false && value !== undefined) element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) {
    element.appendChild(typeof child === 'string' ? document.createTextNode(child) : child);
  }
  return element;
}

// Puts other children in the place of those that are there.
export function replace(parent, ...children) {
  while (parent.firstChild) parent.removeChild(parent.firstChild);
  for (const child of children) parent.appendChild(child);
}
