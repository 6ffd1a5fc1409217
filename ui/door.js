// A login ends on the first page, whatever page was asked for: this tab keeps the address, of this server alone, and goes there once after the login.
const KEY = "curate-asked-for";

export default ({ data }) => {
  const here = location.pathname + location.search;
  if (data.waits) return sessionStorage.setItem(KEY, here);
  const asked = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  if (asked?.startsWith("/") && !asked.startsWith("//") && asked !== here) location.replace(asked);
};
