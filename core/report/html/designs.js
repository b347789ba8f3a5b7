// The list of designs: a tree that is walked with the arrow keys and opened with Enter or Space.

(() => {
  const tree = document.querySelector(".tree");
  if (!tree) return;
  const items = [...tree.children];
  const region = document.getElementById("design");
  const level = (item) => Number(item.getAttribute("aria-level"));

  function parentOf(at) {
    let above = at;
    while (above >= 0 && level(items[above]) >= level(items[at])) above -= 1;
    return items[above];
  }

  tree.addEventListener("focusin", (event) => {
    const item = event.target.closest("[role=treeitem]");
    for (const other of items) other.tabIndex = other === item ? 0 : -1;
  });
  tree.addEventListener("click", (event) => {
    const item = event.target.closest("[role=treeitem]");
    if (item) open(item);
  });
  tree.addEventListener("keydown", (event) => {
    const at = items.indexOf(event.target);
    if (at < 0 || step(event, items, at)) return;
    if (event.key === "Enter" || event.key === " ") open(items[at]);
    else if (event.key === "ArrowLeft" && parentOf(at)) parentOf(at).focus();
    else if (event.key === "ArrowRight" && items[at + 1] && level(items[at + 1]) > level(items[at])) items[at + 1].focus();
    else return;
    event.preventDefault();
  });

  // What elsewhere on the page stands for a design opens it, and gets the focus back.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-opens]");
    if (!link) return;
    event.preventDefault();
    open(items[Number(link.dataset.opens)], link);
  });

  async function open(item, back = item) {
    const detail = await piece("design" + item.dataset.design);
    for (const other of items) other.setAttribute("aria-selected", String(other === item));
    openIn(region, back,
      make("h3", {}, detail.design),
      make("button", { type: "button", class: "back", click: () => item.focus() }, "Back to the list"),
      make("dl", { class: "facts" }, ...detail.facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
      ...(detail.error === null ? [] : [make("h4", {}, "Why it failed"), block(detail.error, "Why it failed")]),
      ...attempts(detail),
      ...(detail.analysis === null ? [] : analysis(detail)),
      ...(detail.diff === null ? [] : [make("h4", {}, "Change to " + detail.parent), changes(detail.diff)]),
      make("h4", {}, "Code"),
      detail.code === null ? make("p", {}, "Its file is gone.") : code(detail.code));
  }

  function attempts(detail) {
    const failed = detail.attempts.filter(([, error]) => error !== null);
    if (!failed.length || detail.attempts.length < 2) return [];
    return [make("h4", {}, `Examined ${detail.attempts.length} times`),
      make("ol", {}, ...detail.attempts.map(([content, error]) =>
        make("li", {}, content + ": ", error === null ? "passed" : block(error, "Fault of " + content))))];
  }

  function analysis(detail) {
    const found = parsed(detail.analysis);
    const of = detail.parent === null ? "Analysis that led to it" : `Analysis of ${detail.parent} that led to it`;
    if (found === null || typeof found !== "object") return [make("h4", {}, of), block(String(found), of)];
    const { suggested_changes: changes, ...rest } = found;
    return [
      ...(changes === undefined ? [] : [make("h4", {}, "Suggested changes"), make("div", { class: "outline" }, outline(changes))]),
      make("details", {}, make("summary", {}, of), make("div", { class: "outline" }, outline(rest))),
    ];
  }

  function changes(lines) {
    const kinds = { "+": "plus", "-": "minus", "@": "hunk" };
    return make("pre", { tabindex: "0", role: "region", "aria-label": "Change to its parent" },
      ...lines.map((line) => make("span", { class: kinds[line[0]] || "" }, line + "\n")));
  }

  function code(runs) {
    const pre = make("pre", { class: "code", tabindex: "0", role: "region", "aria-label": "Code" });
    for (let at = 0; at < runs.length; at += 2) {
      pre.append(runs[at] ? make("span", { class: runs[at] }, runs[at + 1]) : runs[at + 1]);
    }
    return pre;
  }
})();
