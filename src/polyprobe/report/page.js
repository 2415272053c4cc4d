// Draws the page's charts, fills the map of pairs, sorts tables. Nothing is loaded: data and libraries are in the page.
"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };

  // Colours are CSS variables, so that a drawing follows light, dark and print by itself.
  const font = "DejaVu Sans, sans-serif";
  const text = { labelFont: font, titleFont: font, labelColor: "currentColor", titleColor: "currentColor", titleFontWeight: 400 };
  const config = {
    background: null,
    font,
    view: { stroke: null },
    axis: { ...text, gridColor: "var(--line)", domainColor: "var(--faint)", tickColor: "var(--faint)" },
    legend: { ...text, symbolStrokeWidth: 2, symbolSize: 60, symbolOpacity: 1, labelLimit: 220 },
    header: { labelFont: font, titleFont: font, labelColor: "currentColor", titleColor: "currentColor", labelFontWeight: 700 },
    title: { font, color: "currentColor" },
  };

  const fitted = (specification, room) => {
    const narrow = room < 620;
    const columns = narrow ? 1 : 2;
    if (specification.facet) {
      specification.columns = columns;
      const legend = narrow ? 0 : 150;
      specification.spec.width = Math.round(Math.min(430, Math.max(200, (room - legend) / columns - 70)));
    }
    const legend = narrow ? { ...config.legend, orient: "bottom", columns: 3 } : config.legend;
    return { specification, config: { ...config, legend } };
  };

  const embed = (target, specification, rows) => {
    const found = fitted({ ...structuredClone(specification), datasets: { rows } }, target.clientWidth);
    return vegaEmbed(target, found.specification, { mode: "vega-lite", renderer: "svg", actions: false, config: found.config });
  };

  const drawings = new Map();
  const redraw = () => Promise.all([...drawings.values()].map((draw) => draw()));

  const chart = (figure, { rows, views }) => {
    const target = figure.querySelector(".chart");
    let shown = views[0];
    drawings.set(figure, () => embed(target, shown.specification, rows));
    if (views.length < 2) return;
    const choice = element("fieldset", { class: "choice" }, element("legend", {}, "Horizontal axis"));
    views.forEach((view, place) => {
      const input = element("input", { type: "radio", name: `${figure.id}-axis`, value: String(place) });
      input.checked = place === 0;
      input.addEventListener("change", () => {
        shown = view;
        drawings.get(figure)();
      });
      choice.append(element("label", {}, input, view.name));
    });
    target.before(choice);
  };

  const probability = (p) => (p === null ? "–" : p >= 0.001 ? p.toFixed(3) : p.toExponential(1));

  const explorer = (figure, { languages, maps, start, specification }) => {
    const target = figure.querySelector(".chart");
    const choosers = Object.fromEntries(
      ["checkpoint", "layer", "category"].map((key) => [key, figure.querySelector(`select[name=${key}]`)]),
    );
    const [table, told] = [document.querySelector("#pairs-table tbody"), figure.querySelector(".told")];
    const distinct = (key, among) => [...new Set(among.map((map) => String(map[key])))];
    const fill = (chooser, values, wanted) => {
      chooser.replaceChildren(...values.map((value) => element("option", { value }, value)));
      chooser.value = values.includes(wanted) ? wanted : values[0];
    };
    // What one checkpoint offers another may not: the choosers only ever offer maps that are there.
    const offer = (wanted) => {
      fill(choosers.checkpoint, distinct("checkpoint", maps), wanted.checkpoint);
      const ofCheckpoint = maps.filter((map) => map.checkpoint === choosers.checkpoint.value);
      fill(choosers.layer, distinct("layer", ofCheckpoint), wanted.layer);
      const ofLayer = ofCheckpoint.filter((map) => String(map.layer) === choosers.layer.value);
      fill(choosers.category, distinct("category", ofLayer), wanted.category);
      return ofLayer.find((map) => map.category === choosers.category.value);
    };
    let current;
    const rows = () => {
      const corrected = (overlap) => (overlap - current.expected) / (1 - current.expected);
      return current.cells.flatMap(([one, other, overlap, p, significant, neurons]) => {
        const pair = one === other
          ? `${languages[one]}: two seeds of its probe`
          : `${languages[one]} and ${languages[other]}`;
        const row = {
          pair, overlap, corrected: corrected(overlap), p: probability(p), significant: significant === 1,
          neurons: neurons || "–", language_x: languages[one], language_y: languages[other], same: one === other,
        };
        return one === other ? [row] : [row, { ...row, language_x: row.language_y, language_y: row.language_x }];
      });
    };
    const tell = (shown) => {
      const pairs = shown.filter((row, place) => !row.same && (place === 0 || shown[place - 1].pair !== row.pair));
      const share = pairs.filter((row) => row.significant).length;
      told.textContent = `${pairs.length} pairs, ${share} significant; k = ${current.k}, expected by chance ${current.expected.toFixed(3)}.`;
      table.replaceChildren(
        ...pairs.map((row) =>
          element("tr", {}, element("th", { scope: "row" }, row.pair), ...[
            row.overlap.toFixed(3), row.corrected.toFixed(3), row.p, row.significant ? "yes" : "", row.neurons,
          ].map((value) => element("td", {}, value))),
        ),
      );
    };
    const show = (wanted) => {
      current = offer(wanted);
      const present = new Set(current.cells.flatMap(([one, other]) => [languages[one], languages[other]]));
      const shown = rows();
      tell(shown);
      const drawn = structuredClone(specification);
      // A language that lacks the category has no row in the map.
      for (const layer of [drawn, ...(drawn.layer ?? [])])
        for (const axis of ["x", "y"])
          if (layer.encoding?.[axis]?.scale?.domain) layer.encoding[axis].scale.domain = languages.filter((code) => present.has(code));
      const step = Math.max(14, Math.min(34, (target.clientWidth - 170) / present.size));
      drawn.width = { step };
      drawn.height = { step };
      return embed(target, drawn, shown);
    };
    const chosen = () => Object.fromEntries(Object.entries(choosers).map(([key, chooser]) => [key, chooser.value]));
    for (const chooser of Object.values(choosers)) chooser.addEventListener("change", () => show(chosen()));
    drawings.set(figure, () => show(choosers.checkpoint.value ? chosen() : start));
  };

  const sortable = (table) => {
    const numeric = (value) => Number.parseFloat(value.replaceAll(",", "").replace("−", "-"));
    table.querySelectorAll("thead th").forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const button = element("button", { type: "button" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const ascending = head.getAttribute("aria-sort") === "descending";
        for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        const body = table.tBodies[0];
        const keyed = [...body.rows].map((row) => ({ row, value: row.cells[column].textContent.trim() }));
        const numbers = keyed.filter(({ value }) => !Number.isNaN(numeric(value))).length * 2 > keyed.length;
        const order = (a, b) => {
          if (!numbers) return a.value.localeCompare(b.value);
          const [one, other] = [numeric(a.value), numeric(b.value)];
          // What is no number stays below, whichever way.
          if (Number.isNaN(one) || Number.isNaN(other)) return (Number.isNaN(one) - Number.isNaN(other)) * (ascending ? 1 : -1);
          return one - other;
        };
        keyed.sort((a, b) => (ascending ? order(a, b) : order(b, a)));
        body.append(...keyed.map(({ row }) => row));
      });
    });
  };

  const start = async () => {
    document.querySelectorAll(".scroll table").forEach(sortable);
    const charts = read("charts");
    for (const figure of document.querySelectorAll("figure[data-chart]")) chart(figure, charts[figure.dataset.chart]);
    const pairs = document.getElementById("pairwise_heatmap");
    if (pairs) explorer(pairs, read("pairs"));
    await document.fonts.ready;
    await redraw();
    document.documentElement.dataset.drawn = "true";
    let width = document.body.clientWidth;
    let waiting;
    addEventListener("resize", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        if (document.body.clientWidth === width) return;
        width = document.body.clientWidth;
        redraw();
      }, 150);
    });
  };
  start();
})();
