// One limit or two, by hand or typed. A move is told at once; an answer that comes while the hand has moved on is not shown, so a quick hand loses nothing.
export default ({ parentElement, data, setStateValue }) => {
  const root = parentElement.querySelector("section");
  const found = (root.held ??= { moves: data.moves, shape: "" });
  const shape = `${data.values.length} ${data.label}`;
  if (found.shape !== shape) build(root, data, shape);
  found.data = data;
  found.tell = (values) => setStateValue("moved", { values, moves: ++found.moves });
  if (data.moves >= found.moves) {
    found.moves = data.moves;
    found.values = [...data.values];
  }
  draw(root);
};

const at = (stops, value) => stops.reduce((best, stop, i) => (Math.abs(stop - value) < Math.abs(stops[best] - value) ? i : best), 0);

function build(root, data, shape) {
  root.replaceChildren();
  root.held.shape = shape;
  const add = (name, kind, attributes) => Object.assign(root.appendChild(document.createElement(name)), { className: kind, ...attributes });
  if (data.visible) add("label", "label", { textContent: data.label, htmlFor: "hand-0", title: data.help ?? "" });
  const many = data.values.length;
  const names = many > 1 ? [`${data.label}, from`, `${data.label}, to`] : [data.label];
  root.held.hands = names.map((name, i) => {
    const hand = add("input", "hand", { type: "range", step: 1, id: `hand-${i}`, ariaLabel: name });
    hand.oninput = () => pick(root, i, root.held.data.stops[hand.valueAsNumber]);
    hand.onchange = () => root.held.tell([...root.held.values].sort((a, b) => a - b));
    return hand;
  });
  const row = add("div", "typed", {});
  root.held.typed = names.map((name, i) => {
    const typed = row.appendChild(Object.assign(document.createElement("input"), { type: "number", step: "any", ariaLabel: `${name}, typed` }));
    typed.onchange = () => {
      if (!typed.reportValidity() || !Number.isFinite(typed.valueAsNumber)) return draw(root);
      pick(root, i, typed.valueAsNumber);
      root.held.tell([...root.held.values].sort((a, b) => a - b));
    };
    return typed;
  });
  root.held.says = row.appendChild(Object.assign(document.createElement("output"), { className: "says" }));
}

function pick(root, i, value) {
  root.held.values[i] = value;
  draw(root, i);
}

function draw(root) {
  const { data, values, hands, typed, says } = root.held;
  const focus = parentFocus(root);
  hands.forEach((hand, i) => {
    const place = at(data.stops, values[i]);
    hand.min = 0;
    hand.max = data.stops.length - 1;
    hand.value = place;
    hand.ariaValueText = data.said[place];
    hand.style.setProperty("--share", place / Math.max(1, data.stops.length - 1));
    typed[i].min = data.least ?? "";
    typed[i].max = data.most ?? "";
    if (focus !== typed[i] || Number(typed[i].value) !== values[i]) typed[i].value = values[i];
  });
  says.textContent = data.counts && values.length === 1 ? data.counts[at(data.stops, values[0])] : "";
}

const parentFocus = (root) => root.getRootNode().activeElement;
