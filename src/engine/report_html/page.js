// Values under the pointer, and a button that copies a command. The report is complete without it.
(() => {
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const show = (text, event) => {
    tip.textContent = text;
    tip.hidden = false;
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    const top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8);
    tip.style.left = Math.max(4, left) + "px";
    tip.style.top = Math.max(4, top) + "px";
  };
  const short = (value) => (Math.abs(value) >= 1000 ? Math.round(value).toString() : Number(value.toPrecision(3)).toString());

  for (const svg of document.querySelectorAll("svg[data-x]")) {
    const [x0, x1, left, right] = svg.dataset.x.split(" ").map(Number);
    const [y0, y1, bottom, top] = svg.dataset.y.split(" ").map(Number);
    const log = svg.dataset.log === "true";
    const xAt = (place) => x0 + ((place - left) / (right - left)) * (x1 - x0);
    const yAt = (place) => {
      const share = (place - bottom) / (top - bottom);
      return log ? y0 * (y1 / y0) ** share : y0 + share * (y1 - y0);
    };
    const lines = [...svg.querySelectorAll(".line")].map((path) => ({
      name: path.dataset.name,
      points: path.getAttribute("d").split(/[ML]/).slice(1).map((pair) => pair.split(" ").map(Number)),
    }));
    const cursor = document.createElementNS("http://www.w3.org/2000/svg", "path");
    cursor.setAttribute("class", "cursor");
    svg.append(cursor);
    svg.addEventListener("pointermove", (event) => {
      const matrix = svg.getScreenCTM();
      if (!matrix) return;
      const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse()).x;
      if (place < left - 4 || place > right + 4) return leave();
      const rows = lines.map(({ name, points }) => {
        const nearest = points.reduce((best, point) => (Math.abs(point[0] - place) < Math.abs(best[0] - place) ? point : best), [Infinity, 0]);
        return Math.abs(nearest[0] - place) < 12 ? `${name}  ${short(yAt(nearest[1]))}` : null;
      }).filter(Boolean);
      if (!rows.length) return leave();
      cursor.setAttribute("d", `M${place} ${top}V${bottom}`);
      show([`${svg.dataset.unit} ${Math.round(xAt(place))}`, ...rows].join("\n"), event);
    });
    const leave = () => { tip.hidden = true; cursor.setAttribute("d", ""); };
    svg.addEventListener("pointerleave", leave);
  }

  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.previousElementSibling.textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Select and copy by hand";
      }
    });
  }
})();
