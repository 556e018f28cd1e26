// Unpacks Plotly and replaces each vector graphic on the screen by an interactive plot. Without it the page is complete.
(async () => {
  const report = (error) => console.warn("interactive figures are not available here: " + error);
  if (typeof DecompressionStream === "undefined") return report("this browser has no DecompressionStream");
  const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const described = (figure) => {
    const ink = dark.matches ? "232,232,232" : "26,26,26";
    const text = figure.querySelector(".figure-data").textContent;
    return JSON.parse(text.replaceAll(/@ink\(([\d.]+)\)/g, (_, opacity) => `rgba(${ink},${opacity})`));
  };
  const config = { responsive: true, displayModeBar: false };
  const draw = async (figure) => {
    const place = figure.querySelector(".interactive");
    place.classList.add("drawn");
    const { data, layout } = described(figure);
    await Plotly.react(place, data, layout, config);
    figure.querySelector(".static").classList.add("hidden");
  };
  const all = [...document.querySelectorAll("figure")];
  for (const figure of all) await draw(figure);
  dark.addEventListener("change", () => all.forEach(draw));
  document.documentElement.classList.add("plots-alive");
})().catch((error) => console.error(error));
