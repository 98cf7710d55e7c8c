// What the server cannot know: scroll, focus, the connection, messages that wait, drafts, the time zone.
// Builds no HTML; behaves by id and data-*. It listens on the window, because what is below is swapped.
(() => {
  const page = document.documentElement.dataset, me = page.user, store = localStorage, {locks, serviceWorker} = navigator;
  const touch = matchMedia('(pointer: coarse)').matches, now = () => Date.now();
  const one = css => document.querySelector(css), all = css => [...document.querySelectorAll(css)];
  const on = (name, act) => addEventListener(name, act, true);
  const roomId = () => one('#conversation')?.dataset.room;
  const messages = () => all('#messages > [data-rev]');
  const top = item => item?.getBoundingClientRect().top;

  // Without a session this leads to the sign-in page, and from there back.
  const reload = () => location.reload();
  // The server writes days and times in this zone. Browsers take so long to name it that the page shows first.
  setTimeout(() => {
    const zone = 'tz=' + Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!document.cookie.includes(zone)) document.cookie = zone + '; path=/; max-age=99999999; samesite=lax', me && reload();
  });
  if (!me) return;

  // Full jitter: thousands of pages that lost the server at once come back spread out.
  const backoff = tries => Math.random() * Math.min(3e4, 500 * 2 ** tries);
  // What the server answers; nothing, when it cannot be reached.
  const ask = (path, fields) => fetch(path, {
    method: 'POST', body: new URLSearchParams(fields), headers: {'hx-request': 'true'}, signal: AbortSignal.timeout(2e4),
  }).then(answer => (answer.status === 401 && reload(), answer)).catch(error => error);

  // The outbox: what is to be sent waits under its key, by which it is the same message when it is sent again, and which
  // holds its author, so that nobody else who signs in sends it. Tabs take turns by a lock; plain http has none but the key.
  const draft = () => `draft-${me}-${roomId()}`;
  const outbox = () => Object.keys(store).filter(name => name.startsWith(`out-${me}-`))
    .sort().map(name => ({name, refused: store['why-' + name], ...JSON.parse(store[name])}));
  // What another room refused shows in the lobby: that room may be gone.
  const showOutbox = changed => {
    one('#' + changed)?.remove();
    all('.pending').forEach(bubble => store[bubble.id] || bubble.remove());
    for (const {name, room, text, refused} of outbox()) {
      const place = one(room === roomId() ? '#messages' : refused ? '#unsent' : 'none');
      if (!place || one('#' + name)) continue;
      const bubble = one('#pending').content.firstChild.cloneNode(true);
      bubble.id = name;
      bubble.querySelector('.text').textContent = text;
      bubble.querySelector('.why').textContent = refused || '';
      place.append(bubble);
    }
  };
  // Whether somebody else has signed in, in another tab.
  const isAnother = () => store.user !== me && !reload();
  let sending, sent = 0, failed = 0, due = 0, hold = 0, typedAt = 0;
  const flush = () => {
    if (now() < hold) return;
    due = sending ? 0 : Infinity;
    sending ||= (locks?.request('outbox', deliver) ?? deliver()).finally(() => sending = 0);
  };
  const deliver = async () => {
    const {name, room, text} = outbox().find(({refused}) => !refused) || {};
    if (!name || isAnother()) return;
    const answer = await ask(`/rooms/${room}/messages`, {key: name, body: text}), {status, headers} = answer;
    // Only this says stored: a network's own pages say 200, too.
    if (headers?.has('x-seq')) {
      delete store[name];
      if (room === roomId()) one('#newer') ? one('#jump').click() : await htmx.swap({sourceElement: one('#composer'), swap: 'none', text: await answer.text()});
    } else if (/^4(?!01|08|25|29)/.test(status)) {
      store['why-' + name] = headers.get('x-problem') || 'Error ' + status;
      showOutbox(name);
    } else {
      hold = now() + (headers?.get('retry-after') * 1000 || 0);
      return due = hold + backoff(failed++);
    }
    failed = 0;
    return deliver();
  };
  on('submit', event => {
    const {target} = event, box = one('#composer-body');
    // Only the composer's bears one.
    if (!target.key) return;
    event.preventDefault();
    if (!box.value.trim()) return;
    store[`out-${me}-${now()}-${++sent}-${target.key.value}`] = JSON.stringify({room: roomId(), text: box.value});
    showOutbox();
    box.value = store[draft()] = one('#composer-error').textContent = '';
    one('#log').scrollTop = typedAt = 0;
    box.focus();
    flush();
  });
  on('storage', ({key}) => {
    if (!isAnother()) showOutbox(key?.replace('why-', '')), flush();
  });

  // The log is a reversed column: its end is scrollTop 0, above it is negative.
  const atEnd = () => one('#log')?.scrollTop > -100;
  // Answers and live frames come in any order: what is older than what stands here is dropped, and so is
  // what belongs to pages that are not loaded, for it would hide a hole.
  const sift = (fragment, source) => {
    const known = messages();
    const from = one('#older') ? known[0]?.dataset.seq - 0.5 : 0, to = one('#newer') ? known.at(-1)?.dataset.seq : Infinity;
    for (const item of [...fragment.children]) {
      const {seq, rev} = item.dataset, here = one('#' + item.id);
      const newer = rev && here ? rev - here.dataset.rev : 1;
      if (newer < 0 || !newer && !here.contains(source) || seq < from || seq > to) item.remove();
    }
  };

  on('htmx:config:request', () => one('#notice')?.replaceChildren());
  // How things stand before a swap, to be put back after it.
  let held, shown;
  on('htmx:before:swap', event => {
    const {ctx, tasks} = event.detail;
    const anchor = messages().find(item => item.getBoundingClientRect().bottom > top(one('#log')));
    held ||= {end: atEnd(), anchor: anchor?.id, from: top(anchor), focus: document.activeElement};
    for (const {target, fragment, swapSpec} of tasks) {
      // The newest page comes instead of all: what was half corrected goes on in the composer.
      const edit = target?.id === 'messages' && one('.edit textarea'), box = one('#composer-body');
      if (edit && edit.value !== edit.defaultValue) box.value = store[draft()] = (box.value + '\n' + edit.value).trim();
      if (target === '#messages') sift(fragment, ctx.sourceElement);
      // A row of the lobby that stands here already was brought up to date in its place.
      else if (swapSpec.style === 'beforeend') [...fragment.children].forEach(row => document.getElementById(row.id) && row.remove());
      // So much was missed that the newest page comes afresh: who reads further up gets that place afresh instead.
      else if (swapSpec.style === 'innerHTML' && target?.id === 'messages' && (one('#newer') || !atEnd())) {
        event.preventDefault();
        location = '?at=' + anchor.dataset.seq;
      }
    }
  });
  on('htmx:finally:swap', () => {
    if (!held) return;
    const {end, anchor, focus, from} = held, log = one('#log'), info = one('#info');
    held = 0;
    tidy();
    if (info?.firstChild && !info.open) one(':popover-open')?.hidePopover(), info.show();
    if (!touch && !focus.isConnected && document.activeElement === document.body)
      (one(`#${focus.closest('.message')?.id} [popovertarget]`) || one('#composer-body'))?.focus();
    if (one('#live') !== shown) return opened();
    if (!log) return;
    if (end) log.scrollTop = 0;
    else if (one('#' + anchor)) log.scrollTop += top(one('#' + anchor)) - from;
    look();
  });
  on('close', ({target}) => target.id === 'info' && target.replaceChildren());

  // What waits; ticks, by the room's floors; the open room in the lobby; what the server wants notified.
  const tidy = () => {
    showOutbox();
    for (const [state, css] of [['delivered', 'state=sent][data-counts'], ['read', 'counts=read']])
      for (const {dataset, id} of all(`#messages .ticks[data-${css}]`)) if (id.slice(6) <= +one('#floors').dataset[state]) dataset.state = state;
    for (const row of all('#lists li')) for (let above; (above = row.previousElementSibling)?.dataset.sort < row.dataset.sort;) above.before(row);
    all('#lists li > a').forEach(item => item.ariaCurrent = item.pathname === `/rooms/${roomId()}` && 'page');
    for (const item of all('#notify > *')) {
      serviceWorker?.ready.then(({active}) => active.postMessage({...item.dataset}));
      item.remove();
    }
  };
  // A conversation has come, with the page or by a swap.
  const opened = () => {
    shown = one('#live');
    busy = 0;
    one(':popover-open')?.hidePopover();
    for (const item of document.forms) item.reset();
    all('#unsent, .found').forEach(item => item.replaceChildren());
    showOutbox();
    if (!roomId()) return;
    const box = one('#composer-body');
    box.value ||= store[draft()] || '';
    one('[data-found], #divider')?.scrollIntoView();
    if (!touch) box.focus();
    look();
  };
  // Read means in front of somebody's eyes; said at most once a second.
  let busy;
  const look = async () => {
    const room = roomId(), list = one('#messages'), end = atEnd(), seq = +messages().at(-1)?.dataset.seq || 0;
    if (!room) return;
    one('#below').hidden = end;
    if (busy || !document.hasFocus() || list.said >= 0 && !(end && seq > list.said)) return;
    busy = setTimeout(() => { busy = 0; look(); }, 1000);
    const {status} = await ask(`/rooms/${room}/read`, {seq: seq || 1});
    if (status === 204) list.said = seq;
  };
  on('scroll', ({target}) => target.id === 'log' && look());

  // The live connection. htmx holds it and swaps what comes, but its own retries are off: it cannot know when to hurry,
  // that an open line is dead, or that another way is due. To process #live anew drops what is there, dead or not, and
  // connects; `next` is when that is due: after a backoff, after too long a silence, never while parked.
  let state, next = Infinity, tries = 0, blocked = 0;
  const turn = (to, wait) => { state = to; next = now() + wait; tick(); };
  const tick = () => {
    page.bell = window.Notification?.permission;
    if (!shown) return;
    one('#status').dataset.state = state;
    one('#status-wait').textContent = Math.ceil((next - now()) / 1000);
    if (now() > next || (state === 'sse' && !overSse())) state === 'connecting' ? lost() : connect();
    if (now() > due) flush();
    // Another build serves this page than made it: it is loaded anew when nobody looks at it.
    if (document.hidden && one('#update a') && !one('.edit, :popover-open')) reload();
  };
  const connect = () => htmx.process(shown, true);
  const hurry = () => { tries = 0; connect(); };
  // Events for ten minutes, if sockets failed twice though the server answers, and none ever opened here.
  const overSse = () => now() - sessionStorage.sse < 6e5;
  const lost = async () => {
    const opening = state === 'connecting';
    // Whoever was typing is heard of no more.
    all('.typing, .row-typing').forEach(item => item.replaceChildren());
    if (state !== 'parked') turn('offline', backoff(tries++));
    if (opening && (await ask('/live/session')).status === 204 && !overSse() && ++blocked > 1) sessionStorage.sse = now();
  };
  // Every connection resumes where the page stands.
  on('htmx:ws:before:connection', event => {
    const query = '?' + new URLSearchParams({...one('#conversation').dataset, ...one('#cursor')?.dataset, ...one('#lobby-cursor').dataset});
    event.detail.connection.url += query;
    turn('connecting', 15e3);
    if (!overSse()) return;
    event.preventDefault();
    htmx.ajax('GET', '/live/events' + query, {source: '#live'});
  });
  for (const [way, message] of [['ws', 'message:incoming'], ['sse', 'message']]) {
    on(`htmx:${way}:after:connection`, () => {
      if (way === 'ws') blocked = -Infinity;
      tries = failed = 0;
      turn(way, 45e3);
      flush();
    });
    // One's own message may overtake the answer to its sending: it waits a moment, or it would stand there twice.
    on(`htmx:${way}:before:${message}`, ({detail}) => {
      next = now() + 45e3;
      detail.waitUntil(Promise.race([sending, htmx.timeout(1000)]));
    });
  }
  on('htmx:ws:close', ({detail: {code}}) => code === 1008 ? reload() : code && lost());
  on('htmx:finally:request', ({detail: {ctx}}) => ctx.sourceElement.id === 'live' && !ctx.request.signal.aborted && lost());
  on('parked', () => turn('parked', Infinity));
  on('ask', ({detail: {data}}) => ask('/live/received', data));
  window.ononline = hurry;
  window.onclick = window.onfocus = document.onvisibilitychange = () => {
    if (/offline|parked/.test(state)) hurry();
    look();
  };
  // A page that comes back from the browser's own cache may be another person's by now.
  window.onpageshow = ({persisted}) => persisted && reload();

  // A key presses what bears it as its shortcut; in what has opened, arrows go from one thing to the next.
  on('keydown', event => {
    const {target, key} = event, box = target.closest('#composer-body, .edit textarea'), places = all(':is(:popover-open, .finder:focus-within) :is(.item, button, input)');
    const keys = [...['Control', 'Alt', 'Shift', 'Meta'].filter(name => event.getModifierState(name)), key].join('+');
    key === 'Escape' && one('.finder')?.reset();
    const step = places[0] && (key === 'ArrowDown') - (key === 'ArrowUp'), way = one(`[aria-keyshortcuts~=${JSON.stringify(keys)} i]`);
    if (box && keys === 'Enter') {
      if (touch || event.isComposing || event.keyCode === 229) return;
      if (box.value.trim()) box.form.requestSubmit();
    } else if (step) places[places.indexOf(target) + step]?.focus();
    else if (!way || (key === 'Escape' ? one(':popover-open') : key === '?' && target.matches('input, textarea'))) return;
    else way.click();
    event.preventDefault();
  });
  on('input', ({target}) => {
    if (target.id !== 'composer-body') return;
    store[draft()] = target.value;
    if (target.value.trim() && now() - typedAt > 3e3) typedAt = now(), ask(`/rooms/${roomId()}/typing`);
  });
  on('focusin', ({target}) => target.matches('.edit textarea') && target.setSelectionRange(1e5, 1e5));
  on('click', event => {
    const within = css => event.target.closest(css), name = within('.pending')?.id;
    if (within('[data-drop]')) delete store[name];
    if (within('.refused button')) delete store['why-' + name], showOutbox(name), flush();
    if (within('#bell')) Notification.requestPermission();
    if (within('.more')) within('.message').scrollIntoView();
    if (within('#jump') && !one('#newer')) event.preventDefault(), one('#log').scrollTop = 0;
  });

  // Behind htmx's own beginning, so that neither holds up the page for long.
  setTimeout(() => {
    store.user = me;
    tidy();
    opened();
    flush();
    setInterval(tick, 1000);
    serviceWorker?.register('/sw.js');
  });
})();
