// Charts are drawn when the page is idle, those in folded parts when they are opened.
const LOOK = {
  background: null,
  font: getComputedStyle(document.body).fontFamily,
  view: { stroke: null },
  axis: {
    aria: false,
    labelColor: "var(--soft)", titleColor: "var(--soft)", domainColor: "var(--hair)", tickColor: "var(--hair)",
    gridColor: "var(--hair)", labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal",
  },
  legend: { aria: false, labelColor: "var(--ink)", titleColor: "var(--soft)", labelFontSize: 12, columnPadding: 14 },
  mark: { aria: false },
  title: { color: "var(--soft)" },
  text: { color: "var(--ink)" },
};
const waiting = new Set(document.querySelectorAll(".chart"));

async function draw(place) {
  waiting.delete(place);
  const specification = JSON.parse(place.parentElement.querySelector(".specification").textContent);
  await vegaEmbed(place, specification, {
    mode: "vega-lite", renderer: "svg", ast: true, actions: false, config: LOOK,
  });
}

async function drawVisible() {
  for (const place of [...waiting]) {
    if (place.offsetParent === null || !waiting.has(place)) continue;
    await draw(place);
    await new Promise((resume) => { setTimeout(resume); });  // the page answers between two charts
  }
  document.documentElement.dataset.drawn = String(document.querySelectorAll(".chart svg").length);
}

document.addEventListener("toggle", drawVisible, true);
drawVisible();

// One player at a time: whoever starts one compares it with the last.
document.addEventListener("play", (event) => {
  for (const player of document.querySelectorAll("audio")) {
    if (player !== event.target) player.pause();
  }
}, true);

// A line runs through the picture of what is heard; a click on the picture plays from there.
for (const picture of document.querySelectorAll(".picture")) {
  const player = picture.parentElement.querySelector("audio");
  player.addEventListener("timeupdate", () => {
    picture.style.setProperty("--shown", 1);
    picture.style.setProperty("--at", player.currentTime / player.duration);
  });
  picture.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect();
    player.currentTime = player.duration * (event.clientX - box.left) / box.width;
    player.play();
  });
}

// Tables sort by a click on a heading, and filter by what is typed.
const FEWEST_TO_FILTER = 8;
const asNumber = (text) => (text.trim() === "–" ? NaN : Number(text.replaceAll(",", "").replace("−", "-")));

function sorted(table, column, down) {
  const number = table.tHead.rows[0].cells[column].classList.contains("number");
  const key = (row) => row.cells[column].textContent;
  const rows = [...table.tBodies[0].rows];
  rows.sort((one, other) => {
    if (!number) return key(one).localeCompare(key(other), undefined, { numeric: true });
    const [a, b] = [asNumber(key(one)), asNumber(key(other))];
    return Number.isNaN(a) ? 1 : Number.isNaN(b) ? -1 : a - b;
  });
  return down ? rows.reverse() : rows;
}

for (const table of document.querySelectorAll("table")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.ariaSort === "ascending";
      for (const other of table.tHead.rows[0].cells) other.ariaSort = null;
      head.ariaSort = down ? "descending" : "ascending";
      table.tBodies[0].append(...sorted(table, column, down));
    });
  });
  if (table.tBodies[0].rows.length < FEWEST_TO_FILTER) continue;
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = "Filter rows";
  field.ariaLabel = `Filter rows of ${table.parentElement.ariaLabel}`;
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/);
    for (const row of table.tBodies[0].rows) {
      row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
    }
  });
  table.parentElement.before(field);
}
