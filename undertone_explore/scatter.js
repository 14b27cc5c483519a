// A map of clips. Texts of the store are only ever put into the page as text.
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#b8a500", "#8c564b"];
const GREY = "#8a8a8a", NONE = 255, OTHER = 254;
const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

const element = (name, parent, className = "") => {
  const made = document.createElement(name);
  made.className = className;
  parent.append(made);
  return made;
};

function ramp(share) {
  const place = Math.min(share * (RAMP.length - 1), RAMP.length - 1.001), left = Math.floor(place);
  const mixed = RAMP[left].map((one, i) => Math.round(one + (RAMP[left + 1][i] - one) * (place - left)));
  return `rgb(${mixed.join(",")})`;
}

function render({ model, el }) {
  const root = element("div", el, "clip-scatter");
  const legend = element("div", root, "legend");
  const canvas = element("canvas", root);
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Map of clips. Left and right go from clip to clip, Enter plays.");
  const tip = element("div", root, "tip");
  tip.hidden = true;
  const line = element("div", root, "line");
  const player = element("audio", line);
  player.controls = true;
  const said = element("span", line, "said");
  said.setAttribute("role", "status");
  const help = element("p", root, "help");
  help.textContent = "Click plays · drag picks · wheel zooms · Shift and drag moves · double click shows all";
  const context = canvas.getContext("2d");

  let points = new Float32Array(0), shown = points, view = null, lasso = [], moving = null, near = -1, url = "";
  const bytes = (name) => { const v = model.get(name); return v ? new Uint8Array(v.buffer ?? v, v.byteOffset ?? 0, v.byteLength) : new Uint8Array(0); };
  const numeric = () => model.get("legend").low !== undefined;
  const colour = (code) => code === NONE || code === OTHER ? GREY : numeric() ? ramp(code / 253) : COLOURS[code % 8];

  const whole = () => {
    let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < points.length; i += 2) {
      x0 = Math.min(x0, points[i]); x1 = Math.max(x1, points[i]);
      y0 = Math.min(y0, points[i + 1]); y1 = Math.max(y1, points[i + 1]);
    }
    const [width, height] = [x1 - x0 || 1, y1 - y0 || 1];
    return { x: x0 - 0.05 * width, y: y0 - 0.05 * height, w: 1.1 * width, h: 1.1 * height };
  };
  const toPage = (x, y) => [(x - view.x) / view.w * canvas.clientWidth, (1 - (y - view.y) / view.h) * canvas.clientHeight];
  const toData = (px, py) => [view.x + px / canvas.clientWidth * view.w, view.y + (1 - py / canvas.clientHeight) * view.h];

  function draw() {
    const scale = devicePixelRatio || 1, [w, h] = [canvas.clientWidth, canvas.clientHeight];
    if (!view || !w) return;
    if (canvas.width !== Math.round(w * scale) || canvas.height !== Math.round(h * scale)) {
      canvas.width = Math.round(w * scale); canvas.height = Math.round(h * scale);
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, w, h);
    const codes = bytes("codes"), picked = bytes("picked"), any = picked.includes(1);
    const size = Math.max(2, Math.min(7, 400 / Math.sqrt(points.length / 2 || 1)));
    let last = "";
    for (const turn of [0, 1]) {  // what is picked lies on top
      context.globalAlpha = turn || !any ? 0.85 : 0.25;
      for (let i = 0; i < shown.length / 2; i++) {
        if ((picked[i] || 0) !== turn) continue;
        const [px, py] = toPage(shown[2 * i], shown[2 * i + 1]);
        if (px < -9 || py < -9 || px > w + 9 || py > h + 9) continue;
        const wanted = colour(codes[i] ?? NONE);
        if (wanted !== last) { context.fillStyle = last = wanted; }
        if (codes[i] === NONE) context.fillRect(px - 1, py - 1, 2, 2);
        else if (size < 3) context.fillRect(px - size / 2, py - size / 2, size, size);
        else { context.beginPath(); context.arc(px, py, size, 0, 7); context.fill(); }
      }
    }
    context.globalAlpha = 1;
    context.strokeStyle = getComputedStyle(root).color;
    if (near >= 0) {
      const [px, py] = toPage(shown[2 * near], shown[2 * near + 1]);
      context.lineWidth = 2;
      context.beginPath(); context.arc(px, py, size + 3, 0, 7); context.stroke();
    }
    if (lasso.length > 1) {
      context.lineWidth = 1.5;
      context.setLineDash([5, 4]);
      context.beginPath();
      lasso.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](...toPage(x, y)));
      context.closePath(); context.stroke(); context.setLineDash([]);
    }
  }

  function moved() {
    const data = bytes("points"), old = shown;
    points = new Float32Array(data.slice().buffer);
    view = whole();
    lasso = []; near = -1; tip.hidden = true;
    if (old.length !== points.length || matchMedia("(prefers-reduced-motion: reduce)").matches) { shown = points; return draw(); }
    const from = performance.now();
    const step = (now) => {
      const t = Math.min(1, (now - from) / 400), eased = t * t * (3 - 2 * t);
      shown = points.map((one, i) => old[i] + (one - old[i]) * eased);
      draw();
      if (t < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  function explain() {
    const said = model.get("legend");
    legend.replaceChildren();
    const entry = (text, background, className = "") => {
      const label = element("span", legend);
      if (background) { const mark = element("i", label, className); mark.style.background = background; }
      label.append(text);
    };
    if (said.title) entry(said.title + ":");
    if (numeric()) {
      entry(said.low.toPrecision(3));
      entry(said.high.toPrecision(3), `linear-gradient(90deg, ${RAMP.map((c) => `rgb(${c})`).join(",")})`, "ramp");
    }
    (said.classes || []).forEach((name, code) => entry(name, COLOURS[code % 8]));
    if (said.others > 0) entry(`${said.others} more`, GREY);
    draw();
  }

  function nearest(px, py) {
    let best = 144, found = -1;  // squared pixels
    for (let i = 0; i < points.length / 2; i++) {
      const [x, y] = toPage(points[2 * i], points[2 * i + 1]), d = (x - px) ** 2 + (y - py) ** 2;
      if (d < best) { best = d; found = i; }
    }
    return found;
  }
  function point(i) {
    near = i;
    tip.hidden = i < 0;
    if (i >= 0) {
      const [px, py] = toPage(points[2 * i], points[2 * i + 1]);
      tip.textContent = model.get("names")[i] ?? "";
      tip.style.left = `${Math.min(px + 12, Math.max(0, canvas.clientWidth - 200))}px`;
      tip.style.top = `${canvas.offsetTop + py + 12}px`;
    }
    draw();
  }
  function play(i) {
    said.textContent = "…";
    model.set("clicked", { place: i, count: (model.get("clicked").count || 0) + 1 });
    model.save_changes();
  }
  const send = (corners) => { model.set("polygon", corners); model.save_changes(); };

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    moving = { x: event.offsetX, y: event.offsetY, pan: event.shiftKey, view: { ...view }, far: false };
    if (!event.shiftKey) lasso = [toData(event.offsetX, event.offsetY)];
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!view) return;
    if (!moving) return point(nearest(event.offsetX, event.offsetY));
    const [dx, dy] = [event.offsetX - moving.x, event.offsetY - moving.y];
    moving.far ||= Math.hypot(dx, dy) > 5;
    if (moving.pan) {
      view.x = moving.view.x - dx / canvas.clientWidth * view.w;
      view.y = moving.view.y + dy / canvas.clientHeight * view.h;
    } else lasso.push(toData(event.offsetX, event.offsetY));
    tip.hidden = true;
    draw();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!moving) return;
    const { far, pan } = moving;
    moving = null;
    if (pan) return;
    if (far && lasso.length > 2) return send(lasso);
    lasso = [];
    const found = nearest(event.offsetX, event.offsetY);
    if (found >= 0) play(found); else send([]);
    draw();
  });
  canvas.addEventListener("pointerleave", () => { if (!moving) point(-1); });
  canvas.addEventListener("dblclick", () => { view = whole(); draw(); });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const [x, y] = toData(event.offsetX, event.offsetY), factor = Math.exp(event.deltaY / 500);
    view = { x: x - (x - view.x) * factor, y: y - (y - view.y) * factor, w: view.w * factor, h: view.h * factor };
    draw();
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const count = points.length / 2, step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step && count) { event.preventDefault(); point((near + step + count) % count); said.textContent = tip.textContent; }
    if (event.key === "Enter" && near >= 0) play(near);
    if (event.key === "Escape") { lasso = []; send([]); draw(); }
  });

  const changed = {
    points: moved, codes: draw, picked: draw, legend: explain,
    said: () => { said.textContent = model.get("said"); },
    sound: () => {
      URL.revokeObjectURL(url);
      url = URL.createObjectURL(new Blob([bytes("sound")], { type: "audio/wav" }));
      player.src = url;
      player.play().catch(() => {});  // a browser may want a click first: the player is there
    },
  };
  for (const [name, act] of Object.entries(changed)) model.on(`change:${name}`, act);
  const watcher = new ResizeObserver(draw);
  watcher.observe(canvas);
  moved(); explain();
  return () => {
    watcher.disconnect();
    for (const [name, act] of Object.entries(changed)) model.off(`change:${name}`, act);
    URL.revokeObjectURL(url);
  };
}
export default { render };
