// The browser of episodes: filters, a list in pages, and one opened episode.

(async () => {
  const form = document.getElementById("filter");
  if (!form) return;
  const PER_PAGE = 50;
  const data = await piece("episodes");
  const table = document.getElementById("list"), body = table.tBodies[0];
  const region = document.getElementById("episode"), count = document.getElementById("count");
  const pager = document.querySelector(".pager");
  const fields = form.elements;
  const rows = data.rows.map(([id, evaluation, task, repeat, phase, reward, resolved, flags, worse, steps, memory, seconds, tokens]) => {
    const [name, design, block, purpose] = data.evaluations[evaluation];
    return { id, name, design, block, purpose: phase === "update" && (purpose === "score" || purpose === "search") ? "learning" : purpose, taskNumber: task,
      task: data.tasks[task][0], project: data.tasks[task][1], repeat, reward, resolved, flags, worse, steps, memory, seconds, tokens };
  });
  let shown = rows, page = 0;

  const order = { score: 0, "asked again": 1, search: 2, examination: 3, learning: 4, collection: 5 };
  function choices(name, values, all) {
    fields[name].replaceChildren(...(all ? [make("option", { value: "" }, all)] : []),
      ...values.map((value) => make("option", { value: String(value) }, String(value))));
  }
  const distinct = (name) => [...new Set(rows.map((row) => row[name]))];
  choices("design", distinct("design"), "all");
  choices("project", distinct("project").sort(), "all");
  choices("task", distinct("task").sort(), "all");
  choices("repeat", distinct("repeat").sort((a, b) => a - b), "all");
  choices("purpose", distinct("purpose").sort((a, b) => order[a] - order[b]), "everything");
  if (rows.some((row) => row.purpose === "score")) fields.purpose.value = "score";
  form.hidden = table.hidden = pager.hidden = false;

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => {
    if (event.target.name === "project") {
      const project = fields.project.value;
      choices("task", [...new Set(rows.filter((row) => !project || row.project === project).map((row) => row.task))].sort(), "all");
    }
    filter();
  });
  pager.addEventListener("click", (event) => {
    const move = Number(event.target.dataset.page || 0);
    if (move) { page += move; list(); }
  });
  body.addEventListener("keydown", (event) => {
    const buttons = [...body.querySelectorAll("button")];
    step(event, buttons, buttons.indexOf(event.target));
  });

  function filter() {
    shown = rows.filter((row) =>
      ["design", "project", "task", "repeat", "purpose", "resolved"].every((name) => !fields[name].value || String(row[name]) === fields[name].value)
      && (!fields.flagged.checked || row.flags.length) && (!fields.worse.checked || row.worse));
    page = 0;
    list();
  }

  function list() {
    const pages = Math.max(1, Math.ceil(shown.length / PER_PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    body.replaceChildren(...shown.slice(page * PER_PAGE, (page + 1) * PER_PAGE).map(line));
    count.textContent = `${shown.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} episodes`;
    const [earlier, later] = pager.querySelectorAll("button");
    earlier.disabled = page === 0;
    later.disabled = page === pages - 1;
    pager.querySelector("span").textContent = `page ${page + 1} of ${pages}`;
  }

  function line(row) {
    const button = make("button", { type: "button", click: () => open(row, button) }, row.task);
    const run = [row.block, row.repeat ? "run " + row.repeat : ""].filter((part) => part && part !== "eval").join(", ");
    return make("tr", {}, make("th", { scope: "row" }, button), make("td", {}, row.design), make("td", {}, run),
      make("td", {}, row.reward === null ? "" : row.reward.toFixed(3)), make("td", {}, ...outcome(row)),
      make("td", {}, String(row.steps)), make("td", {}, String(row.memory)), make("td", {}, String(row.seconds)));
  }

  function outcome(row) {
    if (row.reward === null) return [make("span", { class: "badge open" }, "not graded")];
    return [make("span", { class: row.resolved ? "badge good" : "badge" }, row.resolved ? "resolved" : "not resolved"),
      row.worse ? make("span", { class: "badge bad" }, "worse") : null,
      row.flags.length ? make("span", { class: "badge bad" }, "flagged") : null].filter(Boolean);
  }

  async function open(row, button) {
    const episode = await valueOf("body", data.bodies, row.id);
    const text = (number) => valueOf("text", data.texts, number);
    const [issue, memory, infra, ended] = await Promise.all([episode.issue, episode.memory, episode.infra, episode.ended].map(text));
    const steps = await Promise.all(episode.steps.map(async ([number, ...parts]) => [number, ...await Promise.all(parts.map(text))]));
    const all = make("button", { type: "button" }, "Open all steps");
    const steplist = make("div", { class: "steplist" }, ...steps.map(stepShown));
    all.addEventListener("click", () => { for (const item of steplist.children) item.open = true; });
    openIn(region, button,
      make("h3", {}, `${row.task}, ${row.design}${row.repeat ? ", run " + row.repeat : ""} `, ...outcome(row)),
      make("button", { type: "button", class: "back", click: () => button.focus() }, "Back to the list"),
      facts(row, episode, ended, infra), beside(row, button),
      make("h4", {}, "Issue"), block(issue, "Issue"),
      make("h4", {}, memory ? `Memory shown to the agent, ${row.memory} tokens` : "No memory was shown to the agent"),
      memory ? block(memory, "Memory shown to the agent") : null,
      make("h4", {}, `${steps.length} steps`), steps.length ? all : null, steplist,
      make("h4", {}, "Tests at the end"), tests(row, episode));
  }

  function facts(row, episode, ended, infra) {
    const list = [["project", row.project], ["evaluation", row.name], ["ended by", ended], ["tokens of the agent", row.tokens.toLocaleString("en")], ["seconds", row.seconds]];
    if (row.flags.length) list.push(["flags", row.flags.join(", ")]);
    if (infra) list.push(["outage", infra]);
    return make("dl", { class: "facts" }, ...list.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]));
  }

  // The runs of the same task to compare with: of other designs, and the other repeats.
  function beside(row, button) {
    const others = rows.filter((other) => other !== row && other.taskNumber === row.taskNumber && other.purpose === row.purpose
      && (other.repeat === row.repeat || other.design === row.design)).slice(0, 24);
    if (!others.length) return null;
    return make("details", { class: "beside" }, make("summary", {}, `Other runs of this task (${others.length})`), make("p", {}, ...others.map((other) => make("button", { type: "button", click: () => open(other, button) },
      `${other.design}${other.repeat ? " run " + other.repeat : ""}: ${other.reward === null ? "not graded" : other.reward.toFixed(3)}`))));
  }

  function tests(row, episode) {
    if (episode.rates === null) return make("p", {}, "This run was not graded.");
    const [failing, passing, seconds] = episode.rates;
    const [, , toPass, toKeep] = data.tasks[row.taskNumber];
    const share = (rate, of) => of ? `${Math.round(rate * of)} of ${of}` : `${(100 * rate).toFixed(1)} %`;
    return make("p", {}, `Failing tests that were to pass: ${share(failing, toPass)}. Passing tests that were to keep passing: `
      + `${share(passing, toKeep)}. Graded in ${seconds.toFixed(1)} s.`);
  }

  function stepShown([number, thought, action, observation]) {
    const asked = parsed(action);
    const known = asked !== null && typeof asked === "object";
    const what = known ? [asked.path, asked.command, asked.pattern].filter((part) => typeof part === "string").join(" ") : "";
    return make("details", {},
      make("summary", {}, make("span", { class: "number" }, number), " ", make("strong", {}, known ? String(asked.action) : "action"), " ",
        make("code", {}, what.slice(0, 160)), " ", make("span", { class: "faint" }, heading(observation))),
      thought ? make("p", { class: "thought" }, thought) : null,
      known && typeof asked.old === "string" && typeof asked.new === "string" ? edit(asked) : asks(known ? asked : { action }),
      block(observation, "Observation"));
  }

  // What was asked for beside the kind of the action, one line each; texts of several lines as they are.
  function asks(asked) {
    const lines = Object.entries(asked).filter(([name]) => name !== "action" || Object.keys(asked).length === 1).map(([name, value]) => {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      return text.includes("\n") ? `${name}:\n${text}` : `${name}: ${text}`;
    });
    return lines.length ? block(lines.join("\n"), "Action") : null;
  }

  function heading(observation) {
    const end = observation.indexOf("\n");
    const first = observation.slice(0, end < 0 || end > 200 ? 200 : end);
    const colon = first.indexOf(": ");
    return colon < 0 ? "" : first.slice(colon + 2, colon + 102);
  }

  function edit(asked) {
    const lines = (text, sign) => text.split("\n").map((line) => make("span", { class: sign === "+" ? "plus" : "minus" }, sign + line + "\n"));
    return make("pre", { tabindex: "0", role: "region", "aria-label": "Edit" }, ...lines(asked.old, "-"), ...lines(asked.new, "+"));
  }

  filter();
})();
