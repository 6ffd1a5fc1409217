// The name stands in this tab's own storage: a reload keeps it, a copied address does not carry it. What the person says here goes before what was kept.
// Streamlit keeps the caret in a box after Enter, and the keys of the page would go on being typed into it.
const KEY = "curate-reader";

export default ({ data, setStateValue }) => {
  const kept = sessionStorage.getItem(KEY) ?? "";
  if (data.said) sessionStorage.setItem(KEY, data.name);
  else if (kept) setStateValue("name", kept);
  const leave = (event) => {
    const box = event.composedPath()[0];
    if (event.key === "Enter" && box?.tagName === "INPUT" && box.getAttribute("aria-label") === data.label) setTimeout(() => box.blur());
  };
  window.addEventListener("keydown", leave, true);
  return () => window.removeEventListener("keydown", leave, true);
};
