"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const alone = data.groups.length === 1; // one run, or the seeds of one recipe
  const groupOf = [];
  data.groups.forEach((group, at) => group.runs.forEach((run) => (groupOf[run] = at)));
  const isSeed = (run) => data.groups[groupOf[run]].runs.length > 1;
  const hidden = new Set();
  const plots = [];
  const sync = uPlot.sync("steps");
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const groupColor = (group) => color("--c" + (group % 8));
  const runColor = (run) => groupColor(groupOf[run]);
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
            const found = s.valueAt(at);
            if (found == null) continue;
            const value = typeof found === "string" ? found : forms[chart.form](found);
            any = true;
            const row = element("div");
            const name = element("span");
            const swatch = element("i", "swatch");
            swatch.style.background = s.tone();
            name.append(swatch, s.label);
            row.append(name, element("b", "", value));
            box.append(row);
          }
          for (const p of [...(chart.means || []), ...(chart.points || [])]) {
            const run = p.run ?? data.groups[p.group].runs[0];
            if (p.x !== u.data[0][at] || hidden.has(run) || (p.run !== undefined && isSeed(p.run))) continue;
            any = true;
            const row = element("div");
            const count = p.run === undefined ? p.n + " seeds" : p.n + " tasks";
            row.append(element("span", "", `held out, ${p.moment}, ${count}`), element("b", "", `${forms[chart.form](p.y)} ± ${forms[chart.form](p.error)}`));
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
  const ruler = document.createElement("canvas").getContext("2d");
  ruler.font = font;
  const widthOf = (text) => ruler.measureText(text).width;
  const whole = (x) => Math.round(x).toLocaleString("en-US");

  // The right edge has room for half of the last tick.
  const padding = (last) => [8, Math.max(10, Math.ceil(widthOf(whole(last)) / 2) + 4), 0, 0];

  function axes(chart, name) {
    return [
      {
        stroke: () => color("--faint"), font, size: 22, gap: 4, grid: { show: false }, ticks: { show: false }, space: 60,
        label: name, labelFont: font, labelSize: 15, labelGap: 0, incrs: [1, 2, 5, 10, 20, 25, 50].flatMap((v) => [v, v * 100, v * 1e4, v * 1e6]).sort((p, q) => p - q),
        values: (u, splits) => splits.map((v) => (v == null ? "" : whole(v))),
      },
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
      for (const p of shownPoints(chart)) {
        low = Math.min(low, p.y - p.error);
        high = Math.max(high, p.y + p.error);
      }
      if (chart.floor) low = Math.min(0, low);
      const pad = high > low ? 0.06 * (high - low) : Math.abs(high) * 0.1 || (chart.form === "share" ? 0.01 : 1);
      const limit = chart.ceiling ?? (chart.form === "share" && high <= 1 ? 1 : Infinity);
      const top = Math.min(high + pad, 1.02 * limit);
      return [chart.floor && low >= 0 ? 0 : chart.form === "share" ? Math.max(0, low - pad) : low - pad, top];
    };
  }

  // Evaluations: of each run alone, or the mean over seeds where a recipe has several.
  function shownPoints(chart) {
    const own = (chart.points || []).filter((p) => !hidden.has(p.run) && !isSeed(p.run));
    const means = (chart.means || []).filter((p) => !hidden.has(data.groups[p.group].runs[0]));
    return [...own, ...means];
  }

  // A dot with one standard error in each direction; hollow where only a few tasks were attempted. Single seeds are small dots.
  function heldOut(chart) {
    return {
      hooks: {
        draw: (u) => {
          const ratio = devicePixelRatio;
          const dot = (p, tone, size, hollow) => {
            u.ctx.beginPath();
            u.ctx.arc(u.valToPos(p.x, "x", true), u.valToPos(p.y, "y", true), size * ratio, 0, 2 * Math.PI);
            u.ctx.fillStyle = hollow ? color("--card") : tone;
            u.ctx.fill();
            u.ctx.strokeStyle = hollow ? tone : color("--card");
            u.ctx.lineWidth = 1.5 * ratio;
            u.ctx.stroke();
          };
          u.ctx.save();
          for (const p of chart.points) if (isSeed(p.run) && !hidden.has(p.run)) dot(p, alpha(runColor(p.run), 0.6), 2, p.moment === "during" || p.moment === "checkpoint");
          for (const p of shownPoints(chart)) {
            const tone = groupColor(p.group ?? groupOf[p.run]);
            const few = p.moment === "during" || p.moment === "checkpoint";
            const x = u.valToPos(p.x, "x", true);
            u.ctx.strokeStyle = few ? alpha(tone, 0.5) : tone;
            u.ctx.lineWidth = (few ? 1 : 1.5) * ratio;
            u.ctx.beginPath();
            u.ctx.moveTo(x, u.valToPos(p.y - p.error, "y", true));
            u.ctx.lineTo(x, u.valToPos(p.y + p.error, "y", true));
            u.ctx.stroke();
            dot(p, tone, few ? 3 : 4, few);
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
    if (!alone) return "";
    const y = chart.bands.length ? chart.bands[0].mean : chart.lines[0].y;
    const size = Math.max(1, Math.min(10, Math.floor(y.length / 4)));
    const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
    return forms[chart.form](mean(y.slice(0, size))) + " → " + forms[chart.form](mean(y.slice(-size)));
  }

  function draw(parent, chart) {
    const show = forms[chart.form];
    const faint = chart.lines.filter((line) => !isSeed(line.run)).length <= 3; // more lines would be unreadable
    const tables = [];
    const series = [{}];
    const bands = [];
    const lookup = (xs, ys) => {
      const at = new Map(xs.map((x, i) => [x, ys[i]]));
      return (i) => at.get(joined[0][i]);
    };
    for (const line of chart.lines) {
      const xs = data.xs[line.x];
      const tone = () => runColor(line.run);
      const shared = { spanGaps: true, run: line.run, points: { show: xs.length < 3, size: 5 } };
      const raw = lookup(xs, isSeed(line.run) ? line.smooth : line.y);
      const label = isSeed(line.run) ? "seed " + data.seeds[line.run] : data.runs[line.run];
      if (isSeed(line.run)) {
        tables.push([xs, line.smooth]);
        series.push({ ...shared, label, stroke: () => alpha(tone(), 0.5), width: 1, tone: () => alpha(tone(), 0.5), valueAt: raw });
      } else {
        tables.push([xs, faint ? line.y : line.y.map(() => null), line.smooth]);
        series.push({ ...shared, stroke: () => alpha(tone(), 0.28), width: 1 });
        series.push({ ...shared, label, stroke: tone, width: 2, tone, valueAt: raw });
      }
    }
    for (const band of chart.bands) {
      const xs = data.xs[band.x];
      const tone = () => groupColor(band.group);
      const shared = { spanGaps: true, run: data.groups[band.group].runs[0], points: { show: false } };
      tables.push([xs, band.mean.map((v, i) => v + band.std[i]), band.mean.map((v, i) => v - band.std[i]), band.mean]);
      bands.push({ series: [series.length, series.length + 1], fill: () => alpha(tone(), 0.16) });
      series.push({ ...shared, stroke: "transparent", width: 0 }, { ...shared, stroke: "transparent", width: 0 });
      const mean = lookup(xs, band.mean);
      const std = lookup(xs, band.std);
      const label = (alone ? "" : data.groups[band.group].name + ", ") + `mean of ${band.n} seeds ± std`;
      series.push({ ...shared, points: { show: xs.length < 3, size: 6 }, label, stroke: tone, width: 2.5, tone, valueAt: (i) => (mean(i) == null ? null : `${show(mean(i))} ± ${show(std(i))}`) });
    }
    for (const line of chart.given_up) {
      tables.push([data.xs[line.x], line.y]);
      series.push({ spanGaps: true, run: line.run, points: { show: data.xs[line.x].length < 3, size: 4 }, stroke: () => alpha(runColor(line.run), 0.7), width: 1.2, dash: [4, 3] });
    }
    if (chart.points.length) {
      const xs = [...new Set(chart.points.map((p) => p.x))].sort((a, b) => a - b);
      tables.push([xs, xs.map(() => null)]);
    }
    const joined = uPlot.join(tables);
    while (series.length < joined.length) series.push({ show: false });
    const options = {
      series, bands, axes: axes(chart, "step"), legend: { show: false }, padding: padding(joined[0].at(-1)),
      scales: { x: { time: false }, y: { range: range(chart) } },
      cursor: { y: false, sync: { key: sync.key }, points: { show: false }, drag: { x: true, y: false } },
      plugins: [tip(chart, (x) => "step " + whole(x)), ...(chart.points.length ? [heldOut(chart)] : [])],
    };
    const plot = frame(parent, chart.title, chart.note, change(chart));
    place(plot, (size) => new uPlot({ ...options, ...size }, joined, plot));
  }

  function histogram(parent, group, counts) {
    for (const [part, title] of [["first", "First fifth of the steps"], ["last", "Last fifth of the steps"]]) {
      const right = counts[part + "_right"];
      const both = right.map((v, i) => v + counts[part + "_wrong"][i]);
      const high = Math.max(...["first", "last"].flatMap((p) => counts[p + "_right"].map((v, i) => v + counts[p + "_wrong"][i])));
      const chart = { form: "share", floor: true };
      const paths = uPlot.paths.bars({ size: [0.92, 60], align: 0 });
      const bar = (label, name, values, valueAt) => ({
        label, paths, valueAt: (at) => valueAt[at], tone: () => color(name), points: { show: false },
        fill: () => color(name), stroke: () => color(name), width: 0,
      });
      const options = {
        series: [{}, bar("wrong", "--wrong", both, counts[part + "_wrong"]), bar("right", "--right", right, right)],
        axes: axes(chart, "tokens"), legend: { show: false }, padding: padding(counts.edges.at(-1)),
        scales: { x: { time: false, range: [0, counts.edges.at(-1) + counts.edges[0]] }, y: { range: [0, high * 1.06 || 1] } },
        cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
        plugins: [tip(chart, (x) => "about " + Math.round(x) + " tokens")],
      };
      const name = alone ? title : data.groups[group].name + ": " + title.toLowerCase();
      const plot = frame(parent, name, "Share of completions by length in tokens: correct green, wrong red", "");
      place(plot, (size) => new uPlot({ ...options, ...size }, [counts.edges, both, right], plot));
    }
  }

  for (const parent of document.querySelectorAll(".charts[data-group]"))
    for (const chart of data.parts[parent.dataset.group].charts) draw(parent, chart);
  const lengths = document.getElementById("lengths");
  if (lengths) data.lengths.forEach((counts, group) => counts && histogram(lengths, group, counts));

  for (const button of document.querySelectorAll(".keys button"))
    button.addEventListener("click", () => {
      const runs = button.dataset.runs.split(" ").map(Number);
      const show = hidden.has(runs[0]);
      for (const run of runs) {
        show ? hidden.delete(run) : hidden.add(run);
        for (const part of document.querySelectorAll(`[data-of="${run}"]`)) part.classList.toggle("off", !show);
        for (const u of plots) u.series.forEach((s, i) => s.run === run && u.setSeries(i, { show }));
      }
      button.setAttribute("aria-pressed", show);
    });

  // A link into a closed part opens it.
  function reveal() {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!target) return;
    for (let part = target.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
    target.scrollIntoView();
  }
  addEventListener("hashchange", reveal);
  for (const link of document.querySelectorAll('a[href^="#"]')) link.addEventListener("click", () => setTimeout(reveal));
  reveal();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.forEach((u) => u.redraw(false, true)));
})();
