"use strict";
// The page is whole without this: it only hides what does not name what is looked for, and opens all for the printer.
const find = document.querySelector(".find");
const field = find.querySelector("input");
const status = find.querySelector("[role=status]");
const entries = [...document.querySelectorAll(".entry")];
find.hidden = false;
field.addEventListener("input", () => {
  const wanted = field.value.trim().toLowerCase();
  let shown = 0;
  for (const entry of entries) {
    entry.hidden = wanted !== "" && !entry.textContent.toLowerCase().includes(wanted);
    if (!entry.hidden) shown += 1;
  }
  status.textContent = wanted === "" ? "" : shown + " of " + entries.length + " entries";
});
const open = (target) => {
  const at = target && document.getElementById(target);
  if (at && at.tagName === "DETAILS") at.open = true;
};
addEventListener("hashchange", () => open(location.hash.slice(1)));
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
