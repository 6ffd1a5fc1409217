// The row in hand, and the next ones behind it. A key shows the next row at once; the decision is on its way until the server says that it is on disk, and is
// listed as such. All that is on its way is told again with each decision and after a while, by an id that the server takes once.
export default ({ parentElement, data, setStateValue }) => {
  const root = parentElement.querySelector("section");
  const anew = !root.held || root.held.key !== data.key;
  if (anew) root.held = { key: data.key, moves: 0, pending: recall(data.key), past: [], back: [], panel: "", editing: null, shown: null };
  const held = root.held;
  held.data = data;
  held.tell = () => {
    sessionStorage.setItem(`curate-queue-${held.key}`, JSON.stringify(held.pending));
    setStateValue("said", { key: held.key, pending: held.pending.map(({ at, failed, ...rest }) => rest), moves: `${held.key}-${Date.now()}-${++held.moves}` });
  };
  if (anew) build(root);
  const gone = new Set(data.taken);
  held.pending = held.pending.filter((one) => !gone.has(one.id));
  held.pending.forEach((one) => (one.failed = data.failed[one.id] ?? ""));
  sessionStorage.setItem(`curate-queue-${held.key}`, JSON.stringify(held.pending));
  draw(root);
  listen(root);
};

const LATE = 4000; // ms after which a decision is told again
const ENDS = new Set(["keep", "drop", "label", "edit", "skip"]);
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
const seen = (text) => text.replace(UNSEEN, (sign) => `⟨U+${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
const make = (parent, name, attributes = {}) => parent.appendChild(Object.assign(document.createElement(name), attributes));
const id = () => [...crypto.getRandomValues(new Uint8Array(6))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

function recall(key) {
  const text = sessionStorage.getItem(`curate-queue-${key}`);
  return text ? JSON.parse(text).map((one) => ({ ...one, at: 0 })) : [];
}

// What was typed into the texts of a row and not kept yet, by column; a row that goes and comes back still has it. Null takes it away.
const drafts = (held) => JSON.parse(sessionStorage.getItem(`curate-drafts-${held.key}`) ?? "{}");

function draft(held, row, texts) {
  const every = drafts(held);
  if (texts) every[row] = { ...every[row], ...texts };
  else delete every[row];
  sessionStorage.setItem(`curate-drafts-${held.key}`, JSON.stringify(every));
}

function build(root) {
  root.replaceChildren();
  for (const name of ["status", "lost", "row", "panel", "keys"]) root.held[name + "Box"] = make(root, "div", { className: name });
  root.held.rowBox.setAttribute("aria-live", "polite");
}

// Rows not decided yet: those that an undo brought back first. One decision may wait to be kept, and one that takes it back behind it.
function rows(held) {
  const undone = new Set(held.pending.filter((one) => one.action === "undo").map((one) => one.of));
  const hidden = new Set(held.pending.filter((one) => ENDS.has(one.action) && !undone.has(one.id)).map((one) => one.row));
  const found = new Map();
  for (const row of [...held.back, ...held.data.rows]) if (!hidden.has(row.id) && !found.has(row.id)) found.set(row.id, row);
  return [...found.values()];
}

// The row in hand. One that is being edited stays, whatever the server gives.
const inHand = (held) => (held.panel === "edit" && held.editing) || rows(held)[0];

function say(root, said) {
  const held = root.held, row = inHand(held);
  if (!row) return;
  for (const one of said) held.pending.push({ id: id(), row: row.id, why: row.kind, ...one, at: Date.now() });
  if (ENDS.has(said.at(-1).action)) {
    held.past.push({ row, ids: held.pending.slice(-said.length).map((one) => one.id) });
    held.back = held.back.filter((other) => other.id !== row.id);
  } else row.said = [...(row.said ?? []), ...said.map((one) => `${one.action} ${one.value}`)];
  held.panel = "";
  draw(root, true);
  held.tell();
}

function undo(root) {
  const held = root.held, last = held.past.pop();
  const ids = last ? [...last.ids].reverse() : [null];
  for (const of of ids) held.pending.push({ id: id(), action: "undo", of, row: last?.row.id ?? "", at: Date.now() });
  if (last) held.back = [last.row, ...held.back];
  held.panel = "";
  draw(root, true);
  held.tell();
}

function draw(root, force = false) {
  const held = root.held, row = inHand(held);
  status(root);
  const now = `${row?.id} ${row?.label} ${held.panel}`;
  if (!force && held.shown === now && row) return;
  held.shown = now;
  show(root, row);
  panel(root, row);
  keys(root, row);
  root.dataset.row = row ? row.id : "";
}

function status(root) {
  const held = root.held, { data, statusBox, lostBox } = held;
  const failed = held.pending.filter((one) => one.failed), waiting = held.pending.length - failed.length;
  statusBox.textContent = [data.progress, waiting ? `${waiting} on the way, not kept yet` : "", failed.length ? `${failed.length} not kept` : ""].filter(Boolean).join(" · ");
  statusBox.classList.toggle("late", held.pending.some((one) => Date.now() - one.at > LATE));
  lostBox.replaceChildren();
  for (const one of failed) make(lostBox, "div", { textContent: `Not kept: ${one.action} of row ${one.row}. ${seen(one.failed)}` });
  if (!failed.length) return;
  make(lostBox, "button", { textContent: "Try again", onclick: held.tell });
  make(lostBox, "button", { textContent: "Leave it", onclick: () => {
    held.pending = held.pending.filter((one) => !one.failed);
    draw(root, true);
    held.tell();
  } });
}

function show(root, row) {
  const box = root.held.rowBox;
  box.replaceChildren();
  if (!row) return void make(box, "div", { className: "none", textContent: root.held.pending.length ? "Fetching more rows" : root.held.data.none });
  const head = make(box, "div", { className: "head" });
  make(head, "strong", { textContent: `Row ${row.position.toLocaleString("en")}` });
  make(head, "span", { className: "why", textContent: row.why });
  if (row.label !== null) {
    const line = make(box, "div", { className: "labels" });
    make(line, "span", { className: "given", textContent: `${row.named ?? "Given"}: ${seen(row.label)}` });
    row.options.forEach((name, i) => {
      const way = make(line, "button", { disabled: root.held.panel === "edit", onclick: () => say(root, [{ action: "label", value: name, given: row.label }]) });
      make(way, "kbd", { textContent: row.keys[i] });
      way.append(seen(name));
    });
  }
  for (const part of row.texts) {
    make(box, "div", { className: "name", textContent: part.name });
    make(box, "div", { className: "text", textContent: seen(part.text) || "(empty)", dir: "auto" });
  }
  if (row.said) make(box, "div", { className: "why", textContent: `Said of this row: ${row.said.map(seen).join(", ")}` });
}

// By meaning; its key comes from the server (ui/keys.py).
const ACTIONS = [
  ["keep", "Keep", (root) => say(root, [{ action: "keep" }])],
  ["drop", "Drop", (root) => say(root, [{ action: "drop" }])],
  ["label", "Label", (root) => open(root, "label"), (row) => row.label !== null],
  ["edit", "Edit", (root) => open(root, "edit"), (row) => row.texts.some((part) => part.column)],
  ["rate", "Rate", (root) => open(root, "rate")],
  ["tag", "Tag", (root) => open(root, "tag")],
  ["skip", "Skip", (root) => say(root, [{ action: "skip" }])],
  ["undo", "Undo", undo],
];

function keys(root, row) {
  const box = root.held.keysBox;
  box.replaceChildren();
  for (const [meaning, name, act, can] of ACTIONS) {
    const off = root.held.panel === "edit" || (name !== "Undo" && (!row || (can && !can(row))));
    const button = make(box, "button", { onclick: () => act(root), disabled: off });
    make(button, "kbd", { textContent: root.held.data.keys[meaning].toUpperCase() });
    button.append(name);
  }
}

function open(root, name) {
  root.held.editing = name === "edit" ? inHand(root.held) : null;
  root.held.panel = name;
  draw(root, true);
}

function panel(root, row) {
  const box = root.held.panelBox, { panel: name, data } = root.held;
  box.replaceChildren();
  if (!row || !name) return;
  box.onkeydown = (event) => event.key === "Escape" && open(root, "");
  if (name === "label") choose(box, "Type a part of the label, Enter takes the first", data.labels, (value) => say(root, [{ action: "label", value, given: row.label }]));
  if (name === "tag") choose(box, "Tag, Enter adds it", data.tags, (value) => say(root, [{ action: "tag", value }]), true);
  if (name === "rate") {
    make(box, "span", { className: "why", textContent: "How good is it, 1 to 5" });
    for (const n of [1, 2, 3, 4, 5]) make(box, "button", { textContent: n, onclick: () => say(root, [{ action: "rate", value: `rating: ${n}` }]) });
  }
  if (name === "edit") edit(root, box, row);
}

// A text to type, and the names that hold it; a new one only where `free`.
function choose(box, label, names, take, free = false) {
  const typed = make(box, "input", { type: "text", ariaLabel: label, placeholder: label });
  const list = make(box, "div", { className: "found" });
  const matching = () => {
    const part = typed.value.trim().toLowerCase();
    return names.filter((name) => name.toLowerCase().includes(part)).sort((a, b) => a.toLowerCase().indexOf(part) - b.toLowerCase().indexOf(part)).slice(0, 12);
  };
  const refresh = () => list.replaceChildren(...matching().map((name) => Object.assign(document.createElement("button"), { textContent: seen(name), onclick: () => take(name) })));
  typed.oninput = refresh;
  typed.onkeydown = (event) => {
    const value = free ? typed.value.trim() : matching()[0];
    if (event.key === "Enter" && value) take(value);
  };
  refresh();
  typed.focus();
}

function edit(root, box, row) {
  const held = root.held, typed = drafts(held)[row.id] ?? {};
  const fields = row.texts.filter((part) => part.column).map((part) => {
    make(box, "div", { className: "name", textContent: part.name });
    const value = typed[part.column] ?? part.text, size = Math.min(14, 2 + value.length / 90);
    const oninput = (event) => draft(held, row.id, { [part.column]: event.target.value });
    return [part, make(box, "textarea", { value, ariaLabel: `Edit ${part.name}`, rows: size, oninput })];
  });
  held.leaveEdit = () => {
    draft(held, row.id, null);
    open(root, "");
  };
  held.keepEdit = () => {
    const changed = fields.filter(([part, field]) => field.value !== part.text.replaceAll("\r\n", "\n").replaceAll("\r", "\n"));
    draft(held, row.id, null);
    if (changed.length) say(root, changed.map(([part, field]) => ({ action: "edit", column: part.column, value: field.value, given: part.text })));
    else open(root, "");
  };
  make(box, "button", { textContent: "Keep the edit (Ctrl+Enter)", onclick: held.keepEdit });
  make(box, "button", { textContent: "Leave it (Esc)", onclick: held.leaveEdit });
  fields[0]?.[1].focus();
}

// It ends when the row is gone from the page, not when Streamlit says: that tells an older call of its end after a newer one has begun, where two come close together.
function listen(root) {
  if (root.listens) return;
  root.listens = true;
  const key = (event) => {
    if (!root.isConnected) return;
    const at = event.composedPath()[0];
    if (root.held.panel === "edit") {
      const keep = event.key === "Enter" && (event.ctrlKey || event.metaKey);
      const elsewhere = /^(INPUT|TEXTAREA|SELECT)$/.test(at?.tagName) && !root.contains(at);
      if (elsewhere || event.repeat || !(keep || event.key === "Escape")) return; // every other key is for the text
      (keep ? root.held.keepEdit : root.held.leaveEdit)();
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || /^(INPUT|TEXTAREA|SELECT)$/.test(at?.tagName) || at?.isContentEditable) return;
    const row = inHand(root.held), digit = Number(event.key);
    const way = ACTIONS.find(([meaning]) => root.held.data.keys[meaning] === event.key.toLowerCase());
    if (root.held.panel && event.key === "Escape") open(root, "");
    else if (root.held.panel === "rate" && digit >= 1 && digit <= 5) say(root, [{ action: "rate", value: `rating: ${digit}` }]);
    else if (row && row.label !== null && row.keys.includes(event.key)) say(root, [{ action: "label", value: row.options[row.keys.indexOf(event.key)], given: row.label }]);
    else if (way && (way[1] === "Undo" || (row && (!way[3] || way[3](row))))) way[2](root);
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  const again = () => {
    if (!root.isConnected) return leave();
    status(root);
    if (root.held.pending.some((one) => !one.failed && Date.now() - one.at > LATE)) {
      root.held.pending.forEach((one) => (one.at = Date.now() - LATE / 2));
      root.held.tell();
    }
  };
  const stay = (event) => root.isConnected && root.held.pending.length && event.preventDefault();
  const timer = setInterval(again, 1000);
  window.addEventListener("keydown", key, true);
  window.addEventListener("beforeunload", stay);
  const leave = () => {
    clearInterval(timer);
    window.removeEventListener("keydown", key, true);
    window.removeEventListener("beforeunload", stay);
    root.listens = false;
  };
}
