const steps = (...values) => values;
const SLIDERS = [
  {key: "users", name: "users who ask at the same time", unit: "", values: steps(1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 40, 60, 80, 100, 150, 200, 300, 400, 600, 1000), start: 40},
  {key: "wait", name: "an answer waits for others", unit: "ms", values: steps(0, 1, 2, 5, 10, 20, 50, 100, 200, 300, 500, 1000, 2000), start: 200},
  {key: "cpu", name: "an answer takes processor time", unit: "ms", values: steps(0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50, 100), start: measured.cpu},
  {key: "cores", name: "processors", unit: "", values: steps(1, 2, 3, 4, 6, 8, 12, 16, 32), start: measured.cores},
  {key: "workers", name: "sync workers", unit: "", values: steps(1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64), start: 4},
  {key: "threads", name: "threads of one process", unit: "", values: steps(2, 4, 8, 16, 32, 64, 100, 128, 256, 512), start: 32},
];
const MOST_USERS = 1000, LEFT = 52, RIGHT = 300, TOP = 12, FLOOR = 250;
const state = {};
const byId = id => document.getElementById(id);
const figure = x => x >= 100 ? Math.round(x).toLocaleString("en") : String(Number(x.toPrecision(3)));

function kinds() {
  const {workers, threads, cores} = state;
  return [
    {name: `${workers} sync worker${workers > 1 ? "s" : ""}`, kind: "sync", seats: workers, processors: Math.min(workers, cores)},
    {name: `${threads} threads`, kind: "thread", seats: threads, processors: 1},
    {name: "event loop", kind: "loop", seats: Infinity, processors: 1},
  ];
}

function throughput(users, {seats, processors}) {
  const bySeats = Math.min(users, seats) / ((state.wait + state.cpu) / 1000);
  return Math.min(bySeats, 1000 * processors / state.cpu);
}

function bound(users, kind) {
  if (throughput(users, kind) >= 999.9 * kind.processors / state.cpu) return "processor";
  return users > kind.seats ? "seats" : "users";
}

function erlangC(servers, offered) {
  let blocked = 1;
  for (let n = 1; n <= servers; n++) blocked = offered * blocked / (n + offered * blocked);
  return servers * blocked / (servers - offered * (1 - blocked));
}

const line = (x, y, x2, y2, name) => `<path class="${name}" d="M${x} ${y}L${x2} ${y2}"/>`;
const text = (x, y, said, anchor = "start", name = "") => `<text x="${x}" y="${y}" text-anchor="${anchor}" class="${name}">${said}</text>`;
const path = places => "M" + places.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
const MARKS = {sync: '<path d="M0-6.5 6.5 5-6.5 5z"/>', thread: '<rect x="-5" y="-5" width="10" height="10"/>', loop: '<circle r="5.5"/>'};
const mark = (x, y, kind) => `<g transform="translate(${x.toFixed(1)} ${y.toFixed(1)})">${MARKS[kind]}</g>`;

function names(ends) {
  let free = 0;
  return ends.sort((a, b) => a.y - b.y).map(({y, name, kind}) => {
    const top = Math.max(free, y);
    free = top + 16;
    return `<g class="${kind}">${mark(RIGHT + 18, top, kind)}</g>` + text(RIGHT + 29, top + 4, name, "start", "name");
  }).join("");
}

function drawRates() {
  const all = kinds(), log = Math.log10;
  const top = 1.4 * Math.max(10, ...all.map(kind => throughput(MOST_USERS, kind)));
  const low = Math.min(1, ...all.map(kind => throughput(1, kind)));
  const x = users => LEFT + (RIGHT - LEFT) * log(users) / log(MOST_USERS);
  const y = rate => FLOOR - (FLOOR - TOP) * log(Math.max(rate, low) / low) / log(top / low);
  let body = "";
  for (let power = -3; power < 6; power++) for (const step of top / low < 300 ? [1, 2, 5] : [1]) {
    const tick = step * 10 ** power;
    if (tick >= low && tick <= top) body += line(LEFT, y(tick), RIGHT, y(tick), "grid") + text(LEFT - 7, y(tick) + 4, figure(tick), "end");
  }
  for (const tick of [1, 3, 10, 30, 100, 300, 1000]) body += line(x(tick), FLOOR, x(tick), FLOOR + 5, "axis") + text(x(tick), FLOOR + 19, figure(tick), "middle");
  body += line(LEFT, FLOOR, RIGHT, FLOOR, "axis") + text((LEFT + RIGHT) / 2, 290, "users who ask at the same time", "middle");
  body += line(x(state.users), TOP, x(state.users), FLOOR, "here");
  const ends = [];
  for (const kind of all) {
    const bends = [kind.seats, 1000 * kind.processors / state.cpu * (state.wait + state.cpu) / 1000].filter(n => n > 1 && n < MOST_USERS);
    const users = [1, ...bends, MOST_USERS].sort((a, b) => a - b);
    const places = users.map(n => [x(n), y(throughput(n, kind))]);
    const dots = measured.rates.filter(dot => dot.kind === kind.kind && dot.wait === state.wait && dot.rate <= top && (kind.kind === "loop" || dot.seats === kind.seats));
    body += `<g class="${kind.kind}"><path class="predicted" d="${path(places)}"/>${dots.map(dot => mark(x(dot.users), y(dot.rate), kind.kind)).join("")}</g>`;
    ends.push({y: y(throughput(MOST_USERS, kind)), ...kind});
  }
  byId("sliders-rate").innerHTML = body + names(ends);
}

