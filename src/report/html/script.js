// Filters and sorts the findings, sorts tables, copies snippets. Reads what stands in the page's attributes and
// text; writes text only, never markup. Without it the page shows all it has.
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);

  const list = byId("list");
  const tools = byId("tools");
  if (list && tools) {
    const items = all(":scope > details", list).map((element) => ({ element, data: element.dataset }));
    const text = byId("q");
    const sort = byId("sort");
    const boxes = all("input[name=severity]", tools);
    const numbers = ["exposures", "credentials", "clients"];

    const filter = () => {
      const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = new Set(boxes.filter((b) => b.checked).map((b) => b.value));
      let shown = 0;
      for (const { element, data } of items) {
        const fits = wanted.has(data.severity) && words.every((w) => data.text.includes(w));
        element.hidden = !fits;
        shown += fits ? 1 : 0;
      }
      byId("shown").textContent = `${shown} of ${items.length} findings shown`;
    };
    const order = () => {
      const key = sort.value;
      const rank = (a, b) => Number(a.data.rank) - Number(b.data.rank);
      const compare = {
        rank: () => 0,
        first: (a, b) => a.data.first.localeCompare(b.data.first),
        last: (a, b) => b.data.last.localeCompare(a.data.last),
        owner: (a, b) => a.data.owner.localeCompare(b.data.owner),
      }[key] ?? ((a, b) => Number(b.data[key]) - Number(a.data[key]));
      items.sort((a, b) => compare(a, b) || rank(a, b));
      list.append(...items.map((i) => i.element));
    };
    let waiting = 0;
    text.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(filter, 80);
    });
    boxes.forEach((b) => b.addEventListener("change", filter));
    sort.addEventListener("change", order);
    byId("open").addEventListener("click", () => items.forEach(({ element }) => { element.open = !element.hidden; }));
    byId("close").addEventListener("click", () => items.forEach(({ element }) => { element.open = false; }));
    tools.addEventListener("submit", (event) => event.preventDefault());
    tools.hidden = false;
    filter();
  }

  // A link to a finding or step opens it.
  const reveal = () => {
    const target = location.hash.length > 1 && byId(location.hash.slice(1));
    if (target instanceof HTMLDetailsElement) {
      target.hidden = false;
      target.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", reveal);
  reveal();

  for (const table of all("table.sortable")) {
    const body = table.tBodies[0];
    all("th", table).forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        all("th", table).forEach((h) => h.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const value = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.replaceAll(",", "");
        const rows = [...body.rows].sort((a, b) => value(a).localeCompare(value(b), "en", { numeric: true }));
        body.append(...(down ? rows.reverse() : rows));
      });
    });
  }

  const copy = async (element) => {
    try {
      await navigator.clipboard.writeText(element.textContent);
      return true;
    } catch {
      // No clipboard for pages from files in some browsers: select, so that the keyboard's copy does it.
      const selection = getSelection();
      selection.selectAllChildren(element);
      return document.execCommand("copy");
    }
  };
  for (const snippet of all("pre.snippet")) {
    const frame = document.createElement("div");
    frame.className = "copyable";
    snippet.replaceWith(frame);
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    frame.append(snippet, button);
    button.addEventListener("click", async () => {
      button.textContent = (await copy(snippet)) ? "Copied" : "Selected";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }

  // Browsers that do not print what is closed get it opened, and closed again.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details:not([open])").filter((d) => !d.matches(".finding .steps details"));
    opened.forEach((d) => { d.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((d) => { d.open = false; }));
})();
