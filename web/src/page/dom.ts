// Makes elements; never from text that is parsed as HTML, so nothing that arrives can become a script.

type Child = Node | string | null | undefined | false;
type Value = string | number | boolean | null | undefined | ((event: Event) => unknown);
export type Attributes = Record<string, Value>;

/** Return the element with this id, which the page has. */
export const byId = <Kind extends HTMLElement = HTMLElement>(id: string): Kind => document.getElementById(id) as Kind;

/** As byId, of an input. */
export const inputOf = (id: string): HTMLInputElement => byId<HTMLInputElement>(id);

/** As byId, of a select. */
export const selectOf = (id: string): HTMLSelectElement => byId<HTMLSelectElement>(id);

/** As byId, of a button. */
export const buttonOf = (id: string): HTMLButtonElement => byId<HTMLButtonElement>(id);

/** Return the element with this data-testid, which the page has. */
export const byTest = <Kind extends HTMLElement = HTMLElement>(name: string): Kind =>
  document.querySelector(`[data-testid="${name}"]`) as Kind;

/** Return a new element. */
export function make<Name extends keyof HTMLElementTagNameMap>(name: Name, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[Name] {
  return fill(document.createElement(name), attributes, children);
}

/** As make, of an SVG. */
export function draw<Name extends keyof SVGElementTagNameMap>(name: Name, attributes: Attributes = {}, ...children: Child[]): SVGElementTagNameMap[Name] {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

/** Replace what is in an element; null and false are left out. */
export function put(element: Element, ...children: Child[]): void {
  element.replaceChildren(...there(children));
}

const there = (children: Child[]): (Node | string)[] => children.filter((child) => child !== null && child !== undefined && child !== false);

function fill<Kind extends HTMLElement | SVGElement>(element: Kind, attributes: Attributes, children: Child[]): Kind {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "heat") element.style.setProperty("--heat", String(value));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...there(children));
  return element;
}

/** Return a function that calls another at most once in so many milliseconds, with the last arguments. */
export function calmly<Given extends unknown[]>(work: (...given: Given) => unknown, milliseconds = 150): (...given: Given) => void {
  let waiting = 0;
  let last: Given;
  return (...given) => {
    last = given;
    if (waiting) return;
    waiting = window.setTimeout(() => {
      waiting = 0;
      work(...last);
    }, milliseconds);
  };
}