function drawWaits() {
  const MOST = 10, x = busy => LEFT + (RIGHT - LEFT) * busy / 100, y = times => FLOOR - (FLOOR - TOP) * Math.min(times, MOST) / MOST;
  let body = "";
  for (const tick of [1, 2, 4, 6, 8, 10]) body += line(LEFT, y(tick), RIGHT, y(tick), "grid") + text(LEFT - 7, y(tick) + 4, tick + " ×", "end");
  for (const tick of [0, 25, 50, 75, 100]) body += line(x(tick), FLOOR, x(tick), FLOOR + 5, "axis") + text(x(tick), FLOOR + 19, tick + " %", "middle");
  body += line(LEFT, FLOOR, RIGHT, FLOOR, "axis") + text((LEFT + RIGHT) / 2, 290, "busy part of the seats' time", "middle");
  for (const seats of new Set([1, state.workers, 16])) {
    const places = [];
    for (let busy = 0.5; busy < 100; busy += 0.5) {
      const offered = seats * busy / 100, times = 1 + erlangC(seats, offered) / (seats - offered);
      places.push([x(busy), y(times)]);
      if (times > MOST) break;
    }
    body += `<g class="sync" ${seats === state.workers ? "" : 'opacity=".45"'}><path class="predicted" d="${path(places)}"/></g>`;
  }
  body += `<g class="loop"><path class="predicted" d="${path([[LEFT, y(1)], [RIGHT, y(1)]])}"/></g>`;
  const dots = measured.waits.filter(dot => dot.kind === "loop" || dot.seats === state.workers);
  for (const dot of dots) body += `<g class="${dot.kind}">${mark(x(dot.busy), y(dot.times), dot.kind)}</g>`;
  const seats = [...new Set([1, state.workers, 16])].sort((a, b) => a - b);
  body += text(RIGHT + 12, TOP + 4, seats.join(", "), "start", "name") + text(RIGHT + 12, TOP + 19, "workers, from", "start", "name") + text(RIGHT + 12, TOP + 34, "left to right", "start", "name") + text(RIGHT + 12, y(1) + 4, "event loop", "start", "name");
  byId("sliders-wait").innerHTML = body;
}

function drawTable() {
  const rows = kinds().map(kind => {
    const rate = throughput(state.users, kind), busy = 100 * rate * state.cpu / 1000 / kind.processors;
    return `<tr><td>${kind.name}</td><td>${figure(rate)}</td><td>${figure(1000 * state.users / rate)} ms</td><td>${figure(busy)} %</td><td>${bound(state.users, kind)}</td></tr>`;
  });
  byId("sliders-table").innerHTML = `<caption>With ${state.users} users</caption><tr><th>server</th><th>answers per second</th><th>response time</th><th>of its processors</th><th>bound by</th></tr>${rows.join("")}`;
}

function sayMeasured() {
  const waits = [...new Set(measured.rates.map(dot => dot.wait))].sort((a, b) => a - b);
  if (!waits.length) return;
  const seats = [...new Set(measured.rates.filter(dot => dot.kind === "sync").map(dot => dot.seats))].join(", ");
  byId("sliders-measured").textContent = `Marks are what this machine measured: with a wait of ${waits.join(" or ")} ms, ${seats} sync workers, 32 threads and an event loop; and random arrivals at 4 workers.`;
}

function slider({key, name, unit, values, start}) {
  const input = document.createElement("input"), output = document.createElement("output"), label = document.createElement("label");
  const nearest = values.reduce((best, value) => Math.abs(value - start) < Math.abs(best - start) ? value : best);
  Object.assign(input, {type: "range", min: 0, max: values.length - 1, value: values.indexOf(nearest), id: `slider-${key}`});
  label.append(name, output, input);
  const moved = () => {
    state[key] = values[input.value];
    output.textContent = `${state[key]} ${unit}`.trim();
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => { moved(); draw(); });
  moved();
  return label;
}

function draw() { drawRates(); drawWaits(); drawTable(); }
byId("sliders-form").append(...SLIDERS.map(slider));
sayMeasured();
draw();
