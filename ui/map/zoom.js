// Tells where the map has been panned or zoomed to, once the hand rests, so that the server draws that part in full detail.
export default ({ parentElement, setStateValue }) => {
  const attach = () => {
    const plot = document.querySelector(".st-key-map .js-plotly-plot");
    if (!plot || !plot.on) return;
    plot.tellView = (view) => setStateValue("view", view);
    if (plot.zoomIsTold) return;
    plot.zoomIsTold = true;
    let timer = 0;
    plot.on("plotly_relayout", (change) => {
      if (!Object.keys(change).some((key) => /^[xy]axis2?\./.test(key))) return;
      clearTimeout(timer);
      timer = setTimeout(() => {
        const { xaxis, yaxis } = plot._fullLayout;
        const home = Object.keys(change).some((key) => key.endsWith("autorange"));
        plot.tellView(home ? [] : [...xaxis.range, ...yaxis.range].map(Number));
      }, 250);
    });
  };
  attach();
  clearInterval(again);
  again = setInterval(() => (parentElement.isConnected ? attach() : clearInterval(again)), 500);
};

let again = 0;
