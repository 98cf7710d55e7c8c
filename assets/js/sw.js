// Shows what the server wants said aloud, once for all tabs, and opens its room at a click. It keeps no pages.
addEventListener('install', () => skipWaiting());
addEventListener('activate', event => event.waitUntil(clients.claim()));

const pages = () => clients.matchAll({type: 'window', includeUncontrolled: true});

// Each tab passes on the same news, one after the other; what has been told is told no more, though it may be gone by now.
const told = {};
const show = async ({title, body, icon, tag, href, seq, badge}) => {
  // On the icon of an installed app.
  if (badge) return navigator.setAppBadge?.(+badge);
  const [shown] = await registration.getNotifications({tag});
  // It was read, here or elsewhere.
  if (!title) return shown?.close();
  if (!(seq > Math.max(told[tag] || 0, shown?.data.seq || 0))) return;
  told[tag] = seq;
  if (Notification.permission !== 'granted' || (await pages()).some(page => page.focused)) return;
  await registration.showNotification(title, {body, icon, tag, renotify: true, data: {href, seq}});
};
let turn = Promise.resolve();
addEventListener('message', event => {
  turn = turn.then(() => show(event.data)).catch(console.error);
  event.waitUntil(turn);
});

// The tab that shows the room already, or any, or a new one.
const open = async href => {
  const all = await pages(), there = all.find(page => new URL(page.url).pathname === href);
  const page = there || all[0];
  if (!page) return clients.openWindow(href);
  await page.focus().catch(() => {});
  if (!there) await page.navigate(href);
};
addEventListener('notificationclick', event => {
  event.notification.close();
  event.waitUntil(open(event.notification.data.href));
});
