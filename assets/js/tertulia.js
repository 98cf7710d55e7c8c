// What the server cannot know: scroll, focus, visibility, drafts, the time zone. Builds no HTML;
// behaves by id and data-*. Listens on the document, because everything below it is swapped.
(() => {
  'use strict';
  const root = document.documentElement;
  const touch = matchMedia('(pointer: coarse)');
  const byId = id => document.getElementById(id);
  const all = selector => [...document.querySelectorAll(selector)];
  const on = (names, act) => names.split(' ').forEach(name => document.addEventListener(name, act));
  const roomId = () => byId('conversation')?.dataset.room;
  const messages = () => all('#messages > .message');
  root.dataset.script = '';

  // Time zone. The server writes days and times, so it is told once, before anything is shown.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
  document.cookie = `tz=${zone}; path=/; max-age=31536000; samesite=lax`;
  const zoneIsWrong = () => byId('app') && root.dataset.tz !== zone && sessionStorage.getItem('tz') !== zone;

  // Drafts, per room: a list whose first entry is what stands in the composer. Behind it wait
  // messages that could not be sent; each keeps its key, so that sending it again is the same message.
  const drafts = room => JSON.parse(sessionStorage.getItem(`drafts-${room}`) || '[]');
  const keepDrafts = (room, list) => {
    if (list.length === 1 && !list[0].text) list = [];
    sessionStorage.setItem(`drafts-${room}`, JSON.stringify(list));
  };
  const showDraft = () => {
    const box = byId('composer-body');
    if (box) box.value = drafts(roomId())[0]?.text ?? box.value;
  };
  const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), n => n.toString(16).padStart(2, '0')).join('');

  const send = (event, ctx) => {
    const sent = ctx.sent = {room: roomId(), text: ctx.request.body.get('body')};
    if (!sent.text.trim()) return event.preventDefault();
    const list = drafts(sent.room);
    sent.key = list.shift()?.key || newKey();
    ctx.request.body.set('key', sent.key);
    keepDrafts(sent.room, list);
    byId('composer-body').value = '';
    byId('composer-error').replaceChildren();
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
    byId('composer-failed').hidden = Boolean(ctx.text);
  };

  on('htmx:config:request', event => {
    const {ctx} = event.detail;
    byId('notice')?.replaceChildren();
    if (ctx.sourceElement.id === 'composer') send(event, ctx);
  });
  on('htmx:after:request', ({detail: {ctx}}) => {
    if (ctx.sourceElement.id === 'theme' && ctx.response.status < 300) {
      root.dataset.theme = ctx.request.body.get('theme');
      all('#theme button').forEach(button => button.ariaPressed = button.value === root.dataset.theme);
    }
    if (ctx.response.status < 400) return;
    // Not our own words (a proxy's error page, say): show nothing of it.
    if (ctx.request.headers['HX-Request-Type'] === 'partial' && !ctx.text.includes('data-error')) ctx.text = '';
    if (ctx.sent) sendFailed(ctx);
  });
  on('htmx:error', ({detail: {ctx}}) => {
    if (ctx?.sent && !ctx.response) sendFailed(ctx);
  });

  // Scroll. The log is a reversed column: its end is scrollTop 0, above it is negative.
  const atEnd = () => byId('log')?.scrollTop > -100;
  const showJump = () => {
    const jump = byId('jump');
    if (!jump) return;
    jump.hidden = atEnd();
    if (jump.hidden) countNew(0);
  };
  const countNew = count => {
    byId('jump-count').textContent = count;
    byId('jump-count').dataset.count = count;
  };

  // Swaps. Answers and live frames may come in any order: what is older than what stands here is dropped,
  // and so is what belongs to pages that are not loaded, for it would hide a hole.
  const sift = (fragment, source) => {
    const known = messages();
    const from = byId('older') ? known[0]?.dataset.seq - 0.5 : -Infinity;
    const to = byId('newer') ? known.at(-1)?.dataset.seq : Infinity;
    let added = 0;
    for (const item of [...fragment.children]) {
      const {seq, rev} = item.dataset;
      const now = byId(item.id);
      const newer = rev && now ? rev - now.dataset.rev : 1;
      if (newer < 0 || (newer === 0 && !now.contains(source)) || seq < from || seq > to) item.remove();
      else if (rev && !now) added = item.matches('.mine') ? Infinity : added + 1;
    }
    return added;
  };

  let held = null;
  const hold = () => {
    const focus = document.activeElement;
    const top = byId('log')?.getBoundingClientRect().top;
    const anchor = messages().find(item => item.getBoundingClientRect().bottom > top);
    return {
      added: 0, end: atEnd(), anchor: anchor?.id, top: anchor?.getBoundingClientRect().top, lists: byId('lists')?.scrollTop,
      focus, holder: focus.closest('[id]')?.id, tag: focus.localName, filter: byId('filter')?.value,
    };
  };

  on('htmx:before:swap', ({detail: {ctx, tasks}}) => {
    held ??= hold();
    for (const task of tasks) if (task.target === '#messages') held.added += sift(task.fragment, ctx.sourceElement);
  });
  on('htmx:finally:swap', () => {
    if (!held) return;
    const was = held;
    held = null;
    tidy();
    if (!was.focus.isConnected && document.activeElement === document.body) {
      const holder = byId(was.holder);
      const again = holder?.localName === was.tag ? holder : holder?.querySelector(was.tag);
      (again || (touch.matches ? null : byId('composer-body')))?.focus({preventScroll: true});
    }
    if (byId('conversation') !== shown) return open(was);
    const log = byId('log');
    if (!log) return;
    if (was.end || was.added === Infinity) log.scrollTop = 0;
    else if (byId(was.anchor)) log.scrollTop += byId(was.anchor).getBoundingClientRect().top - was.top;
    if (!atEnd()) countNew(+byId('jump-count').dataset.count + was.added);
    showJump();
    markRead();
  });

  // The lobby: order, the open room, people who became chats, the filter.
  const tidy = () => {
    for (const list of all('#lists ul')) {
      const rows = [...list.children].sort((a, b) => b.dataset.sort - a.dataset.sort);
      rows.forEach((row, i) => {
        if (list.children[i] !== row) (list.moveBefore || list.insertBefore).call(list, row, list.children[i]);
      });
    }
    all('#chats [data-person]').forEach(row => byId(`person-${row.dataset.person}`)?.remove());
    all('#lists li a').forEach(link => {
      if (link.closest('li').id === `room-${roomId()}`) link.ariaCurrent = 'page'; else link.ariaCurrent = null;
    });
    filter();
  };
  const filter = () => {
    const words = byId('filter')?.value.trim().toLowerCase();
    byId('lists')?.toggleAttribute('data-filtering', Boolean(words));
    all('#lists li').forEach(row => row.hidden = !row.querySelector('.row-name').textContent.toLowerCase().includes(words));
  };

  // A conversation has come into the page, with the page or by a swap.
  let shown = null;
  const open = was => {
    shown = byId('conversation');
    if (!shown) return;
    if (was?.filter && byId('filter')) { byId('filter').value = was.filter; filter(); }
    if (was?.lists && byId('lists')) byId('lists').scrollTop = was.lists;
    all('details.menu[open]').forEach(menu => menu.open = false);
    all('.new-room').forEach(form => form.reset());
    if (!roomId()) return;
    read[roomId()] = 0;
    showDraft();
    const at = byId(`message-${byId('messages').dataset.at}`);
    at?.setAttribute('data-found', '');
    if (at) at.scrollIntoView({block: 'center'});
    else byId('divider')?.scrollIntoView();
    if (!touch.matches) byId('composer-body').focus({preventScroll: true});
    showJump();
    markRead();
  };

  // Read: when the room is in front of somebody's eyes, at most once a second.
  const read = {};
  let readAt = 0, readTimer = 0;
  const markRead = () => {
    readTimer ||= setTimeout(async () => {
      readTimer = 0;
      const room = roomId(), seq = +messages().at(-1)?.dataset.seq;
      if (!room || !(seq > read[room]) || (read[room] && !atEnd()) || document.hidden || !document.hasFocus()) return;
      const before = read[room];
      read[room] = seq;
      readAt = Date.now();
      const answer = await fetch(`/rooms/${room}/read`, {method: 'POST', body: new URLSearchParams({seq}), headers: {'HX-Request': 'true'}, keepalive: true}).catch(() => null);
      if (answer?.status === 401) location.assign('/signin');
      else if (!answer?.ok) read[room] = before;
    }, Math.max(0, readAt + 1000 - Date.now()));
  };

  // The live connection: where to resume, and how it is.
  let waiting = 0;
  on('htmx:ws:before:connection', ({detail: {connection}}) => {
    const url = new URL(connection.url);
    for (const id of ['cursor', 'lobby-cursor']) {
      for (const [name, value] of Object.entries(byId(id)?.dataset || {})) url.searchParams.set(name, value);
    }
    connection.url = url.href;
  });
  on('htmx:ws:before:connection htmx:ws:close', ({detail: {code}}) => {
    if (code === 1008 || code === 4401) location.assign('/signin');
    waiting ||= setTimeout(() => byId('status').hidden = false, 2000);
  });
  on('htmx:ws:after:connection', () => {
    clearTimeout(waiting);
    waiting = 0;
    byId('status').hidden = true;
  });

  // Keys and clicks.
  on('keydown', event => {
    const box = event.target.closest('#composer-body, .edit textarea');
    if (event.key === 'Enter' && box && !event.shiftKey && !event.isComposing && event.keyCode !== 229 && !touch.matches) {
      event.preventDefault();
      if (box.value.trim()) box.form.requestSubmit();
    }
    if (event.key !== 'Escape') return;
    box?.form.querySelector('[data-cancel]')?.click();
    all('details.menu[open]').forEach(menu => {
      menu.open = false;
      menu.querySelector('summary').focus();
    });
  });
  on('input', ({target}) => {
    if (target.id === 'filter') filter();
    if (target.id === 'composer-body') keepDrafts(roomId(), [{text: target.value}, ...drafts(roomId()).slice(1)]);
  });
  on('focusin', ({target}) => {
    if (target.matches('.edit textarea')) target.setSelectionRange(target.value.length, target.value.length);
  });
  on('click', event => {
    all('details.menu[open]').forEach(menu => menu.open = menu.contains(event.target));
    if (event.target.closest('a[href="#new-room-name"]')) {
      event.preventDefault();
      byId('new-room').open = true;
    }
    if (event.target.closest('#jump') && !byId('newer')) {
      event.preventDefault();
      byId('log').scrollTo({top: 0, behavior: 'smooth'});
    }
  });
  document.addEventListener('toggle', ({target}) => {
    if (!target.open) return;
    target.querySelector('input')?.focus();
    if (target.closest('.message')) target.querySelector('.sheet, form')?.scrollIntoView({block: 'nearest'});
  }, true);
  document.addEventListener('scroll', ({target}) => {
    if (target.id !== 'log') return;
    showJump();
    if (atEnd()) markRead();
  }, {capture: true, passive: true});
  window.addEventListener('focus', markRead);
  on('visibilitychange', markRead);
  // A page that comes back from the browser's own cache has lost its connection for good.
  window.addEventListener('pageshow', event => event.persisted && location.reload());

  on('DOMContentLoaded', () => {
    if (zoneIsWrong()) {
      sessionStorage.setItem('tz', zone);
      return location.reload();
    }
    tidy();
    open();
  });
})();
