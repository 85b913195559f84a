"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const single = data.runs.length === 1;
  const hidden = new Set();
  const plots = [];
  const sync = uPlot.sync("steps");
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const runColor = (run) => color("--c" + (run % 8));
  const alpha = (hex, a) => hex + Math.round(255 * a).toString(16).padStart(2, "0");

  const shortened = (v) => {
    const a = Math.abs(v);
    if (a >= 1e6) return (v / 1e6).toFixed(a < 1e7 ? 1 : 0) + "M";
    if (a >= 1e4) return (v / 1e3).toFixed(0) + "k";
    return String(+v.toPrecision(3));
  };
  const forms = {
    number: (v) => (Math.abs(v) >= 100 ? shortened(v) : v !== 0 && Math.abs(v) < 0.01 ? v.toExponential(1) : v.toFixed(3)),
    share: (v) => (100 * v).toFixed(Math.abs(v) < 0.1 && v !== 0 ? 1 : 0) + " %",
    count: (v) => (Math.abs(v) >= 1e4 ? shortened(v) : v.toFixed(Math.abs(v) < 10 ? 1 : 0)),
    ms: (v) => +v.toPrecision(2) + " ms",
    seconds: (v) => +v.toPrecision(3) + " s",
    small: (v) => (v === 0 ? "0" : v.toExponential(1)),
  };
  const ticks = {
    ...forms,
    number: (v) => shortened(v),
    share: (v) => +(100 * v).toFixed(2) + "%",
    count: (v) => shortened(v),
    ms: (v) => shortened(v),
    seconds: (v) => shortened(v),
  };

  // The mean of the neighbours on both sides: about a thirteenth of the line.
  function smooth(values) {
    const reach = Math.max(1, Math.floor(values.length / 26));
    if (values.length < 8) return values;
    return values.map((_, i) => {
      const some = values.slice(Math.max(0, i - reach), i + reach + 1);
      return some.reduce((a, b) => a + b, 0) / some.length;
    });
  }

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function tip(chart, label) {
    const box = element("div", "tip off");
    return {
      hooks: {
        init: (u) => u.over.appendChild(box),
        setCursor: (u) => {
          const at = u.cursor.idx;
          const here = u.over.matches(":hover");
          if (at == null || !here || u.cursor.left < 0) return box.classList.add("off");
          box.replaceChildren(element("b", "", label(u.data[0][at])));
          let any = false;
          for (const s of u.series) {
            if (!s.valueAt || !s.show) continue;
            const value = s.valueAt(at);
            if (value == null) continue;
            any = true;
            const row = element("div");
            const name = element("span");
            const swatch = element("i", "swatch");
            swatch.style.background = s.tone();
            name.append(swatch, s.label);
            row.append(name, element("b", "", forms[chart.form](value)));
            box.append(row);
          }
          box.classList.toggle("off", !any);
          const right = u.cursor.left > u.over.clientWidth / 2;
          box.style.left = right ? "auto" : u.cursor.left + 12 + "px";
          box.style.right = right ? u.over.clientWidth - u.cursor.left + 12 + "px" : "auto";
        },
      },
    };
  }

  const font = '11px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif';
  function axes(chart) {
    return [
      { stroke: () => color("--faint"), font, size: 26, gap: 6, grid: { show: false }, ticks: { show: false }, space: 60 },
      {
        stroke: () => color("--faint"), font, gap: 4, ticks: { show: false }, space: 32,
        size: (u, values) => 12 + Math.max(22, ...(values || []).map((v) => 6.2 * String(v).length)),
        grid: { stroke: () => color("--grid"), width: 1 },
        values: (u, splits) => splits.map((v) => (v == null ? "" : ticks[chart.form](v))),
      },
    ];
  }

  function range(chart) {
    return (u, low, high) => {
      if (low == null) return [0, 1];
      for (const p of chart.points || []) {
        if (hidden.has(p.run)) continue;
        low = Math.min(low, p.y - p.error);
        high = Math.max(high, p.y + p.error);
      }
      if (chart.floor) low = Math.min(0, low);
      const pad = high > low ? 0.06 * (high - low) : Math.abs(high) * 0.1 || (chart.form === "share" ? 0.01 : 1);
      const top = chart.form === "share" && high <= 1 ? Math.min(1.02, high + pad) : high + pad;
      return [chart.floor && low >= 0 ? 0 : chart.form === "share" ? Math.max(0, low - pad) : low - pad, top];
    };
  }

  // Evaluations: a dot with one standard error in each direction.
  function heldOut(chart) {
    return {
      hooks: {
        draw: (u) => {
          const ratio = devicePixelRatio;
          u.ctx.save();
          for (const p of chart.points) {
            if (hidden.has(p.run)) continue;
            const x = u.valToPos(p.x, "x", true);
            const y = u.valToPos(p.y, "y", true);
            u.ctx.strokeStyle = u.ctx.fillStyle = runColor(p.run);
            u.ctx.lineWidth = 1.5 * ratio;
            u.ctx.beginPath();
            u.ctx.moveTo(x, u.valToPos(p.y - p.error, "y", true));
            u.ctx.lineTo(x, u.valToPos(p.y + p.error, "y", true));
            u.ctx.stroke();
            u.ctx.beginPath();
            u.ctx.arc(x, y, 4 * ratio, 0, 2 * Math.PI);
            u.ctx.fill();
            u.ctx.strokeStyle = color("--card");
            u.ctx.stroke();
          }
          u.ctx.restore();
        },
      },
    };
  }

  function frame(parent, title, note, now) {
    const card = element("div", "chart");
    const head = element("h3");
    head.append(element("span", "", title), element("span", "now", now));
    const plot = element("div", "plot");
    card.append(head, element("p", "", note), plot);
    parent.append(card);
    return plot;
  }

  function place(plot, make) {
    let made;
    new ResizeObserver(() => {
      const size = { width: plot.clientWidth, height: plot.clientHeight };
      if (!size.width) return; // inside a closed part of the page
      if (made) made.setSize(size);
      else plots.push((made = make(size)));
    }).observe(plot);
  }

  function change(chart) {
    if (!single) return "";
    const y = chart.lines[0].y;
    const size = Math.max(1, Math.min(10, Math.floor(y.length / 4)));
    const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
    return forms[chart.form](mean(y.slice(0, size))) + " → " + forms[chart.form](mean(y.slice(-size)));
  }

  function draw(parent, chart) {
    const faint = chart.lines.length <= 3; // more lines would be unreadable
    const tables = chart.lines.map((line) => [
      line.x, faint ? line.y : line.y.map(() => null), chart.form === "small" ? line.y : smooth(line.y), // a schedule is not smoothed
    ]);
    const points = chart.points || [];
    if (points.length) {
      const xs = [...new Set(points.map((p) => p.x))].sort((a, b) => a - b);
      tables.push([xs, xs.map(() => null)]);
    }
    const joined = uPlot.join(tables);
    const series = [{}];
    chart.lines.forEach((line, i) => {
      const raw = new Map(line.x.map((x, at) => [x, line.y[at]]));
      const tone = () => runColor(line.run);
      const shared = { spanGaps: true, run: line.run, points: { show: line.x.length < 3, size: 5 } };
      series.push({ ...shared, stroke: () => alpha(tone(), 0.28), width: 1 });
      series.push({ ...shared, label: data.runs[line.run], stroke: tone, width: 2, tone, valueAt: (at) => raw.get(joined[0][at]) });
    });
    while (series.length < joined.length) series.push({ show: false });
    const options = {
      series, axes: axes(chart), legend: { show: false }, padding: [8, 10, 0, 0],
      scales: { x: { time: false }, y: { range: range(chart) } },
      cursor: { y: false, sync: { key: sync.key }, points: { show: false }, drag: { x: true, y: false } },
      plugins: [tip(chart, (x) => "step " + x), ...(points.length ? [heldOut(chart)] : [])],
    };
    const plot = frame(parent, chart.title, chart.note, change(chart));
    place(plot, (size) => new uPlot({ ...options, ...size }, joined, plot));
  }

  function histogram(parent, run, counts) {
    for (const [part, title] of [["first", "First fifth of the steps"], ["last", "Last fifth of the steps"]]) {
      const right = counts[part + "_right"];
      const whole = right.map((v, i) => v + counts[part + "_wrong"][i]);
      const high = Math.max(...["first", "last"].flatMap((p) => counts[p + "_right"].map((v, i) => v + counts[p + "_wrong"][i])));
      const chart = { form: "share", floor: true };
      const paths = uPlot.paths.bars({ size: [0.92, 60], align: 0 });
      const bar = (label, name, values, valueAt) => ({
        label, paths, valueAt: (at) => valueAt[at], tone: () => color(name), points: { show: false },
        fill: () => color(name), stroke: () => color(name), width: 0,
      });
      const options = {
        series: [{}, bar("wrong", "--wrong", whole, counts[part + "_wrong"]), bar("right", "--right", right, right)],
        axes: axes(chart), legend: { show: false }, padding: [8, 10, 0, 0],
        scales: { x: { time: false, range: [0, counts.edges.at(-1) + counts.edges[0]] }, y: { range: [0, high * 1.06 || 1] } },
        cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
        plugins: [tip(chart, (x) => "about " + Math.round(x) + " tokens")],
      };
      const name = single ? title : data.runs[run] + ": " + title.toLowerCase();
      const plot = frame(parent, name, "Share of completions by length in tokens: correct green, wrong red", "");
      place(plot, (size) => new uPlot({ ...options, ...size }, [counts.edges, whole, right], plot));
    }
  }

  for (const parent of document.querySelectorAll(".charts[data-group]"))
    for (const chart of data.groups[parent.dataset.group].charts) draw(parent, chart);
  const lengths = document.getElementById("lengths");
  if (lengths) data.lengths.forEach((counts, run) => counts && histogram(lengths, run, counts));

  for (const button of document.querySelectorAll(".keys button"))
    button.addEventListener("click", () => {
      const run = +button.dataset.run;
      const show = hidden.delete(run) || !hidden.add(run);
      button.setAttribute("aria-pressed", show);
      for (const part of document.querySelectorAll(`[data-of="${run}"]`)) part.classList.toggle("off", !show);
      for (const u of plots) u.series.forEach((s, i) => s.run === run && u.setSeries(i, { show }));
    });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.forEach((u) => u.redraw(false, true)));
})();
