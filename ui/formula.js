// A score is written here. What is written is told when the hand rests; Enter, or the button, puts it to use. The server's text comes back only where it
// changed by other means: undo, a formula to start from.
export default ({ parentElement, data, setStateValue }) => {
  const root = parentElement.querySelector("section");
  const held = (root.held ??= build(root, data));
  Object.assign(held, { data, tell: setStateValue });
  if (data.text !== held.base) {
    if (data.text !== held.waiting) held.area.value = data.text;
    held.base = data.text;
    held.waiting = null;
  }
  const [number, text] = data.insert;
  if (number !== held.inserted) {
    held.inserted = number;
    write(held, held.area.selectionStart, held.area.selectionEnd, text);
  }
  draw(held);
};

const WORD = /(`[^`]*|[\p{L}_][\p{L}\p{N}_]*)$/u;
const TOKEN = /(`(?:[^`]|``)+`)|([\p{L}_][\p{L}\p{N}_]*)|(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)|([^])/gu;
const REST = 250; // ms after which a hand rests

function build(root, data) {
  const make = (parent, name, attributes) => parent.appendChild(Object.assign(document.createElement(name), attributes));
  make(root, "label", { className: "label", textContent: "Score", htmlFor: "area" });
  const paper = make(root, "div", { className: "paper" });
  const back = make(paper, "pre", { ariaHidden: "true" });
  const area = make(paper, "textarea", { id: "area", value: data.text, spellcheck: false, autocapitalize: "off", autocomplete: "off", maxLength: 2000 });
  const list = make(root, "ul", { className: "list", id: "list", role: "listbox", ariaLabel: "Completions" });
  const under = make(root, "div", { className: "under" });
  const says = make(under, "output", { className: "says" });
  const button = make(under, "button", { type: "button", textContent: "Use this score" });
  for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-controls": "list", "aria-describedby": "says" }))
    area.setAttribute(name, value);
  says.id = "says";
  says.setAttribute("aria-live", "polite");
  area.selectionStart = area.selectionEnd = data.text.length;
  const held = { paper, back, area, list, says, button, base: data.text, waiting: null, inserted: data.insert[0], offers: [], at: -1, n: 0 };
  area.oninput = () => {
    offer(held, false);
    rest(held);
  };
  area.onkeydown = (event) => key(held, event);
  area.onblur = () => offer(held, null);
  area.onclick = () => offer(held, null);
  button.onclick = () => use(held);
  list.onpointerdown = (event) => {
    event.preventDefault();
    const item = event.target.closest("li");
    if (item) take(held, [...list.children].indexOf(item));
  };
  return held;
}

function rest(held) {
  draw(held);
  clearTimeout(held.timer);
  held.timer = setTimeout(() => held.tell("typed", { text: held.area.value, n: ++held.n }), REST);
}

function use(held) {
  const text = held.area.value;
  if (!text.trim() || text === held.base) return;
  clearTimeout(held.timer);
  offer(held, null);
  held.waiting = text;
  held.tell("typed", { text, n: ++held.n });
  held.tell("used", { text, n: ++held.n });
}

function write(held, start, end, text) {
  const { area } = held;
  area.focus();
  area.setRangeText(text, start, end, "end");
  if (text.endsWith("()")) area.selectionStart = area.selectionEnd = area.selectionEnd - 1;
  offer(held, null);
  rest(held);
}

function key(held, event) {
  event.stopPropagation(); // the page's own keys would take letters and undo
  const many = held.offers.length;
  if (event.key === " " && event.ctrlKey) offer(held, true);
  else if (many && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    held.at = (held.at + (event.key === "ArrowDown" ? 1 : held.at < 0 ? 0 : -1) + many) % many;
    mark(held);
  } else if (many && event.key === "Escape") offer(held, null);
  else if (many && event.key === "Tab" && !event.shiftKey) take(held, Math.max(0, held.at));
  else if (many && event.key === "Enter" && held.at >= 0) take(held, held.at);
  else if (event.key === "Enter" && !event.shiftKey) use(held);
  else return;
  event.preventDefault();
}

// What can complete the word before the hand: what begins with it first. all: every name where there is no word; null closes the list.
function offer(held, all) {
  const { area, list, data } = held;
  const word = all === null ? "" : (area.value.slice(0, area.selectionStart).match(WORD)?.[0] ?? "");
  const sought = word.replace("`", "").toLowerCase();
  const rank = ([text]) => {
    const place = text.replace("`", "").toLowerCase().indexOf(sought);
    return place < 0 ? 9 : place === 0 ? 0 : 1;
  };
  const found = all === null || (!sought && !all) ? [] : data.known.filter((k) => rank(k) < 9).sort((a, b) => rank(a) - rank(b));
  held.offers = found.length === 1 && found[0][0] === word ? [] : found.slice(0, all ? 100 : 12);
  held.word = word.length;
  held.at = -1;
  list.replaceChildren(
    ...held.offers.map(([text, told], i) => {
      const item = Object.assign(document.createElement("li"), { id: `offer-${i}`, role: "option" });
      for (const said of [text, told]) item.appendChild(Object.assign(document.createElement("span"), { textContent: said }));
      return item;
    }),
  );
  list.style.top = `${held.paper.offsetTop + held.paper.offsetHeight}px`;
  mark(held);
}

function mark({ list, at, area }) {
  [...list.children].forEach((item, i) => {
    item.ariaSelected = i === at ? "true" : "false";
    if (i === at) item.scrollIntoView({ block: "nearest" });
  });
  area.ariaExpanded = list.children.length ? "true" : "false";
  if (at >= 0) area.setAttribute("aria-activedescendant", `offer-${at}`);
  else area.removeAttribute("aria-activedescendant");
}

function take(held, i) {
  const end = held.area.selectionStart;
  const [text] = held.offers[i];
  write(held, end - held.word, end, text);
}

function draw({ paper, back, area, says, button, data, base, waiting }) {
  const text = area.value;
  const fault = data.fault && data.fault[0] === text ? data.fault : null;
  const functions = new Set(data.known.filter(([name]) => name.endsWith("()")).map(([name]) => name.slice(0, -2)));
  const pieces = [];
  for (const found of text.matchAll(TOKEN)) {
    const [token, quoted, name, number] = found;
    const kind = number ? "number" : name && functions.has(name) && /^\s*\(/.test(text.slice(found.index + token.length)) ? "function" : "";
    const wrong = fault && found.index < Math.max(fault[3], fault[2] + 1) && found.index + token.length > fault[2];
    pieces.push(Object.assign(document.createElement("span"), { className: `${kind} ${wrong ? "fault" : ""}`, textContent: token }));
  }
  back.replaceChildren(...pieces, document.createTextNode("\u200b"));
  if (fault && fault[2] >= text.length) back.appendChild(Object.assign(document.createElement("span"), { className: "fault", textContent: "\u00a0" }));
  const same = text === base;
  paper.classList.toggle("wrong", Boolean(fault));
  area.ariaInvalid = fault ? "true" : "false";
  says.classList.toggle("wrong", Boolean(fault));
  says.textContent = fault ? fault[1] : same ? "" : text === waiting ? "Working it out" : "Not in use yet. Enter uses it, Tab completes a name, Ctrl+Space lists all.";
  button.disabled = same || Boolean(fault) || !text.trim();
}
