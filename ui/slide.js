// One limit or two, by hand or typed. A move is told at once. While a person has a control in hand, or an answer to an earlier move is still on its way, what
// the server says is not shown: nothing is taken from a quick hand.
export default ({ parentElement, data, setStateValue }) => {
  const root = parentElement.querySelector("section");
  const held = (root.held ??= { moves: data.moves, busy: false });
  const shape = `${data.values.length} ${data.label} ${data.unit}`;
  const anew = held.shape !== shape;
  held.data = data;
  held.tell = () => setStateValue("moved", { values: [...held.values], moves: ++held.moves });
  if (anew || (!held.busy && data.moves >= held.moves)) {
    held.moves = Math.max(held.moves, data.moves);
    held.values = [...data.values];
  }
  if (anew) build(root, shape);
  draw(root);
};

const closest = (stops, value) => stops.reduce((best, stop, i) => (Math.abs(stop - value) < Math.abs(stops[best] - value) ? i : best), 0);

function build(root, shape) {
  const held = root.held, { data } = held;
  root.replaceChildren();
  Object.assign(held, { shape, busy: false });
  const make = (parent, name, attributes) => parent.appendChild(Object.assign(document.createElement(name), attributes));
  if (data.visible) make(root, "label", { className: "label", textContent: data.label, htmlFor: "hand-0" });
  if (data.unit) make(root, "div", { className: "unit", textContent: data.unit });
  const names = data.values.length > 1 ? [`${data.label}, from`, `${data.label}, to`] : [data.label];
  held.hands = names.map((name, i) => {
    const hand = make(root, "input", { className: "hand", type: "range", min: 0, step: 1, id: `hand-${i}`, ariaLabel: name });
    hand.oninput = () => {
      held.busy = true;
      pick(root, i, held.data.stops[hand.valueAsNumber]);
    };
    hand.onchange = () => {
      held.busy = false;
      held.tell();
    };
    hand.onblur = hand.onpointerup = () => (held.busy = false);
    return hand;
  });
  const row = make(root, "div", { className: "typed" });
  held.typed = names.map((name, i) => {
    const typed = make(row, "input", { type: "number", step: data.step, ariaLabel: `${name}, typed` });
    typed.onchange = () => {
      const value = typed.valueAsNumber, { least, most } = held.data;
      const wrong = !Number.isFinite(value) || (least !== null && value < least) || (most !== null && value > most);
      typed.classList.toggle("wrong", wrong);
      typed.setCustomValidity(wrong ? `Give a number ${most === null ? `from ${least ?? "any"}` : `from ${least} to ${most}`}` : "");
      if (wrong) return typed.reportValidity();
      pick(root, i, value);
      held.tell();
    };
    return typed;
  });
  held.says = make(row, "output", { className: "says" });
}

// Two hands do not cross: the one that is moved stops at the other.
function pick(root, i, value) {
  const { values } = root.held;
  values[i] = values.length < 2 ? value : i ? Math.max(value, values[0]) : Math.min(value, values[1]);
  draw(root);
}

function draw(root) {
  const { data, values, hands, typed, says } = root.held;
  const focus = root.getRootNode().activeElement;
  hands.forEach((hand, i) => {
    const place = closest(data.stops, values[i]);
    hand.max = data.stops.length - 1;
    hand.value = place;
    hand.ariaValueText = data.said[place];
    hand.style.setProperty("--share", place / Math.max(1, data.stops.length - 1));
    if (focus !== typed[i]) {
      typed[i].value = Number(values[i].toPrecision(9));
      typed[i].classList.remove("wrong");
      typed[i].setCustomValidity("");
    }
  });
  const stop = data.stops.indexOf(values[0]);
  says.textContent = data.counts && values.length === 1 && stop >= 0 ? data.counts[stop] : "";
}
