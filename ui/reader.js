// Streamlit keeps the caret in a box after Enter, and the keys of the page would go on being typed into it.
export default ({ data }) => {
  const leave = (event) => {
    const box = event.composedPath()[0];
    if (event.key === "Enter" && box?.tagName === "INPUT" && box.getAttribute("aria-label") === data) setTimeout(() => box.blur());
  };
  window.addEventListener("keydown", leave, true);
  return () => window.removeEventListener("keydown", leave, true);
};
