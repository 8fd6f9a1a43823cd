// Adds to pages that are complete without it: theme, tooltips, keys, live updates.
(() => {
  const d = document, h = d.documentElement, THEME = 'sloburn-theme', KEYS = 'sloburn-keys';
  const kept = (key, value) => { try { return value === undefined ? localStorage.getItem(key) : localStorage.setItem(key, value); } catch { return null; } };
  h.classList.add('scripted');
  if (!h.dataset.theme && kept(THEME)) h.dataset.theme = kept(THEME);

  const ready = () => {
    theme();
    d.querySelectorAll('.plot-b[data-r]').forEach(tooltip);
    keys();
    if (d.body.dataset.live) live();
  };

  function theme() {
    const button = d.querySelector('[data-theme-toggle]');
    const dark = () => h.dataset.theme ? h.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme:dark)').matches;
    const label = () => { button.textContent = dark() ? 'Day' : 'Night'; };
    label();
    button.addEventListener('click', () => { h.dataset.theme = dark() ? 'light' : 'dark'; kept(THEME, h.dataset.theme); label(); });
  }

  // The table under a chart is also the source of its tooltip: one truth, no extra payload.
  function tooltip(plot) {
    const rows = () => [...plot.parentNode.querySelectorAll('.data tbody tr')];
    const line = d.createElement('i'), tip = d.createElement('i');
    line.className = 'cur'; tip.className = 'tip'; tip.setAttribute('role', 'status');
    let at = Infinity;
    const reach = () => plot.dataset.r.split(',').map(Number);
    const show = index => {
      const all = rows(); if (!all.length) return;
      at = Math.max(0, Math.min(all.length - 1, index));
      const [a, z] = reach(), x = all.length > 1 ? a + (z - a) * at / (all.length - 1) : a;
      line.style.left = x + '%'; tip.style.left = Math.max(12, Math.min(88, x)) + '%';
      tip.textContent = [...all[at].children].map(cell => cell.textContent).join('  ');
      plot.append(line, tip);
    };
    const hide = () => { line.remove(); tip.remove(); };
    plot.addEventListener('pointermove', event => {
      const box = plot.getBoundingClientRect(), [a, z] = reach(), n = rows().length;
      show(Math.round(((event.clientX - box.left) / box.width * 100 - a) / (z - a) * (n - 1)));
    });
    plot.addEventListener('pointerleave', hide);
    plot.addEventListener('blur', hide);
    plot.addEventListener('focus', () => show(at));
    plot.addEventListener('keydown', event => {
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -7, PageDown: 7 }[event.key];
      if (step) { show(at + step); event.preventDefault(); } else if (event.key === 'Escape') hide();
    });
  }

  // g then e, o, d, s: pages. t, i, r: what the banner's buttons do. j, k: rows. `.` pauses.
  function keys() {
    const foot = d.getElementById('foot'), toggle = d.createElement('button');
    toggle.type = 'button'; toggle.className = 'plain'; toggle.dataset.keep = '';
    const off = () => kept(KEYS) === 'off', label = () => { toggle.textContent = off() ? 'Turn single-key shortcuts on' : 'Turn single-key shortcuts off'; };
    toggle.addEventListener('click', () => { kept(KEYS, off() ? 'on' : 'off'); label(); });
    label(); foot.after(toggle);
    let going = 0;
    d.addEventListener('keydown', event => {
      if (off() || event.target.closest('input,select,textarea') || event.metaKey || event.ctrlKey || event.altKey) return;
      if (event.key === 'g') { going = Date.now(); return; }
      if (Date.now() - going < 900) {
        const to = { e: '/executive', o: '/oncall', s: '/slos', d: d.body.dataset.debug }[event.key];
        going = 0; if (to) location.href = to; return;
      }
      if (event.key === '.') d.querySelector('[data-pause]').click();
      const go = d.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
      if (go) location.href = go.href;
      if (event.key === 'j' || event.key === 'k') {
        const all = [...d.querySelectorAll('tr[data-key] a')], now = all.indexOf(d.activeElement);
        const next = all[event.key === 'j' ? now + 1 : Math.max(0, now - 1)];
        if (next) next.focus();
      }
    });
  }

  function live() {
    const pause = d.querySelector('[data-pause]'), word = () => d.querySelector('[data-live-word]');
    let source = null, waiting = new Map(), last = Date.now(), paused = false, said = 0;
    const say = text => { if (word()) word().textContent = text; };
    const stale = yes => { const pill = d.getElementById('pill'); if (pill) pill.classList.toggle('stale', yes); };
    const open = () => {
      if (source || paused || d.hidden) return;
      source = new EventSource('/events?page=' + encodeURIComponent(d.body.dataset.live) + '&since=' + d.body.dataset.evaluation);
      source.addEventListener('tick', event => { last = Date.now(); d.body.dataset.evaluation = event.lastEventId; stale(false); say('Live'); });
      source.addEventListener('frag', event => { const part = JSON.parse(event.data); waiting.set(part.id, part.html); apply(); });
      source.addEventListener('state', event => { if (Date.now() - said > 30000) { said = Date.now(); d.getElementById('said').textContent = event.data; } });
      source.addEventListener('reset', () => location.reload());
      source.addEventListener('error', () => { stale(true); say('Reconnecting'); });
    };
    const close = () => { if (source) source.close(); source = null; };
    // The page does not move under the hand: a part whose rows would change places waits until it is left.
    function apply() {
      for (const [id, html] of waiting) {
        const old = d.getElementById(id);
        if (!old) { waiting.delete(id); continue; }
        const box = d.createElement('template'); box.innerHTML = html;
        const next = box.content.firstElementChild;
        const order = node => [...node.querySelectorAll('[data-key]')].map(row => row.dataset.key).join('\n');
        const held = old.matches(':hover') || old.contains(d.activeElement);
        if (held && order(old) !== order(next)) { old.classList.add('held'); continue; }
        waiting.delete(id); old.classList.remove('held');
        morph(old, next);
      }
    }
    d.addEventListener('pointerout', () => setTimeout(apply, 50));
    d.addEventListener('focusout', () => setTimeout(apply, 50));
    d.addEventListener('visibilitychange', () => d.hidden ? close() : open());
    pause.addEventListener('click', () => { paused = !paused; pause.setAttribute('aria-pressed', paused); pause.textContent = paused ? 'Resume' : 'Pause'; paused ? (close(), say('Paused')) : (say('Live'), open()); });
    setInterval(() => {
      const age = d.querySelector('[data-age]'); if (!age) return;
      const seconds = Math.round((Date.now() - last) / 1000);
      if (!paused && seconds > 60) { stale(true); say('Reconnecting · showing ' + age.dateTime.slice(11, 16)); }
    }, 5000);
    open();
  }

  // Makes `old` like `next` in place, so that focus, open tables and the pointer's place survive.
  function morph(old, next) {
    if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName) { old.replaceWith(next); adopt(next); return; }
    if (old.nodeType !== 1) { if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue; return; }
    for (const { name } of [...old.attributes]) if (!next.hasAttribute(name) && !(name === 'open' && old.nodeName === 'DETAILS')) old.removeAttribute(name);
    for (const { name, value } of [...next.attributes]) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    const kids = [...old.childNodes].filter(kid => !(kid.classList && (kid.classList.contains('tip') || kid.classList.contains('cur'))));
    const fresh = [...next.childNodes];
    fresh.forEach((kid, index) => { if (kids[index]) morph(kids[index], kid); else { old.append(kid); adopt(kid); } });
    kids.slice(fresh.length).forEach(kid => kid.remove());
  }

  function adopt(node) {
    if (node.nodeType !== 1) return;
    if (node.matches('.plot-b[data-r]')) tooltip(node);
    node.querySelectorAll('.plot-b[data-r]').forEach(tooltip);
  }

  if (d.readyState === 'loading') d.addEventListener('DOMContentLoaded', ready); else ready();
})();
