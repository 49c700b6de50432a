/**
 * The charts of the dashboard, drawn by Chart.js. Colours are the style sheet's, so that light and dark are told in one place, and nothing
 * is told by colour alone: what is late is hatched and says so.
 */

const { Chart } = globalThis;
const DAY_MS = 86_400_000;
const drawn = new Map();

Chart.defaults.animation = false;
Chart.defaults.maintainAspectRatio = false;

/** Days since 1970, of a day as ISO text. */
export const dayNumber = (day) => Date.parse(`${day}T00:00:00Z`) / DAY_MS;

/** A formatter of days: ISO text or days since 1970, in the language of the page. */
export function dayFormat(options) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { timeZone: "UTC", ...options });
  return (day) => format.format(typeof day === "number" ? day * DAY_MS : dayNumber(day) * DAY_MS);
}

export const shortDay = dayFormat({ day: "numeric", month: "short" });

export function colours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["text", "soft", "line", "card", "accent", "pale", "late", "warn", "good"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** Stripes of a colour on the card, so that an area is another one without its colour, too. */
export function hatch(colour, back) {
  const tile = document.createElement("canvas");
  tile.width = 8;
  tile.height = 8;
  const pen = tile.getContext("2d");
  pen.fillStyle = back;
  pen.fillRect(0, 0, 8, 8);
  pen.strokeStyle = colour;
  pen.lineWidth = 2.5;
  for (const shift of [-8, 0, 8]) {
    pen.moveTo(shift, 8);
    pen.lineTo(shift + 8, 0);
  }
  pen.stroke();
  return pen.createPattern(tile, "repeat");
}

/** Draws anew on a canvas; `height` is what it needs, in pixels. */
export function draw(canvas, height, config) {
  drawn.get(canvas)?.destroy();
  canvas.parentElement.style.height = `${height}px`;
  const { text, soft, line } = colours();
  Chart.defaults.color = soft;
  Chart.defaults.borderColor = line;
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = 12;
  Chart.defaults.plugins.legend.labels.color = text;
  drawn.set(canvas, new Chart(canvas, config));
}

const legend = { position: "bottom", labels: { boxWidth: 14, boxHeight: 14 } };

/** Writes words at a place of a chart, on a ground of the card's colour, so that they are read over any pattern. */
export function write(pen, words, { x, y, align }) {
  const { card, text } = colours();
  pen.save();
  pen.font = `600 12px ${Chart.defaults.font.family}`;
  pen.textBaseline = "middle";
  pen.textAlign = align;
  const width = pen.measureText(words).width + 6;
  const left = align === "center" ? x - width / 2 : x - 3;
  pen.fillStyle = card;
  pen.fillRect(left, y - 8, width, 16);
  pen.fillStyle = text;
  pen.fillText(words, x, y + 0.5);
  pen.restore();
}

/** Writes the number of each horizontal bar, in its middle or, with `beside`, after it. */
const numbers = {
  id: "numbers",
  afterDatasetsDraw(chart, _args, { beside }) {
    for (const [index, { data }] of chart.data.datasets.entries()) {
      for (const [at, bar] of chart.getDatasetMeta(index).data.entries()) {
        // Where there is no room, the table has it.
        const isTight = !beside && Math.abs(bar.x - bar.base) < 14;
        if (!data[at] || isTight || !chart.isDatasetVisible(index)) continue;
        const place = beside ? { x: bar.x + 6, align: "left" } : { x: (bar.x + bar.base) / 2, align: "center" };
        write(chart.ctx, String(data[at]), { ...place, y: bar.y });
      }
    }
  },
};

const counted = { beginAtZero: true, ticks: { precision: 0 } };
const barHeight = (count) => count * 34 + 90;

/** Bars of several parts, one bar for each row: parts are `{ label, values, look }`, a look is late, now, rest or done. */
export function drawParts(canvas, labels, parts) {
  const { late, card, accent, pale, good } = colours();
  const looks = { late: hatch(late, card), now: accent, rest: pale, done: good };
  draw(canvas, barHeight(labels.length), {
    type: "bar",
    plugins: [numbers],
    data: {
      labels,
      datasets: parts.map((part) => ({
        label: part.label,
        data: part.values,
        backgroundColor: looks[part.look],
        borderColor: part.look === "late" ? late : card,
        borderWidth: 1,
        maxBarThickness: 22,
      })),
    },
    options: {
      indexAxis: "y",
      scales: { x: { ...counted, stacked: true }, y: { stacked: true, grid: { display: false } } },
      plugins: { legend },
    },
  });
}

/** How many are in each status; rows are `{ said, count, status }`. */
export function drawCounts(canvas, rows) {
  const { late, card, accent, pale, good } = colours();
  const looks = { late: hatch(late, card), in_progress: accent, submitted: accent, filed: good };
  draw(canvas, barHeight(rows.length) - 40, {
    type: "bar",
    plugins: [numbers],
    data: {
      labels: rows.map(({ said }) => said),
      datasets: [
        {
          data: rows.map(({ count }) => count),
          backgroundColor: rows.map(({ status }) => looks[status] ?? pale),
          borderColor: rows.map(({ status }) => (status === "late" ? late : card)),
          borderWidth: 1,
          maxBarThickness: 22,
        },
      ],
    },
    options: {
      indexAxis: "y",
      layout: { padding: { right: 28 } },
      scales: { x: counted, y: { grid: { display: false } } },
      plugins: { legend: { display: false }, numbers: { beside: true } },
    },
  });
}

/** For each deadline how much is done, and how much should be; behind is hatched. `words` names both. */
export function drawDeadlines(canvas, rows, words) {
  const { warn, card, good, text } = colours();
  const behind = hatch(warn, card);
  const isBehind = ({ completion, expected }) => completion < expected;
  draw(canvas, 300, {
    data: {
      labels: rows.map(({ day }) => shortDay(day)),
      datasets: [
        {
          type: "line",
          label: words.expected,
          data: rows.map(({ expected }) => expected),
          showLine: false,
          pointStyle: "rectRot",
          pointRadius: 6,
          pointHoverRadius: 8,
          pointBackgroundColor: card,
          pointBorderColor: text,
          pointBorderWidth: 2,
          clip: false,
        },
        {
          type: "bar",
          label: words.completion,
          data: rows.map(({ completion }) => completion),
          backgroundColor: rows.map((row) => (isBehind(row) ? behind : good)),
          borderColor: rows.map((row) => (isBehind(row) ? warn : good)),
          borderWidth: 1,
          minBarLength: 3,
          maxBarThickness: 28,
        },
      ],
    },
    options: {
      scales: {
        x: { grid: { display: false } },
        y: { min: 0, max: 100, ticks: { stepSize: 25, callback: (value) => `${value} %` } },
      },
      interaction: { mode: "index", intersect: false },
      plugins: {
        legend: { ...legend, labels: { ...legend.labels, usePointStyle: true } },
        tooltip: {
          callbacks: {
            title: ([{ dataIndex }]) => `${shortDay(rows[dataIndex].day)}: ${rows[dataIndex].names.join(", ")}`,
            label: ({ dataset, parsed }) => `${dataset.label}: ${parsed.y} %`,
          },
        },
      },
    },
  });
}

// Timeline

export const ROW_HEIGHT = 26;
const DAYS_OF_LATENESS = 28;
const DAYS_WHERE_NARROW = 14;

/** Mondays, as many as have room. */
function mondays({ min, max, width }) {
  const every = 7 * Math.max(1, Math.ceil(((max - min) / 7) * (56 / Math.max(width, 1))));
  const first = Math.ceil((min - 4) / 7) * 7 + 4;
  const found = [];
  for (let day = first; day <= max; day += every) found.push({ value: day });
  return found;
}

/** The days by which review and approval have to be done. */
function drawNotches({ ctx, scales: { x, y } }, rows) {
  ctx.fillStyle = colours().text;
  for (const [index, { review, approve }] of rows.entries()) {
    for (const day of [review, approve].map(dayNumber).filter((one) => one > x.min)) {
      ctx.fillRect(x.getPixelForValue(day) - 0.75, y.getPixelForValue(index) - 8, 1.5, 16);
    }
  }
}

export function drawToday({ ctx, chartArea, scales }, today) {
  const x = scales.x.getPixelForValue(today);
  ctx.save();
  ctx.strokeStyle = colours().text;
  ctx.lineWidth = 2;
  ctx.setLineDash([5, 4]);
  ctx.beginPath();
  ctx.moveTo(x, chartArea.top);
  ctx.lineTo(x, chartArea.bottom);
  ctx.stroke();
  ctx.restore();
  write(ctx, shortDay(today), { x, y: chartArea.top - 10, align: "center" });
}

/** How long is left, or how late it is, in words after the bar. */
function writeLeft({ ctx, width, scales }, rows, today) {
  for (const [index, { deadline, left, leftSaid }] of rows.entries()) {
    const y = scales.y.getPixelForValue(index);
    const end = scales.x.getPixelForValue(Math.max(dayNumber(deadline), today));
    if (end + 100 < width) write(ctx, left < 0 ? `▲ ${leftSaid}` : leftSaid, { x: end + 8, y, align: "left" });
    // Where there is no room after the bar, what matters is in it.
    else if (left < 0) write(ctx, `▲ ${-left}`, { x: end - 24, y, align: "center" });
  }
}

const marks = {
  id: "marks",
  afterDatasetsDraw(chart, _args, { rows, today }) {
    drawNotches(chart, rows);
    drawToday(chart, today);
    writeLeft(chart, rows, today);
  },
};

/** Days along the bottom, Mondays named; a row for each label. */
export function dayScales({ min, max, isNarrow }) {
  return {
    x: {
      min,
      max,
      afterBuildTicks: (scale) => {
        scale.ticks = mondays(scale);
      },
      ticks: { callback: (value) => shortDay(value), maxRotation: 0, autoSkip: false },
    },
    y: { grid: { display: false }, ticks: { autoSkip: false, font: { size: isNarrow ? 10 : 12 } } },
  };
}

export const isNarrow = (canvas) => canvas.parentElement.clientWidth < 600;
export const wholeBar = { grouped: false, barThickness: 14 };

/** A bar for each filing from preparation to deadline. `open` is called with the row that is clicked. */
export function drawTimeline(canvas, rows, { today: day, open }) {
  const { late, card, accent, pale } = colours();
  const narrow = isNarrow(canvas);
  const today = dayNumber(day);
  const min =
    Math.max(
      Math.min(today - 3, ...rows.map(({ prepare }) => dayNumber(prepare))),
      today - (narrow ? DAYS_WHERE_NARROW : DAYS_OF_LATENESS),
    ) - 1;
  const max = Math.max(today + 7, ...rows.map(({ deadline }) => dayNumber(deadline))) + (narrow ? 1 : 6);
  const from = (row) => Math.max(dayNumber(row.prepare), min);
  const until = (row) => Math.max(dayNumber(row.deadline), min);
  const bars = [
    {
      ...wholeBar,
      data: rows.map((row) => [from(row), from(row) + ((until(row) - from(row)) * row.completion) / 100]),
      backgroundColor: accent,
    },
    {
      ...wholeBar,
      data: rows.map((row) => [from(row), until(row)]),
      backgroundColor: pale,
      borderColor: accent,
      borderWidth: 1,
    },
    {
      ...wholeBar,
      data: rows.map((row) => (row.left < 0 ? [until(row), today] : null)),
      backgroundColor: hatch(late, card),
      borderColor: late,
      borderWidth: 1.5,
    },
  ];
  draw(canvas, rows.length * ROW_HEIGHT + 60, {
    type: "bar",
    plugins: [marks],
    data: { labels: rows.map((row) => (narrow ? row.name : `${row.name}  ${row.company}`)), datasets: bars },
    options: {
      indexAxis: "y",
      layout: { padding: { top: 20 } },
      onClick: (_event, [hit]) => hit && open(rows[hit.index]),
      scales: dayScales({ min, max, isNarrow: narrow }),
      plugins: {
        legend: { display: false },
        marks: { rows, today },
        tooltip: {
          filter: ({ datasetIndex }) => datasetIndex === 1,
          callbacks: {
            title: ([{ dataIndex }]) => `${rows[dataIndex].name}, ${rows[dataIndex].company}`,
            label: ({ dataIndex }) => {
              const { said, completion, leftSaid, deadline } = rows[dataIndex];
              return `${said}, ${completion} %, ${shortDay(deadline)}, ${leftSaid}`;
            },
          },
        },
      },
    },
  });
}
