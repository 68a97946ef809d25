"use strict";

// The page asks the API every two seconds and writes what it hears as text, never as markup: names, labels and
// filters come from elsewhere.

const API = "api/v1";
const REFRESH_MS = 2000;
const MINUTE_S = 60;
const BAD_LEVELS = ["ERROR", "CRITICAL", "ALERT", "EMERGENCY"];

const $ = (id) => document.getElementById(id);

/** An element with a class and children; a string child becomes a text node. */
function el(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}

/** The error of a call that the server refused. */
class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Calls the API with the login cookie and returns the answer's JSON. */
async function call(path, init) {
  const answer = await fetch(API + path, { credentials: "same-origin", cache: "no-store", ...init });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, body.message || answer.statusText);
  return body;
}

function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

const count = (n) => Math.round(n).toLocaleString("en");

function bytes(n) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let i = 0;
  while (n >= 1000 && i < units.length - 1) {
    n /= 1000;
    i += 1;
  }
  return `${i === 0 ? Math.round(n) : n.toFixed(1)} ${units[i]}`;
}

function levelTags(levels, scale) {
  return Object.entries(levels || {}).map(([level, n]) => {
    const tone = BAD_LEVELS.includes(level) ? "bad" : level === "WARN" ? "warn" : "";
    return el("span", `tag ${tone}`, `${level} ${count(n * scale)}`);
  });
}

function statusCell(agent, now) {
  const since = agent.status_since ? `since ${duration((now - Date.parse(agent.status_since)) / 1000)}` : "";
  return el("td", "", el("span", agent.status, agent.status), el("span", "sub", since));
}

/** The three cells of what one source wrote, as a minute's rate. */
function rateCells(agent, source) {
  const metrics = agent.metrics;
  if (!metrics) return [el("td", "num", "–"), el("td", "num", "–"), el("td", "sub", "no report yet")];
  const rate = (metrics.sources || {})[source.name] || { lines: 0, bytes: 0, levels: {} };
  const minute = MINUTE_S / (metrics.interval_seconds || MINUTE_S);
  return [
    el("td", "num", count(rate.lines * minute)),
    el("td", "num", bytes(rate.bytes * minute)),
    el("td", "", ...levelTags(rate.levels, minute)),
  ];
}

function sourceCell(source) {
  const files = source.files === 1 ? "1 file" : `${count(source.files)} files`;
  const problem = source.problem ? el("span", "sub problem", source.problem) : null;
  return el("td", "", el("code", "", source.name), " ", el("span", "sub", files), problem);
}

/** The rows of one agent: one for each source, the agent's own cells in the first. */
function agentRows(agent, now) {
  const sources = agent.sources || [];
  const labels = Object.entries(agent.labels || {}).map(([k, v]) => el("span", "tag", `${k}=${v}`));
  const first = [
    el("td", "name", agent.name, el("span", "sub", agent.version)),
    statusCell(agent, now),
    el("td", "", ...labels),
  ];
  if (sources.length === 0) {
    const row = el("tr", "", ...first, el("td", "sub", "no source"), el("td"), el("td"), el("td"));
    return [row];
  }
  return sources.map((source, i) => {
    const own = i === 0 ? first : [el("td"), el("td"), el("td")];
    return el("tr", i === 0 ? "" : "more", ...own, sourceCell(source), ...rateCells(agent, source));
  });
}

function filterText(filters) {
  const parts = [];
  for (const key of ["level", "min_level", "source", "pattern", "scope"]) {
    const value = (filters || {})[key];
    if (!value || value.length === 0) continue;
    parts.push(`${key}=${Array.isArray(value) ? value.join(",") : value}`);
  }
  return parts.join("  ") || "everything";
}

function sentBy(session) {
  const agents = Object.values((session.accounts || {}).agents || {});
  return agents.reduce((sum, account) => sum + account.sent, 0);
}

function stopButton(session) {
  const button = el("button", "", "Stop");
  button.type = "button";
  button.dataset.session = session.id;
  button.setAttribute("aria-label", `Stop the session on ${session.agent_name}`);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await call("/stream/stop", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ session_id: session.id }),
      });
      await refresh();
    } catch (err) {
      showState(`stop: ${err.message}`, true);
      button.disabled = false;
    }
  });
  return button;
}

function sessionRow(session, now) {
  const names = (session.agents || []).map((agent) => agent.name).join(", ") || session.agent_name;
  return el(
    "tr", "",
    el("td", "name", names, el("span", "sub", session.reason || "")),
    el("td", "", el("code", "", filterText(session.filters))),
    el("td", "", session.mode),
    el("td", "num", duration((Date.parse(session.expires_at) - now) / 1000)),
    el("td", "num", count(session.viewers)),
    el("td", "num", count(sentBy(session))),
    el("td", "", session.created_by || ""),
    el("td", "num", stopButton(session)),
  );
}

/** Replaces the rows of a table, and keeps the focus on the stop button that had it. */
function showRows(name, rows, total) {
  const focused = document.activeElement && document.activeElement.dataset.session;
  $(name).replaceChildren(...rows);
  $(`${name}-count`).textContent = String(total);
  $(`${name}-none`).hidden = rows.length > 0;
  if (!focused) return;
  const again = [...$(name).querySelectorAll("button")].find((b) => b.dataset.session === focused);
  if (again) again.focus();
}

function showState(text, failed) {
  const state = $("state");
  if (state.textContent !== text) state.textContent = text;
  state.classList.toggle("failed", Boolean(failed));
}

async function refresh() {
  try {
    const [agents, sessions] = await Promise.all([call("/agents"), call("/stream/sessions")]);
    const now = Date.now();
    const byName = [...agents.agents].sort((a, b) => a.name.localeCompare(b.name));
    showRows("agents", byName.flatMap((agent) => agentRows(agent, now)), agents.total);
    showRows("sessions", sessions.sessions.map((session) => sessionRow(session, now)), sessions.total);
    $("signin").hidden = true;
    showState("up to date", false);
  } catch (err) {
    $("signin").hidden = err.status !== 401;
    showState(err.status === 401 ? "not signed in" : `cannot reach the server: ${err.message}`, true);
  }
}

async function loop() {
  if (!document.hidden) await refresh();
  setTimeout(loop, REFRESH_MS);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
loop();
