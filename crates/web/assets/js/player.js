// The session one step at a time. The page is one plain form that works without this file; here its steps are shown one after the
// other, with a clock for holds, and what was entered is kept on the phone until it is saved.
"use strict";
(() => {
  const form = document.getElementById("session");
  if (!form || form.dataset.plain !== undefined || !window.hs || !window.HTMLDialogElement) return;
  const one = (what, where = document) => where.querySelector(what);
  const all = (what, where = document) => [...where.querySelectorAll(what)];
  const words = Object.fromEntries(all("[data-word]", one("#words").content).map((p) => [p.dataset.word, p.textContent]));
  const say = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const aloud = (text) => { one("[data-say]").textContent = text; };
  const field = (name) => form.elements[name];
  const clock = (seconds) => Math.floor(seconds / 60) + ":" + String(Math.floor(seconds % 60)).padStart(2, "0");
  const range = (text) => text.split("-").map(Number);
  const written = ([min, max]) => (min === max ? min : min + "–" + max);

  const steps = all("[data-step]", form);
  const draftKey = `hs:draft:${form.dataset.program}:${field("date").value}`;
  let at = 0, asking = null;

  // --- one exercise
  class Exercise {
    constructor(step) {
      const data = step.dataset;
      this.step = step;
      this.id = data.id;
      this.name = data.name;
      this.sides = Number(data.sides);
      this.sets = range(data.sets);
      this.reps = range(data.reps);
      this.hold = range(data.hold);
      this.rest = Number(data.rest);
      this.kind = this.hold[1] ? "hold" : this.sets[1] > 1 ? "sets" : data.unit === "breaths" ? "breaths" : "reps";
      const many = (end) => this.sides * this.sets[end] * (this.kind === "sets" ? 1 : this.reps[end]);
      this.need = many(0);
      this.most = many(1);
      this.count = 0;
      this.held = [];
      this.phase = "idle";
      this.watch = new hsHold.Watch(() => this.tick());
      step.append(one("#controls").content.cloneNode(true));
      this.ui = one(".controls", step);
      this.build();
      // The steps stand open until the exercise was done once on this phone; then the clock is what one looks for.
      const how = one(".how", step);
      if (how) how.open = !hs.read("hs:seen:" + this.name);
    }
    part(name) { return one(`[data-${name}]`, this.ui); }
    build() {
      this.circles = this.most <= 6;
      this.part("tally").hidden = this.circles;
      this.part("clock").hidden = this.kind === "reps";
      for (let n = 1; this.circles && n <= this.most; n++) {
        const circle = document.createElement("button");
        circle.type = "button";
        circle.textContent = n;
        circle.setAttribute("aria-label", say("position", { n, of: this.most }));
        circle.onclick = () => this.set(this.count === n ? n - 1 : n);
        this.part("circles").append(circle);
      }
      this.part("less").onclick = () => this.set(this.count - 1);
      this.part("more").onclick = () => this.set(this.count + 1);
      this.part("main").onclick = () => this.press();
      this.part("pause").onclick = () => { this.watch.running ? this.watch.pause() : this.watch.start(); this.paint(); };
      this.part("finish").onclick = () => this.finish();
      this.part("skip").onclick = () => ask("skip", this);
      this.part("hurts").onclick = () => ask("hurts", this);
      this.part("back").onclick = () => history.back();
      this.part("sound").onclick = (event) => {
        const on = hsHold.toggleSound();
        for (const button of all("[data-sound]")) {
          button.setAttribute("aria-pressed", on);
          button.textContent = say(on ? "sound-on" : "sound-off");
        }
        event.currentTarget.focus();
      };
      this.paint();
    }
    set(count) {
      this.count = Math.max(0, Math.min(this.kind === "hold" ? this.most : this.most * 3, count));
      this.held.length = Math.min(this.held.length, this.count);
      aloud(say("position", { n: this.count, of: this.most }));
      this.paint();
      keep();
    }
    press() {
      if (this.kind === "sets") {
        this.set(this.count + 1);
        aloud(say("set-done", { n: this.count, of: this.most }));
        if (this.count < this.most) this.begin("rest");
      } else if (this.kind === "breaths") {
        if (this.phase === "idle") this.begin("breathe");
        else this.stop();
      } else if (this.phase === "hold") this.holdDone();
      else this.begin("hold");
    }
    begin(phase) {
      this.phase = phase;
      this.told = -1;
      this.watch.reset();
      this.watch.start();
      this.paint();
    }
    stop() {
      this.phase = "idle";
      this.watch.pause();
      this.watch.reset();
      this.paint();
    }
    holdDone() {
      this.held.push(Math.round(this.watch.seconds()));
      this.stop();
      this.set(this.count + 1);
      hsHold.cue(true);
      const other = this.sides === 2 && this.count % 2 === 1;
      aloud(say("hold-done", { n: this.count, of: this.most }) + (other ? " " + say("other-side") : ""));
      // Short holds follow each other, with a moment to let go.
      if (this.hold[1] <= 10 && this.count < this.most) this.begin("release");
    }
    tick() {
      const seconds = this.watch.seconds();
      if (this.phase === "hold") {
        if (seconds >= this.hold[1]) return this.holdDone();
        if (seconds >= this.hold[0] && this.told < 0 && this.hold[0] < this.hold[1]) {
          this.told = 0;
          hsHold.cue(false);
          aloud(say("enough", { min: this.hold[0], max: this.hold[1] }));
        }
      } else if (this.phase === "release" && seconds >= 3) return this.begin("hold");
      else if (this.phase === "rest" && seconds >= this.rest) { hsHold.cue(true); return this.stop(); }
      else if (this.phase === "breathe") {
        const breaths = Math.floor(seconds / 6);
        if (breaths > Math.max(this.told, 0)) { this.told = breaths; this.set(this.count + 1); }
        if (this.count >= this.most) { hsHold.cue(true); return this.stop(); }
      }
      this.face();
    }
    // The clock's face: what is counted, and how far round.
    face() {
      const seconds = this.watch.seconds(), { phase } = this;
      let shown = clock(seconds), goal = "", share = 0;
      if (phase === "rest") [shown, goal, share] = [clock(Math.ceil(this.rest - seconds)), say("goal-rest"), seconds / this.rest];
      else if (phase === "release") [shown, goal, share] = [String(Math.ceil(3 - seconds)), say("goal-release"), 0];
      else if (phase === "breathe") {
        const within = seconds % 6;
        [shown, goal, share] = [String(this.count), say(within < 3 ? "goal-in" : "goal-out"), within < 3 ? within / 3 : 2 - within / 3];
      } else if (this.kind === "hold") [goal, share] = [say("goal-hold", { range: written(this.hold) }), seconds / this.hold[1]];
      else if (this.kind === "breaths") [shown, goal] = [String(this.count), say("goal-breaths", { range: written(this.reps) })];
      else goal = say("goal-rest");
      this.part("face").textContent = shown;
      this.part("goal").textContent = goal;
      one(".clock-run", this.ui).setAttribute("stroke-dasharray", `${Math.min(1, share) * 100} 100`);
    }
    paint() {
      const { kind, phase, count, need, most } = this, main = this.part("main"), enough = count >= need;
      main.hidden = kind === "reps" || (count >= most && phase === "idle");
      const next = Math.min(count + 1, most);
      main.textContent = kind === "sets" ? say("set-done", { n: next, of: most })
        : kind === "breaths" ? say(phase === "idle" ? "breathe" : "pause")
        : phase === "hold" ? say(next === most ? "stop-last" : "stop-hold")
        : say("start-hold", { n: next, of: most });
      main.classList.toggle("btn-primary", !enough || phase === "hold");
      const last = exercises.indexOf(this) === exercises.length - 1 && exercises.includes(this);
      const finish = this.part("finish");
      finish.textContent = say(last ? "done-last" : "done-next");
      finish.classList.toggle("btn-primary", main.hidden || (enough && phase !== "hold"));
      const pause = this.part("pause");
      pause.hidden = phase !== "hold";
      pause.textContent = say(this.watch.running ? "pause" : "resume");
      const side = this.part("side");
      side.hidden = this.sides < 2 || count >= most;
      side.textContent = say(count % 2 ? "other-side" : "first-side");
      this.part("count").textContent = say("count", { n: count, range: written([need, most]) });
      all("button", this.part("circles")).forEach((circle, n) => circle.setAttribute("aria-pressed", n < count));
      this.part("less").disabled = count === 0;
      this.face();
    }
    mean() { return this.held.length ? Math.round(this.held.reduce((a, b) => a + b, 0) / this.held.length) : 0; }
    // Counted nothing: taken at their word. Counted less than prescribed: asked. Counted more, or held less: told as it was.
    finish() {
      // A hold that was only just begun is not held against anyone.
      if (this.phase === "hold" && this.watch.seconds() >= this.hold[0]) this.holdDone();
      this.stop();
      if (this.count > 0 && this.count < this.need) {
        one("[data-sure-text]").textContent = say("sure", { n: this.count, of: this.need });
        return ask("sure", this);
      }
      const short = this.mean() > 0 && this.mean() < this.hold[0];
      this.settle(short ? "some" : "done", short || this.count > this.need);
    }
    settle(outcome, counted, reason = "") {
      this.stop();
      const put = (name, value) => { const input = field(`${name}-${this.id}`); if (input) input.value = value; };
      const whole = this.sides * this.reps[0];
      let sets = 1, reps = Math.ceil(this.count / this.sides);
      if (this.kind === "sets") [sets, reps] = [Math.ceil(this.count / this.sides), this.reps[0]];
      else if (this.sets[1] > 1 && this.count >= whole) [sets, reps] = [Math.floor(this.count / whole), this.reps[0]];
      counted &&= this.count > 0;
      put("sets", counted ? sets : "");
      put("reps", counted ? reps : "");
      put("hold", counted && this.mean() ? this.mean() : "");
      put("reason", reason);
      field(`outcome-${this.id}`).value = outcome;
      if (outcome === "done") hs.write("hs:seen:" + this.name, true);
      keep();
      go(at + 1);
    }
  }

  // --- dialogs
  const dialog = (name) => one(`[data-dialog="${name}"]`);
  const close = (name) => dialog(name).close();
  function ask(name, exercise) {
    asking = exercise;
    if (exercise?.watch.running) { exercise.watch.pause(); exercise.paint(); }
    if (name === "hurts") one("[data-signs-here]").append(one(".signs", form));
    dialog(name).showModal();
  }
  for (const box of all("dialog")) {
    one("[data-cancel]", box)?.addEventListener("click", () => box.close());
    box.addEventListener("close", () => { if (box.dataset.dialog === "hurts") one("[data-signs]").append(one(".signs", form)); });
  }
  for (const button of all("[data-reason]")) {
    button.onclick = () => { close("skip"); asking.settle("skipped", false, button.dataset.reason); };
  }
  one("[data-hurts-skip]").onclick = () => { close("hurts"); asking.settle("skipped", false, "pain"); };
  one("[data-hurts-some]").onclick = () => {
    close("hurts");
    if (!asking.count) asking.count = 1;
    asking.settle("some", true);
  };
  one("[data-sure-all]").onclick = () => { close("sure"); asking.settle("done", false); };
  one("[data-sure-part]").onclick = () => { close("sure"); asking.settle("some", true); };
  one("[data-stop]").onclick = () => {
    if (!one("[name=red_flag]:checked")) return one("[name=red_flag]").focus();
    close("hurts");
    save();
  };

  // --- what was entered stays on the phone until it is saved
  const entries = () => [...new FormData(form)].filter(([name]) => !["log_id", "date", "performed_at"].includes(name));
  function keep() {
    hs.write(draftKey, { id: field("log_id").value, at: Date.now(), step: at, fields: entries(), counts: exercises.map((e) => [e.count, e.held]) });
  }
  function restore(draft) {
    field("log_id").value = draft.id;
    for (const [name, value] of draft.fields) {
      for (const input of all(`[name="${CSS.escape(name)}"]`, form)) {
        if (input.type !== "radio" && input.type !== "checkbox") input.value = value;
        else if (input.value === value) input.checked = true;
      }
    }
    exercises.forEach((e, n) => { [e.count, e.held] = draft.counts[n] ?? [0, []]; e.paint(); });
    go(Math.min(draft.step, steps.length - 1));
  }

  // --- from step to step
  function go(step) {
    if (step === at) return;
    history.pushState({ step }, "");
    show(step);
  }
  function show(step, quiet) {
    for (const e of exercises) if (e.phase !== "idle") e.stop();
    at = step;
    steps.forEach((s, n) => { s.hidden = n !== at; });
    one("[data-head]").hidden = at > 0;
    const n = at, of = exercises.length, middle = at > 0 && at <= of;
    one("[data-position]").textContent = middle ? say("position", { n, of }) : "";
    all("[data-bar] i").forEach((bar, i) => { bar.className = i < at - 1 ? "on" : i === at - 1 && middle ? "now" : ""; });
    if (at > of) sum();
    if (quiet) return;
    keep();
    scrollTo(0, 0);
    (one(".step-title", steps[at]) ?? one("[data-head] h1")).focus({ preventScroll: true });
  }
  addEventListener("popstate", (event) => show(event.state?.step ?? 0));

  function sum() {
    const how = (what) => exercises.filter((e) => field(`outcome-${e.id}`).value === what).map((e) => e.name);
    const done = how("done"), some = how("some"), skipped = how("skipped"), of = exercises.length;
    const text = [done.length === of ? say("all-done", { of }) : say("summary", { n: done.length + some.length, of })];
    if (some.length) text.push(say("some", { names: some.join(", ") }));
    if (skipped.length) text.push(say("skipped", { names: skipped.join(", ") }));
    one("[data-summary]").textContent = text.join(" ");
    const before = field("pain_before").value, said = one("[data-before-said]");
    said.hidden = !before || before === "none";
    said.textContent = say("before-said", { n: before });
  }

  // --- saving
  async function save() {
    const id = field("log_id").value, button = one("[data-save]");
    if (button.disabled) return;
    field("performed_at").value = new Date().toISOString();
    const entry = { action: form.action, body: new URLSearchParams(new FormData(form)).toString(), draft: draftKey };
    if (!hs.write("hs:out:" + id, entry)) return form.submit();
    button.disabled = true;
    button.textContent = say("saving");
    const outcome = await hs.send(id);
    if (outcome.state === "sent") return location.replace(outcome.url);
    if (outcome.state === "refused") return hs.show(id);
    hs.drop(draftKey);
    form.hidden = one(".session-top").hidden = one("[data-bar]").hidden = true;
    one("[data-stop-panel]").hidden = !one("[name=red_flag]:checked");
    const box = one("[data-offline]");
    box.hidden = false;
    if (outcome.state === "signed-out") one("[data-offline-text]").textContent = say("sign-in");
    (one("[data-stop-panel]").hidden ? box : one("[data-stop-panel]")).focus();
    const again = async () => {
      const next = await hs.send(id);
      if (next.state === "sent") location.replace(next.url);
      if (next.state === "refused") hs.show(id);
    };
    addEventListener("online", again);
    setInterval(again, 30000);
  }
  form.addEventListener("submit", (event) => { event.preventDefault(); save(); });
  form.addEventListener("input", keep);

  // --- begin
  const exercises = [];
  for (const step of steps) if (step.dataset.step === "exercise") exercises.push(new Exercise(step));
  exercises.at(-1)?.paint();
  document.body.classList.add("playing");
  // Each step is now a page of its own, and its title that page's first heading.
  for (const title of all(".step-title")) {
    title.setAttribute("role", "heading");
    title.setAttribute("aria-level", "1");
  }
  const bar = one("[data-bar]");
  bar.hidden = false;
  for (const _ of exercises) bar.append(document.createElement("i"));
  const begin = one("[data-begin]");
  begin.hidden = false;
  begin.onclick = () => go(1);
  one("#pain_before-hint").textContent = say("begin-hint");
  // A tap on a score is the answer and the go-ahead; with the keyboard one looks through the scores first.
  for (const score of all("[name=pain_before]")) {
    score.addEventListener("click", (event) => { if (event.detail > 0) go(1); });
  }
  history.replaceState({ step: 0 }, "");
  show(0, true);
  const draft = hs.read(draftKey);
  const fresh = draft && draft.fields.length && draft.counts.length === exercises.length && Date.now() - draft.at < 86400000;
  if (fresh) {
    const time = new Date(draft.at).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
    one("[data-resume-text]").textContent = say("resume-text", { time });
    one("[data-resume-yes]").onclick = () => { close("resume"); restore(draft); };
    one("[data-resume-no]").onclick = () => { close("resume"); hs.drop(draftKey); };
    dialog("resume").showModal();
  }
})();
