// What the server cannot know: scroll, focus, visibility, drafts, the time zone. Builds no HTML; behaves by id
// and data-*. It listens on the document, because what is below is swapped.
(() => {
  'use strict';
  const root = document.documentElement;
  const touch = matchMedia('(pointer: coarse)').matches;
  const byId = id => document.getElementById(id);
  const all = selector => [...document.querySelectorAll(selector)];
  const on = (name, act, target = document) => target.addEventListener(name, act, true);
  const roomId = () => byId('conversation')?.dataset.room;
  const messages = () => all('#messages > .message');
  const top = item => item?.getBoundingClientRect().top;
  root.dataset.script = '';

  // The server writes days and times in this zone; it is told before anything is shown.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
  document.cookie = `tz=${zone}; path=/; max-age=31536000; samesite=lax`;

  // Drafts of a room: the first stands in the composer, behind it wait messages that could not be sent.
  // What was sent once keeps its key, so that sending it again is the same message.
  const drafts = room => JSON.parse(sessionStorage.getItem('drafts-' + room) || '[]');
  const keepDrafts = (room, list) => sessionStorage.setItem('drafts-' + room, JSON.stringify(list));
  const showDraft = () => {
    const draft = drafts(roomId())[0];
    if (draft) byId('composer-body').value = draft.text;
  };

  const send = (event, ctx) => {
    const {body} = ctx.request;
    const [room, text] = [roomId(), body.get('body')];
    if (!text.trim()) return event.preventDefault();
    const list = drafts(room);
    const key = list.shift()?.key || Array.from(crypto.getRandomValues(new Uint8Array(16)), n => n.toString(16).padStart(2, 0)).join('');
    ctx.sent = {room, text, key};
    body.set('key', key);
    keepDrafts(room, list);
    byId('composer-body').value = '';
    typedAt = 0;
    byId('composer-error').textContent = '';
    byId('composer-failed').hidden = true;
    showDraft();
  };
  const sendFailed = ctx => {
    const {room, text, key} = ctx.sent;
    const list = drafts(room);
    if (list[0]?.text) list.push({text, key}); else list[0] = {text, key};
    keepDrafts(room, list);
    if (room !== roomId()) return;
    showDraft();
    byId('composer-failed').hidden = !!ctx.text;
  };

  on('htmx:config:request', event => {
    const {ctx} = event.detail;
    byId('notice')?.replaceChildren();
    if (ctx.sourceElement.id === 'composer') send(event, ctx);
  });
  on('htmx:after:request', ({detail: {ctx}}) => {
    const {request, response} = ctx;
    if (ctx.sourceElement.id === 'theme' && response.status < 300) {
      const theme = root.dataset.theme = request.body.get('theme');
      all('#theme button').forEach(button => button.ariaPressed = button.value === theme);
    }
    if (response.status < 400) return;
    // Another's words, a proxy's error page say, are not shown.
    if (request.headers['HX-Request-Type'] === 'partial' && !ctx.text.includes('data-error')) ctx.text = '';
    if (ctx.sent) sendFailed(ctx);
  });
  on('htmx:error', ({detail: {ctx}}) => ctx?.sent && !ctx.response && sendFailed(ctx));

  // The log is a reversed column: its end is scrollTop 0, above it is negative.
  const atEnd = () => byId('log')?.scrollTop > -100;
  const showJump = added => {
    const [jump, count] = [byId('jump'), byId('jump-count')];
    jump.hidden = atEnd();
    count.textContent = count.dataset.count = jump.hidden ? 0 : +count.dataset.count + added;
  };

  // Answers and live frames come in any order: what is older than what stands here is dropped, and so is
  // what belongs to pages that are not loaded, for it would hide a hole. Returns how many messages are new.
  const sift = (fragment, source) => {
    const known = messages();
    const from = byId('older') ? known[0]?.dataset.seq - 0.5 : 0;
    const to = byId('newer') ? known.at(-1)?.dataset.seq : Infinity;
    let added = 0;
    for (const item of [...fragment.children]) {
      const {seq, rev} = item.dataset;
      const now = byId(item.id);
      const newer = rev && now ? rev - now.dataset.rev : 1;
      if (newer < 0 || (!newer && !now.contains(source)) || seq < from || seq > to) item.remove();
      else if (rev && !now) added += item.matches('.mine') ? Infinity : 1;
    }
    return added;
  };

  // How things stand before a swap, to be put back after it.
  let held, shown;
  on('htmx:before:swap', ({detail: {ctx, tasks}}) => {
    const focus = document.activeElement;
    const anchor = messages().find(item => item.getBoundingClientRect().bottom > top(byId('log')));
    held ??= {added: 0, end: atEnd(), anchor: anchor?.id, top: top(anchor), focus, holder: focus.closest('[id]')?.id};
    for (const task of [...tasks]) {
      if (task.target === '#messages') held.added += sift(task.fragment, ctx.sourceElement);
      // A row that is there already is changed in place: a press on it, half done, still counts.
      else if (task.swapSpec.style === 'upsert') for (const row of [...task.fragment.children]) {
        const fragment = new DocumentFragment(), target = byId(row.id);
        if (target) fragment.append(row), tasks.push({...task, fragment, target, swapSpec: {style: 'outerMorph'}});
      }
    }
  });
  on('htmx:finally:swap', () => {
    if (!held) return;
    const {added, end, anchor, focus, holder, ...was} = held;
    held = null;
    tidy();
    if (!focus.isConnected && document.activeElement === document.body) {
      const again = byId(holder)?.querySelector(focus.localName) || (!touch && byId('composer-body'));
      if (again) again.focus({preventScroll: true});
    }
    if (byId('live') !== shown) return opened();
    const log = byId('log');
    if (!log) return;
    if (end || added === Infinity) log.scrollTop = 0;
    else if (byId(anchor)) log.scrollTop += top(byId(anchor)) - was.top;
    showJump(added);
    markRead();
  });

  // The lobby: its order, the open room, people who have become chats, the filter.
  const turnTicks = () => {
    const {delivered, read} = byId('floors')?.dataset || {};
    for (const ticks of all('#messages .ticks[data-counts]')) {
      const seq = +ticks.closest('li').dataset.seq;
      if (seq <= read) ticks.dataset.state = 'read';
      else if (seq <= delivered && ticks.dataset.state === 'sent') ticks.dataset.state = 'delivered';
    }
  };
  const tidy = () => {
    turnTicks();
    for (const list of all('#lists ul')) {
      [...list.children].sort((a, b) => b.dataset.sort - a.dataset.sort).forEach((row, i) => {
        if (list.children[i] !== row) (list.moveBefore || list.insertBefore).call(list, row, list.children[i]);
      });
    }
    all('[data-person]').forEach(row => byId('person-' + row.dataset.person)?.remove());
    all('#lists li > a').forEach(link => link.ariaCurrent = link.parentNode.id === 'room-' + roomId() ? 'page' : null);
    const words = byId('filter')?.value.trim().toLowerCase();
    byId('lists')?.toggleAttribute('data-filtering', !!words);
    all('#lists li').forEach(row => row.hidden = !row.querySelector('.row-name').textContent.toLowerCase().includes(words));
  };

  // A conversation has come, with the page or by a swap.
  const opened = () => {
    shown = byId('live');
    closeMenus();
    all('.new-room').forEach(form => form.reset());
    if (!roomId()) return;
    read[roomId()] = -1;
    showDraft();
    const at = byId('message-' + byId('messages').dataset.at);
    at?.setAttribute('data-found', '');
    (at || byId('divider'))?.scrollIntoView({block: at ? 'center' : 'start'});
    if (!touch) byId('composer-body').focus({preventScroll: true});
    showJump(0);
    markRead();
  };

  // Read means in front of somebody's eyes; said at most once a second.
  const read = {};
  let readAt = 0, readTimer;
  const markRead = () => {
    readTimer ||= setTimeout(async () => {
      readTimer = 0;
      const room = roomId(), seq = +(messages().at(-1)?.dataset.seq || 0), before = read[room];
      if (!(seq > before) || (before >= 0 && !atEnd()) || document.hidden || !document.hasFocus()) return;
      read[room] = seq;
      readAt = Date.now();
      const answer = await fetch(`/rooms/${room}/read`, {method: 'POST', body: new URLSearchParams({seq: seq || 1}), headers: {'HX-Request': 'true'}}).catch(() => 0);
      if (answer.status === 401) location = '/signin';
      else if (!answer.ok) read[room] = before;
    }, readAt + 1000 - Date.now());
  };
  on('focus', markRead, window);
  on('visibilitychange', markRead);
  on('scroll', ({target}) => {
    if (target.id !== 'log') return;
    showJump(0);
    if (atEnd()) markRead();
  });

  // The live connection: from where it resumes, and how it is.
  let waiting;
  const notLive = () => waiting ||= setTimeout(() => byId('status').hidden = false, 2000);
  on('htmx:ws:before:connection', ({detail: {connection}}) => {
    const url = new URL(connection.url);
    for (const id of ['cursor', 'lobby-cursor']) {
      for (const [name, value] of Object.entries(byId(id)?.dataset || {})) url.searchParams.set(name, value);
    }
    connection.url = url.href;
    notLive();
  });
  on('htmx:ws:after:connection', () => {
    waiting = clearTimeout(waiting);
    byId('status').hidden = true;
  });
  on('htmx:ws:close', ({detail: {code}}) => {
    if (code === 1008 || code === 4401) location = '/signin';
    notLive();
  });
  // A page that comes back from the browser's own cache has lost its connection for good.
  on('pageshow', event => event.persisted && location.reload(), window);

  const closeMenus = (inside, refocus) => all('.menu[open]').forEach(menu => {
    menu.open = menu.contains(inside);
    if (refocus) menu.querySelector('summary').focus();
  });
  on('keydown', event => {
    const box = event.target.closest('#composer-body, .edit textarea');
    if (event.key === 'Enter' && box && !event.shiftKey && !event.isComposing && event.keyCode !== 229 && !touch) {
      event.preventDefault();
      if (box.value.trim()) box.form.requestSubmit();
    }
    if (event.key !== 'Escape') return;
    box?.form.querySelector('[data-cancel]')?.click();
    closeMenus(null, true);
  });
  on('input', ({target}) => {
    if (target.id === 'filter') tidy();
    if (target.id === 'composer-body') typing(target), keepDrafts(roomId(), [{text: target.value}, ...drafts(roomId()).slice(1)]);
  });
  let typedAt = 0;
  const typing = box => {
    if (!box.value.trim() || Date.now() - typedAt < 3000) return;
    typedAt = Date.now();
    fetch(`/rooms/${roomId()}/typing`, {method: 'POST', headers: {'HX-Request': 'true'}}).catch(() => {});
  };
  on('focusin', ({target}) => target.matches('.edit textarea') && target.setSelectionRange(1e5, 1e5));
  on('click', event => {
    closeMenus(event.target);
    if (!event.target.closest('#jump') || byId('newer')) return;
    event.preventDefault();
    byId('log').scrollTo({top: 0, behavior: 'smooth'});
  });
  on('toggle', ({target}) => {
    if (!target.open) return;
    target.querySelector('input')?.focus();
    if (target.closest('.message')) target.querySelector('.sheet, form').scrollIntoView({block: 'nearest'});
  });

  on('DOMContentLoaded', () => {
    if (byId('app') && root.dataset.tz !== zone && sessionStorage.tz !== zone) {
      sessionStorage.tz = zone;
      return location.reload();
    }
    tidy();
    opened();
  });
})();
