// What the server cannot know: scroll, focus, the connection, messages that wait, drafts, the time zone.
// Builds no HTML; behaves by id and data-*. It listens on the window, because what is below is swapped.
(() => {
  'use strict';
  const root = document.documentElement, me = root.dataset.user, store = localStorage, {locks} = navigator;
  const touch = matchMedia('(pointer: coarse)').matches, now = () => Date.now();
  const byId = id => document.getElementById(id);
  const all = css => [...document.querySelectorAll(css)];
  const on = (name, act) => addEventListener(name, act, true);
  const roomId = () => byId('conversation')?.dataset.room;
  const messages = () => all('#messages > [data-rev]');
  const top = item => item?.getBoundingClientRect().top;

  // The server writes days and times in this zone.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
  document.cookie = `tz=${zone}; path=/; max-age=31536000; samesite=lax`;
  if (!me) return;

  // Without a session this leads to the sign-in page, and from there back.
  const reload = () => location.reload();
  // Full jitter: thousands of pages that lost the server at once come back spread out.
  const backoff = tries => Math.random() * Math.min(30000, 500 * 2 ** tries);
  // What the server answers; nothing, when it cannot be reached.
  const ask = (path, fields) => fetch(path, {
    method: fields ? 'POST' : 'GET', body: fields && new URLSearchParams(fields),
    headers: {'HX-Request': 'true'}, signal: AbortSignal.timeout(20000),
  }).then(async answer => {
    if (answer.status === 401) reload();
    answer.words = await answer.text();
    return answer;
  }).catch(() => ({}));

  // The outbox: what is to be sent waits under its key, by which it is the same message when it is sent again, and which
  // holds its author, so that nobody else who signs in sends it. Tabs take turns by a lock; plain http has none but the key.
  const draft = () => `draft-${me}-${roomId()}`;
  const outbox = () => Object.keys(store).filter(name => name.startsWith(`out-${me}-`))
    .map(name => ({name, ...JSON.parse(store[name])})).sort((a, b) => a.at - b.at);
  const showOutbox = changed => {
    byId(changed)?.remove();
    all('.pending').forEach(bubble => store[bubble.id] || bubble.remove());
    for (const {name, room, text, refused} of outbox()) {
      if (room !== roomId() || byId(name)) continue;
      const bubble = byId('pending').content.firstElementChild.cloneNode(true);
      bubble.id = name;
      bubble.querySelector('.text').textContent = text;
      bubble.querySelector('.why').textContent = refused;
      byId('messages').append(bubble);
    }
  };
  const change = (name, item) => { store[name] = JSON.stringify(item); showOutbox(name); };
  // Whether somebody else has signed in, in another tab.
  const isAnother = () => store.user !== me && !reload();
  let sending, sent = 0, failed = 0, due = 0, typedAt = 0;
  const flush = () => {
    due = sending ? 0 : Infinity;
    sending ??= (locks ? locks.request('outbox', deliver) : deliver()).finally(() => sending = null);
  };
  const deliver = async () => {
    const item = outbox().find(({refused}) => !refused);
    if (!item || isAnother()) return;
    const {name, room, text} = item;
    const {status, headers, words} = await ask(`/rooms/${room}/messages`, {key: name, body: text});
    // Only this says stored: a network's own pages say 200, too.
    if (headers?.has('x-seq')) {
      delete store[name];
      if (room === roomId()) byId('newer') ? byId('jump').click() : await htmx.swap({sourceElement: byId('composer'), swap: 'none', text: words});
    } else if (/^4(?!01|08|25|29)/.test(status)) {
      const why = new DOMParser().parseFromString(words, 'text/html').querySelector('[data-error]');
      change(name, {...item, refused: why?.textContent || 'Error ' + status});
    } else return due = now() + backoff(failed++);
    failed = 0;
    return deliver();
  };
  on('submit', event => {
    const {target} = event, box = byId('composer-body');
    if (target.id === 'composer') event.preventDefault();
    if (target.id !== 'composer' || !box.value.trim()) return;
    change(`out-${me}-${target.key.value}-${++sent}`, {room: roomId(), text: box.value, at: now() + sent / 1e6});
    box.value = store[draft()] = byId('composer-error').textContent = '';
    byId('log').scrollTop = typedAt = 0;
    flush();
  });
  on('storage', ({key}) => {
    if (!isAnother() && key?.startsWith('out-')) showOutbox(key), flush();
  });

  on('htmx:config:request', () => byId('notice')?.replaceChildren());
  on('htmx:after:request', ({detail: {ctx}}) => {
    if (ctx.sourceElement.id === 'theme') reload();
    // A proxy's words are not shown.
    if (ctx.response.status >= 400 && !ctx.text.includes('data-error')) ctx.text = '';
  });

  // The log is a reversed column: its end is scrollTop 0, above it is negative.
  const atEnd = () => byId('log')?.scrollTop > -100;
  const showJump = added => {
    const count = byId('jump-count'), end = byId('jump').hidden = atEnd();
    count.textContent = count.dataset.count = end ? 0 : +count.dataset.count + added;
  };
  // Answers and live frames come in any order: what is older than what stands here is dropped, and so is
  // what belongs to pages that are not loaded, for it would hide a hole. Returns how many messages are new.
  const sift = (fragment, source) => {
    const known = messages();
    const from = byId('older') ? known[0]?.dataset.seq - 0.5 : 0, to = byId('newer') ? known.at(-1)?.dataset.seq : Infinity;
    let added = 0;
    for (const item of [...fragment.children]) {
      const {seq, rev} = item.dataset, here = byId(item.id);
      const newer = rev && here ? rev - here.dataset.rev : 1;
      if (newer < 0 || (!newer && !here.contains(source)) || seq < from || seq > to) item.remove();
      else if (rev && !here && !item.matches('.mine')) added++;
    }
    return added;
  };

  // How things stand before a swap, to be put back after it.
  let held, shown;
  on('htmx:before:swap', event => {
    const {ctx, tasks} = event.detail;
    const anchor = messages().find(item => item.getBoundingClientRect().bottom > top(byId('log')));
    held ??= {added: 0, end: atEnd(), anchor: anchor?.id, top: top(anchor), focus: document.activeElement};
    for (const task of [...tasks]) {
      const {style} = task.swapSpec;
      if (task.target === '#messages') held.added += sift(task.fragment, ctx.sourceElement);
      // A row that is there already is changed in place: a press on it, half done, still counts.
      else if (style === 'upsert') for (const row of [...task.fragment.children]) {
        const fragment = new DocumentFragment(), target = byId(row.id);
        if (target) fragment.append(row), tasks.push({...task, fragment, target, swapSpec: {style: 'outerMorph'}});
      }
      // So much was missed that the newest page comes afresh: who reads further up gets that place afresh instead.
      else if (style === 'innerHTML' && task.target?.id === 'messages' && (byId('newer') || !atEnd())) {
        event.preventDefault();
        location = '?at=' + anchor.dataset.seq;
      }
    }
  });
  on('htmx:finally:swap', () => {
    if (!held) return;
    const {added, end, anchor, focus, ...was} = held, log = byId('log');
    held = null;
    tidy();
    if (!touch && !focus.isConnected && document.activeElement === document.body) byId('composer-body')?.focus({preventScroll: true});
    if (byId('live') !== shown) return opened();
    if (!log) return;
    if (end) log.scrollTop = 0;
    else if (byId(anchor)) log.scrollTop += top(byId(anchor)) - was.top;
    showJump(added);
    markRead();
  });

  // Who is here; what waits; ticks, by the room's floors; the lobby: order, open room, people who became chats, filter.
  const tidy = () => {
    const {people} = byId('here')?.dataset || {};
    if (people) all('.presence').forEach(dot => dot.toggleAttribute('data-online', people.includes(` ${dot.id.slice(9)} `))), delete byId('here').dataset.people;
    showOutbox();
    const {delivered, read} = byId('floors')?.dataset || {};
    for (const {dataset, id} of all('#messages .ticks[data-counts]')) {
      const seq = +id.slice(6);
      if (seq <= read && dataset.counts !== 'delivered') dataset.state = 'read';
      else if (seq <= delivered && dataset.state === 'sent') dataset.state = 'delivered';
    }
    for (const list of all('#lists ul')) [...list.children].sort((a, b) => b.dataset.sort - a.dataset.sort).forEach((row, i) => {
      if (list.children[i] !== row) (list.moveBefore || list.insertBefore).call(list, row, list.children[i]);
    });
    all('[data-person]').forEach(row => byId('person-' + row.dataset.person)?.remove());
    all('#lists li > a').forEach(link => link.ariaCurrent = link.parentNode.id === 'room-' + roomId() ? 'page' : null);
    const words = byId('filter')?.value.trim().toLowerCase();
    all('#lists li').forEach(row => row.hidden = !row.querySelector('.row-name').textContent.toLowerCase().includes(words));
  };
  // A conversation has come, with the page or by a swap.
  const opened = () => {
    shown = byId('live');
    closeMenus();
    all('.new-room').forEach(form => form.reset());
    if (!roomId()) return;
    read[roomId()] = -1;
    const box = byId('composer-body'), at = byId('message-' + byId('messages').dataset.at);
    box.value ||= store[draft()] || '';
    at?.setAttribute('data-found', '');
    (at || byId('divider'))?.scrollIntoView({block: at ? 'center' : 'start'});
    if (!touch) box.focus({preventScroll: true});
    showJump(0);
    markRead();
  };
  // Read means in front of somebody's eyes; said at most once a second.
  let read = {}, readAt = 0, readTimer;
  const markRead = () => readTimer ||= setTimeout(async () => {
    readTimer = 0;
    const room = roomId(), seq = +(messages().at(-1)?.dataset.seq || 0), before = read[room];
    if (!(seq > before) || (before >= 0 && !atEnd()) || !document.hasFocus()) return;
    read[room] = seq;
    readAt = now();
    const {status} = await ask(`/rooms/${room}/read`, {seq: seq || 1});
    if (status !== 204) read[room] = before;
  }, readAt + 1000 - now());
  on('scroll', ({target}) => target.id === 'log' && (showJump(0), markRead()));

  // The live connection. htmx holds it and swaps what comes, but its own retries are off: it cannot know when to hurry,
  // that an open line is dead, or that another way is due. To process #live anew drops what is there, dead or not, and
  // connects; `next` is when that is due: after a backoff, after too long a silence, never while parked.
  let state, next = Infinity, tries = 0, blocked = 0;
  const turn = (to, wait) => { state = to; next = now() + wait; tick(); };
  const tick = () => {
    if (!shown) return;
    byId('status').dataset.state = state;
    byId('status-wait').textContent = Math.ceil((next - now()) / 1000);
    if (now() > next || (state === 'sse' && !overSse())) state === 'connecting' ? lost() : connect();
    if (now() > due) flush();
  };
  const connect = () => htmx.process(shown, true);
  const hurry = () => { tries = 0; connect(); };
  // Events for ten minutes, if sockets failed twice though the server answers, and none ever opened here.
  const overSse = () => now() - sessionStorage.sse < 600000;
  const lost = async () => {
    const opening = state === 'connecting';
    if (state !== 'parked') turn('offline', backoff(tries++));
    if (opening && (await ask('/live/session')).status === 204 && !overSse() && ++blocked > 1) sessionStorage.sse = now();
  };
  // Every connection resumes where the page stands.
  on('htmx:ws:before:connection', event => {
    const {connection} = event.detail, url = new URL(connection.url);
    for (const {dataset} of all('#cursor, #lobby-cursor')) for (const name in dataset) url.searchParams.set(name, dataset[name]);
    connection.url = url;
    turn('connecting', 15000);
    if (!overSse()) return;
    event.preventDefault();
    htmx.ajax('GET', '/live/events' + url.search, {source: '#live'});
  });
  for (const [way, message] of [['ws', 'message:incoming'], ['sse', 'message']]) {
    on(`htmx:${way}:after:connection`, () => {
      if (way === 'ws') blocked = -Infinity;
      tries = failed = 0;
      turn(way, 45000);
      flush();
    });
    // One's own message may overtake the answer to its sending: it waits a moment, or it would stand there twice.
    on(`htmx:${way}:before:${message}`, ({detail}) => {
      next = now() + 45000;
      if (sending && detail.message.data.includes('message mine')) detail.waitUntil(Promise.race([sending, htmx.timeout(1000)]));
    });
  }
  on('htmx:ws:close', ({detail: {code}}) => code === 1008 ? reload() : code && lost());
  on('htmx:finally:request', ({detail: {ctx}}) => ctx.sourceElement.id === 'live' && !ctx.request.signal.aborted && lost());
  on('parked', () => turn('parked', Infinity));
  on('ask', ({detail: {data}}) => ask('/live/received', {connection: data.split(' ')[0], number: data.split(' ')[1]}));
  window.ononline = hurry;
  window.onfocus = document.onvisibilitychange = () => {
    if (state === 'offline' || state === 'parked') hurry();
    if (+byId('unread-' + roomId())?.dataset.count) read[roomId()] = -1;
    markRead();
  };
  // A page that comes back from the browser's own cache may be another person's by now.
  window.onpageshow = ({persisted}) => persisted && reload();

  const closeMenus = inside => all('.menu[open]').forEach(menu => {
    menu.open = menu.contains(inside);
    if (!inside) menu.querySelector('summary').focus();
  });
  const closeInfo = () => {
    const close = document.querySelector('#info [data-close]');
    if (close) byId('info').replaceChildren(), byId('ticks-' + close.href.split('at=')[1])?.focus();
  };
  on('keydown', event => {
    const box = event.target.closest('#composer-body, .edit textarea');
    if (event.key === 'Enter' && box && !event.shiftKey && !event.isComposing && event.keyCode !== 229 && !touch) {
      event.preventDefault();
      if (box.value.trim()) box.form.requestSubmit();
    }
    if (event.key === 'Escape') box?.form.querySelector('[data-cancel]')?.click(), closeMenus(), closeInfo();
  });
  on('input', ({target}) => {
    if (target.id === 'filter') tidy();
    if (target.id !== 'composer-body') return;
    store[draft()] = target.value;
    if (target.value.trim() && now() - typedAt > 3000) typedAt = now(), ask(`/rooms/${roomId()}/typing`, {});
  });
  on('focusin', ({target}) => target.matches('.edit textarea') && target.setSelectionRange(1e5, 1e5));
  on('click', event => {
    const within = css => event.target.closest(css);
    const {name, ...item} = outbox().find(({name}) => name === within('.pending')?.id) || {};
    closeMenus(within('a.item') ? null : event.target);
    if (within('[data-retry]')) change(name, {...item, refused: ''}), flush();
    if (within('[data-drop]')) delete store[name], showOutbox();
    if (within('#try-now')) hurry();
    if (within('#info [data-close]')) event.preventDefault(), closeInfo();
    if (within('#jump') && !byId('newer')) event.preventDefault(), byId('log').scrollTo({top: 0, behavior: 'smooth'});
  });
  on('toggle', ({target}) => {
    if (target.open) target.querySelector('input')?.focus();
    if (target.open && target.closest('.message')) target.querySelector('.sheet, form').scrollIntoView({block: 'nearest'});
  });

  on('DOMContentLoaded', () => {
    store.user = me;
    if (root.dataset.tz !== zone && sessionStorage.tz !== zone) return sessionStorage.tz = zone, reload();
    tidy();
    opened();
    flush();
    setInterval(tick, 1000);
  });
})();
