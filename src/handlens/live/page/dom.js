// Makes elements; never from text that is parsed as HTML, so nothing that arrives can become a script.

/** Return the element with this id. @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/** Return the element with this data-testid. @param {string} name @returns {any} */
export const byTest = (name) => document.querySelector(`[data-testid="${name}"]`);

/**
 * Return a new element. @param {string} name @param {Record<string, any>} [attributes] @param {...any} children
 * @returns {any}
 */
export function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** As make, of an SVG. @param {string} name @param {Record<string, any>} [attributes] @param {...any} children @returns {any} */
export function draw(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

/** Replace what is in an element; null and false are left out. @param {any} element @param {...any} children */
export function put(element, ...children) {
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined && child !== false));
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "heat") element.style.setProperty("--heat", value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Call a function at most once in so many milliseconds, with the last arguments. */
export function calmly(work, milliseconds = 150) {
  let waiting = 0;
  let last = [];
  return (...given) => {
    last = given;
    if (!waiting) {
      waiting = window.setTimeout(() => {
        waiting = 0;
        work(...last);
      }, milliseconds);
    }
  };
}
