// The name stands in this tab's own storage: a reload keeps it, a copied address does not carry it. What the person says here goes before what was kept.
// Streamlit keeps the caret in a box after Enter, and the keys of the page would go on being typed into it.
const KEY = "curate-reader";

export default ({ data, setStateValue }) => {
  const kept = sessionStorage.getItem(KEY) ?? "";
  if (data.said) sessionStorage.setItem(KEY, data.name);
  else if (kept) setStateValue("name", kept);
  box = data.label;
  window.addEventListener("keydown", leave, true); // the same one each time: it is held once
};

let box = "";

function leave(event) {
  const at = event.composedPath()[0];
  if (event.key === "Enter" && at?.tagName === "INPUT" && at.getAttribute("aria-label") === box) setTimeout(() => at.blur());
}
