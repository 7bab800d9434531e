"use strict";
// Small things only: the pages work without. State streams in as HTML made by the same templates.
const $ = (query, from = document) => from.querySelector(query);
const $$ = (query, from = document) => [...from.querySelectorAll(query)];

// The server's clock counts: the browser's may be wrong.
const ahead = Date.now() - Number(document.documentElement.dataset.now || Date.now());
const now = () => Date.now() - ahead;

// Times: relative, the exact one is the title.
const ago = (ms) => {
  const s = Math.max(0, Math.round((now() - ms) / 1000));
  if (s < 2) return "just now";
  if (s < 120) return s + " s ago";
  if (s < 7200) return Math.round(s / 60) + " min ago";
  return s < 172800 ? Math.round(s / 3600) + " h ago" : Math.round(s / 86400) + " days ago";
};
const length = (ms) => {
  const s = Math.max(0, Math.floor(ms / 1000)), two = (n) => String(n).padStart(2, "0");
  return (s >= 3600 ? Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) : Math.floor(s / 60)) + ":" + two(s % 60);
};
const tick = () => $$("time[data-ms]").forEach((t) => {
  const ms = Number(t.dataset.ms), kind = t.dataset.kind;
  t.textContent = kind === "since" ? length(now() - ms)
    : kind === "until" ? (ms > now() ? "in " + length(ms - now()) : "over")
    : ago(ms);
});
setInterval(tick, 1000);

// Changes the old tree into the new one, touches only what differs, and shows where for a moment.
const flash = (node) => {
  const at = node.closest("td, dd, .display, .lead, li");
  if (!at || at.closest("[data-quiet]")) return;
  at.classList.remove("flash");
  void at.offsetWidth;
  at.classList.add("flash");
};
const morph = (was, is) => {
  if (was.nodeType !== is.nodeType || was.nodeName !== is.nodeName) return was.replaceWith(is);
  if (was.nodeType === Node.TEXT_NODE) {
    if (was.data !== is.data) { was.data = is.data; if (was.parentElement) flash(was.parentElement); }
    return;
  }
  if (was.nodeType !== Node.ELEMENT_NODE) return;
  if (was === document.activeElement && /^(INPUT|SELECT|TEXTAREA)$/.test(was.nodeName)) return;
  for (const { name } of [...was.attributes]) {
    const kept = name === "open" || (name === "class" && was.classList.contains("flash"));
    if (!kept && !is.hasAttribute(name)) was.removeAttribute(name);
  }
  for (const { name, value } of [...is.attributes]) if (was.getAttribute(name) !== value) was.setAttribute(name, value);
  if (was.nodeName === "TIME" && was.dataset.ms) return tick();
  const known = new Map([...was.children].filter((c) => c.id).map((c) => [c.id, c]));
  const wanted = [...is.childNodes];
  wanted.forEach((node, n) => {
    const at = was.childNodes[n], same = node.id && known.get(node.id);
    if (same) {
      if (same !== at) was.insertBefore(same, at || null);
      morph(same, node);
    } else if (!at) was.append(node);
    else if (at.id || node.id) { was.insertBefore(node, at); if (node.nodeType === 1) $$("td", node).forEach(flash); }
    else morph(at, node);
  });
  while (was.childNodes.length > wanted.length) was.lastChild.remove();
};
const show = (html) => {
  const live = $("#live");
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const next = live.cloneNode(false);
  next.append(holder.content);
  morph(live, next);
  tick();
};

// Live state. A bar tells when it stopped, and since when.
const bar = $("#bar");
let lost = 0, source = null;
const listen = () => {
  const live = $("#live");
  if (source) source.close();
  if (!live || !live.dataset.src) return;
  source = new EventSource(live.dataset.src);
  source.addEventListener("page", (event) => show(event.data));
  source.addEventListener("over", () => location.reload());
  source.onopen = () => { lost = 0; bar.hidden = true; };
  source.onerror = () => {
    lost = lost || Date.now();
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  };
};
setInterval(() => {
  if (!lost || Date.now() - lost < 2000) return;
  bar.hidden = false;
  bar.textContent = "No connection for " + length(Date.now() - lost) + "; what you see is as old. Trying again.";
}, 1000);
addEventListener("pagehide", () => source && source.close());
addEventListener("pageshow", (event) => event.persisted && listen());

// Forms that stay on the page, as the keys of a virtual handset.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.stay === undefined) return;
  event.preventDefault();
  const say = $("#said");
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, event.submitter)), headers: { Accept: "text/plain" } });
    if (answer.redirected) return location.reload();
    const text = answer.ok ? "" : await answer.text();
    say.textContent = text;
    say.hidden = !text;
  } catch (error) {
    say.textContent = "The page could not reach its server: " + error.message;
    say.hidden = false;
  }
});

// Search as you type; the address follows.
let typing = 0;
document.addEventListener("input", (event) => {
  const field = event.target;
  if (field.dataset.search !== undefined) {
    clearTimeout(typing);
    typing = setTimeout(async () => {
      const query = new URLSearchParams(new FormData(field.form));
      const address = location.pathname + "?" + query;
      const answer = await fetch(address);
      if (!answer.ok || answer.redirected) return location.assign(address);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = $("#live", page);
      $("#live").dataset.src = next.dataset.src || "";
      show(next.innerHTML);
      history.replaceState(null, "", address);
      listen();
    }, 200);
  }
  // Mistakes are told while typing.
  const mistake = field.closest(".field") && $(".mistake", field.closest(".field"));
  if (mistake) {
    mistake.textContent = field.validity.valid ? "" : field.validationMessage;
    field.closest(".field").classList.toggle("bad", !field.validity.valid);
  }
});
document.addEventListener("change", async (event) => {
  const field = event.target;
  if (field.dataset.into && field.files.length) $("#" + field.dataset.into).value = await field.files[0].text();
  if (field.dataset.submit !== undefined) field.form.requestSubmit();
});
document.addEventListener("keydown", (event) => {
  const typed = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.nodeName);
  if (event.key === "/" && !typed && $("[data-search]")) { event.preventDefault(); $("[data-search]").focus(); }
  if (event.key === "Escape") { event.target.blur(); if (location.hash === "#nav") location.hash = "main"; }
});

// A step of a ladder opens when it is asked for.
const open = () => {
  const at = location.hash.startsWith("#step") && $(location.hash);
  if (at) at.open = true;
};
addEventListener("hashchange", open);
open();
tick();
listen();
