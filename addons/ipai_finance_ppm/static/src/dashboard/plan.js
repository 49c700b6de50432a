/**
 * The plan of a month-end close: a bar for each task, and lines from what it waits for. A day is as long as it is: what is due on the 5th ends with it.
 */

// The version in this file's address is the charts', too.
const charts = await import(`./charts.js${new URL(import.meta.url).search}`);
const { colours, dayNumber, dayScales, draw, drawToday, hatch, isNarrow, ROW_HEIGHT, shortDay, wholeBar, write } =
  charts;

const after = (day) => dayNumber(day) + 1;
const NAME_MAX = { true: 16, false: 44 };

/** A line from the end of what has to be done first to the beginning of what waits for it. */
function drawArrow(pen, from, to) {
  const turn = from.x + 5;
  pen.beginPath();
  pen.moveTo(from.x, from.y);
  pen.lineTo(turn, from.y);
  if (to.x > turn) {
    pen.lineTo(turn, to.y);
  } else {
    const between = to.y - Math.sign(to.y - from.y) * (ROW_HEIGHT / 2);
    pen.lineTo(turn, between);
    pen.lineTo(to.x - 7, between);
    pen.lineTo(to.x - 7, to.y);
  }
  pen.lineTo(to.x - 1, to.y);
  pen.stroke();
  pen.beginPath();
  pen.moveTo(to.x, to.y);
  pen.lineTo(to.x - 5, to.y - 3.5);
  pen.lineTo(to.x - 5, to.y + 3.5);
  pen.fill();
}

function drawOrder({ ctx, scales: { x, y } }, rows) {
  const place = new Map(rows.map((row, index) => [row.wbs, { row, y: y.getPixelForValue(index) }]));
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colours().soft;
  ctx.lineWidth = 1;
  for (const [index, row] of rows.entries()) {
    for (const before of row.after.split(", ").flatMap((wbs) => place.get(wbs) ?? [])) {
      const from = { x: x.getPixelForValue(after(before.row.due)), y: before.y };
      drawArrow(ctx, from, { x: x.getPixelForValue(dayNumber(row.start)), y: y.getPixelForValue(index) });
    }
  }
  ctx.restore();
}

/** How it stands, in words after the bar; where there is no room, what is late has its triangle in it. */
function writeStates({ ctx, width, scales: { x, y } }, rows, ends) {
  for (const [index, { said, daysLate, isOpen }] of rows.entries()) {
    const words = daysLate > 0 ? `▲ ${said}` : isOpen ? said : `✓ ${said}`;
    const place = { x: x.getPixelForValue(ends[index]) + 8, y: y.getPixelForValue(index), align: "left" };
    if (place.x + words.length * 7 < width) write(ctx, words, place);
    else if (daysLate > 0) write(ctx, `▲ ${daysLate}`, { ...place, x: place.x - 30 });
  }
}

const order = {
  id: "order",
  beforeDatasetsDraw: (chart, _args, { rows }) => drawOrder(chart, rows),
  afterDatasetsDraw(chart, _args, { rows, today, ends }) {
    drawToday(chart, today);
    writeStates(chart, rows, ends);
  },
};

/** A bar for each task of a close: framed as planned, filled when done, hatched where it is late. `open` is called with the row that is clicked. */
export function drawPlan(canvas, rows, { today: day, open }) {
  const { late, card, accent, pale, good } = colours();
  const narrow = isNarrow(canvas);
  const today = dayNumber(day);
  const begins = (row) => Math.min(...[row.start, row.done].filter(Boolean).map(dayNumber));
  const ends = rows.map((row) =>
    Math.max(after(row.due), row.done ? after(row.done) : 0, row.isOpen && row.daysLate ? today + 1 : 0),
  );
  const min = Math.min(...rows.map(begins)) - 1;
  const max = Math.max(...ends) + (narrow ? 3 : 6);
  const bars = [
    {
      ...wholeBar,
      data: rows.map((row) => (row.done ? [begins(row), Math.min(after(row.done), after(row.due))] : null)),
      backgroundColor: good,
    },
    {
      ...wholeBar,
      data: rows.map((row) => [dayNumber(row.start), after(row.due)]),
      backgroundColor: pale,
      borderColor: accent,
      borderSkipped: false,
      borderWidth: 1,
    },
    {
      ...wholeBar,
      data: rows.map((row, index) => (row.daysLate > 0 ? [after(row.due), ends[index]] : null)),
      backgroundColor: hatch(late, card),
      borderColor: late,
      borderWidth: 1.5,
    },
  ];
  const label = ({ wbs, name }) => {
    const whole = `${wbs} ${name}`;
    return whole.length > NAME_MAX[narrow] ? `${whole.slice(0, NAME_MAX[narrow] - 1)}…` : whole;
  };
  draw(canvas, rows.length * ROW_HEIGHT + 60, {
    type: "bar",
    plugins: [order],
    data: { labels: rows.map(label), datasets: bars },
    options: {
      indexAxis: "y",
      layout: { padding: { top: 20 } },
      onClick: (_event, [hit]) => hit && open(rows[hit.index]),
      scales: dayScales({ min, max, isNarrow: narrow }),
      plugins: {
        legend: { display: false },
        order: { rows, today: today + 0.5, ends },
        tooltip: {
          filter: ({ datasetIndex }) => datasetIndex === 1,
          callbacks: {
            title: ([{ dataIndex }]) => `${rows[dataIndex].wbs} ${rows[dataIndex].name}`,
            label: ({ dataIndex }) =>
              `${shortDay(rows[dataIndex].due)}, ${rows[dataIndex].said}, ${rows[dataIndex].person}`,
          },
        },
      },
    },
  });
}
