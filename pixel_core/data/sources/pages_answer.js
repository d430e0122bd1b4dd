// Finds an answer in the text of a rendered page, and hides it again.
//
// The page's own scripts never run, so nothing in it can change what stands here.
globalThis.pageAnswers = (() => {
  // Where text that is no part of what is shown lives.
  const UNREAD = new Set(["SCRIPT", "STYLE", "TEMPLATE", "TITLE", "IFRAME"]);
  const REPLACED = new Set(["IMG", "INPUT", "VIDEO", "CANVAS", "OBJECT", "SELECT", "TEXTAREA"]);
  // Stands between texts that no reader would read as one: an answer never reaches over it.
  const BREAK = "\uFFFC";
  const UNSEEN = /^[\u00AD\u200B-\u200D\u2060\uFEFF]$/u;
  // Scripts that are written without spaces between words.
  const UNSPACED =
    /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
  const HIGHLIGHT = "looked-for-answer";
  // Below this side, in pixels, a text is there for screen readers alone.
  const SMALLEST = 2;

  const styles = new Map();
  const styleOf = (element) => {
    if (!styles.has(element)) styles.set(element, getComputedStyle(element));
    return styles.get(element);
  };

  // The element whose lines a text stands in.
  function blockOf(element) {
    while (element.parentElement && /^(inline|contents|ruby)/.test(styleOf(element).display)) {
      element = element.parentElement;
    }
    return element;
  }

  // What of a rectangle is left when all that cuts it off has done so.
  function clipped(rect, element, size) {
    let [x1, y1, x2, y2] = [rect.left, rect.top, rect.right, rect.bottom];
    const cut = (by) => {
      [x1, y1] = [Math.max(x1, by.left), Math.max(y1, by.top)];
      [x2, y2] = [Math.min(x2, by.right), Math.min(y2, by.bottom)];
    };
    cut({ left: 0, top: 0, right: size.width, bottom: size.height });
    let placed = "static";
    for (let at = element; at && at !== document.body; at = at.parentElement) {
      const style = styleOf(at);
      // An absolutely placed element is cut only by what it is placed in.
      const holds = placed === "static" || style.position !== "static";
      if (placed === "fixed") break;
      if (holds && at !== document.documentElement && style.overflow !== "visible") {
        if (style.display !== "inline") cut(at.getBoundingClientRect());
      }
      if (holds) placed = ["absolute", "fixed"].includes(style.position) ? style.position : "static";
    }
    return [x1, y1, x2, y2];
  }

  const area = ([x1, y1, x2, y2]) => Math.max(0, x2 - x1) * Math.max(0, y2 - y1);

  function rectsOf(node, start, end, size) {
    const range = document.createRange();
    range.setStart(node, start);
    range.setEnd(node, end);
    return [...range.getClientRects()]
      .filter((rect) => rect.width > 0 && rect.height > 0)
      .map((rect) => ({
        whole: [rect.left, rect.top, rect.right, rect.bottom],
        seen: clipped(rect, node.parentElement, size),
      }));
  }

  // Whether a text is in the folded part of a <details>.
  function isFolded(node) {
    const folds = "details:not([open])";
    for (let at = node.parentElement.closest(folds); at; at = at.parentElement?.closest(folds)) {
      if (!at.querySelector(":scope > summary")?.contains(node)) return true;
    }
    return false;
  }

  function isSeen(node, size) {
    const element = node.parentElement;
    if (isFolded(node)) return false;
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
    if (!node.data.trim()) return true;
    return rectsOf(node, 0, node.length, size).some(
      ({ seen: [x1, y1, x2, y2] }) => x2 - x1 >= SMALLEST && y2 - y1 >= SMALLEST,
    );
  }

  // Text in lower case with single spaces; ``places`` has, for each of its code units, the
  // node and the offsets it comes from.
  function reader() {
    const letters = [];
    const places = [];
    const put = (text, place) => {
      for (let at = 0; at < text.length; at += 1) {
        letters.push(text[at]);
        places.push(place);
      }
    };
    const space = (place) => {
      if (letters.length && letters.at(-1) !== " " && letters.at(-1) !== BREAK) put(" ", place);
    };
    const interrupt = () => {
      if (letters.at(-1) === " ") {
        letters.pop();
        places.pop();
      }
      if (letters.length && letters.at(-1) !== BREAK) put(BREAK, null);
    };
    const read = (text, node) => {
      let offset = 0;
      // A letter with its marks is one, however it is composed.
      for (const unit of text.match(/\P{M}\p{M}*|\p{M}+/gu) ?? []) {
        const place = { node, start: offset, end: offset + unit.length };
        offset += unit.length;
        if (/^\s/u.test(unit)) space(place);
        else if (!UNSEEN.test(unit)) put(unit.normalize("NFC").toLowerCase(), place);
      }
    };
    return { read, space, interrupt, places, text: () => letters.join("") };
  }

  function normalised(text) {
    const one = reader();
    one.read(text.trim(), null);
    return one.text().trim();
  }

  // All elements and texts in the page's order. A TreeWalker with a filter would call back
  // into a page whose scripts are off, which Chromium refuses.
  function* nodes() {
    const waiting = [document.documentElement];
    while (waiting.length) {
      const node = waiting.pop();
      if (node.nodeType === Node.TEXT_NODE) yield node;
      if (node.nodeType !== Node.ELEMENT_NODE || UNREAD.has(node.nodeName.toUpperCase())) continue;
      yield node;
      for (let child = node.lastChild; child; child = child.previousSibling) waiting.push(child);
    }
  }

  function readPage(size, everything) {
    const page = reader();
    let block = null;
    for (const node of nodes()) {
      if (node.nodeType === Node.ELEMENT_NODE) {
        if (node.nodeName === "BR") page.space(null);
        else if (REPLACED.has(node.nodeName)) page.interrupt();
      } else if (everything || isSeen(node, size)) {
        const own = blockOf(node.parentElement);
        const blank = !node.data.trim();
        if (own !== block && blank) continue;
        if (own !== block) page.interrupt();
        block = own;
        page.read(node.data, node);
      }
    }
    return { text: page.text(), places: page.places };
  }

  // Whether a match is a part of a longer word or number.
  function isPart(text, start, end) {
    const joined = (edge, beside, beyond) => {
      if (!beside || !edge) return false;
      if (/\p{N}/u.test(edge) && /[.,]/.test(beside)) return /\p{N}/u.test(beyond ?? "");
      if (!/[\p{L}\p{N}]/u.test(edge) || !/[\p{L}\p{N}\p{M}]/u.test(beside)) return false;
      return !UNSPACED.test(edge) && !UNSPACED.test(beside);
    };
    const before = [...text.slice(Math.max(0, start - 4), start)];
    const inside = [...text.slice(start, end)];
    const after = [...text.slice(end, end + 4)];
    return (
      joined(inside[0], before.at(-1), before.at(-2)) ||
      joined(inside.at(-1), after[0], after[1])
    );
  }

  function matches(page, answer) {
    const found = [];
    for (let at = page.text.indexOf(answer); at >= 0; ) {
      const end = at + answer.length;
      const whole = !isPart(page.text, at, end);
      if (whole) found.push(page.places.slice(at, end));
      at = page.text.indexOf(answer, whole ? end : at + 1);
    }
    return found;
  }

  // One stretch of a node for all code units in a row that come from it.
  function stretches(places) {
    const runs = [];
    for (const place of places) {
      if (!place?.node) continue;
      const last = runs.at(-1);
      if (last?.node === place.node) last.end = place.end;
      else runs.push({ ...place });
    }
    return runs;
  }

  let seen = null;
  let all = null;
  const chosen = [];

  // ``size`` is the picture's, in CSS pixels; ``occurrence`` counts from 1, null: the only.
  function find(answer, occurrence, size) {
    seen ??= readPage(size, false);
    const wanted = normalised(answer);
    const found = wanted ? matches(seen, wanted) : [];
    if (!found.length) {
      all ??= readPage(size, true);
      const hidden = wanted ? matches(all, wanted).length : 0;
      return { count: 0, hidden };
    }
    const place = found[(occurrence ?? 1) - 1];
    if (!place || (found.length > 1 && occurrence === null)) return { count: found.length };
    const runs = stretches(place);
    const rects = runs.flatMap((run) => rectsOf(run.node, run.start, run.end, size));
    const total = rects.reduce((sum, rect) => sum + area(rect.whole), 0);
    const left = rects.reduce((sum, rect) => sum + area(rect.seen), 0);
    for (const run of runs) {
      const range = new StaticRange({
        startContainer: run.node,
        startOffset: run.start,
        endContainer: run.node,
        endOffset: run.end,
      });
      chosen.push(range);
    }
    return {
      count: found.length,
      rects: rects.map((rect) => rect.seen).filter((rect) => area(rect) > 0),
      share: total ? left / total : 0,
      // Text that is a hole in a background, or drawn as SVG, is not hidden by its colour.
      painted: runs.some(({ node }) => isPainted(node.parentElement)),
    };
  }

  function isPainted(element) {
    if (element.namespaceURI !== "http://www.w3.org/1999/xhtml") return true;
    for (let at = element; at; at = at.parentElement) {
      if (styleOf(at).backgroundClip.includes("text")) return true;
    }
    return false;
  }

  // Draws the page as if the chosen answers had no ink; nothing else moves.
  function hide() {
    const sheet = new CSSStyleSheet();
    const rules = ["color", "-webkit-text-fill-color", "text-decoration-color"].map(
      (property) => `${property}: transparent !important`,
    );
    sheet.replaceSync(`::highlight(${HIGHLIGHT}) { ${rules.join("; ")}; text-shadow: none }`);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    CSS.highlights.set(HIGHLIGHT, new Highlight(...chosen));
  }

  // The height of what is shown, in CSS pixels.
  function height() {
    const root = document.documentElement;
    if (root.scrollHeight > root.clientHeight) return root.scrollHeight;
    let bottom = 0;
    for (const element of document.querySelectorAll("body, body *")) {
      bottom = Math.max(bottom, element.getBoundingClientRect().bottom);
    }
    const margin = document.body ? parseFloat(styleOf(document.body).marginBottom) || 0 : 0;
    return Math.min(root.scrollHeight, Math.ceil(bottom + margin));
  }

  // SVG animations stand still at their beginning, as CSS animations do.
  function still() {
    for (const svg of document.querySelectorAll("svg")) {
      svg.pauseAnimations?.();
      svg.setCurrentTime?.(0);
    }
  }

  return { find, hide, height, still };
})();
