// Walks through the chat in WebKit, the engine of every browser on an iPhone, in one pane and in two: what hangs, opens out
// of sight or swallows a key there does so nowhere else. Needs WebKitWebDriver with its MiniBrowser, and Xvfb.
import {spawn} from 'node:child_process';
import {directory, freePort, serve} from './server.mjs';

const PATIENCE = 30_000;
const NARROW = 500, WIDE = 1280;
const KEYS = {Control: '\uE009', Escape: '\uE00C'};
const DISPLAY = ':83';

const [url, port, binary] = [await serve('demo'), await freePort(), process.env.MINIBROWSER];
const started = (...command) => {
  const child = spawn(command[0], command.slice(1), {env: {...process.env, DISPLAY, HOME: directory(),
    // Root may not use it; what is shown is our own.
    WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1', LIBGL_ALWAYS_SOFTWARE: '1'}});
  process.on('exit', () => child.kill());
};
const pause = time => new Promise(done => setTimeout(done, time));
started('Xvfb', DISPLAY, '-screen', '0', '1400x1000x24');
started('WebKitWebDriver', `--port=${port}`);

const asks = async (method, path, fields) => {
  const body = fields && JSON.stringify(fields);
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {method, body, signal: AbortSignal.timeout(PATIENCE)});
  const {value} = await answer.json();
  if (value?.error) throw new Error(`${value.error}: ${value.message}`);
  return value;
};
const until = async (what, holds) => {
  for (const end = Date.now() + PATIENCE; Date.now() < end; await pause(100)) {
    const held = await holds();
    if (held) return held;
  }
  throw new Error(`it never came to be that ${what}`);
};
const options = {alwaysMatch: {'webkitgtk:browserOptions': {binary, args: ['--automation']}}};
const {sessionId} = await until('the driver listens', () => asks('POST', '/session', {capabilities: options}).catch(() => 0));
const does = (path, fields) => asks('POST', `/session/${sessionId}${path}`, fields);
const finds = script => does('/execute/sync', {script: `return ${script}`, args: []});
const waits = script => until(script, () => finds(script));
const isWide = async width => {
  await does('/window/rect', {x: 0, y: 0, width, height: 900});
  await waits(`innerWidth === ${width}`);
};
const clicks = async css => {
  const origin = await does('/element', {using: 'css selector', value: css});
  const actions = [{type: 'pointerMove', origin, x: 0, y: 0}, {type: 'pointerDown', button: 0}, {type: 'pointerUp', button: 0}];
  await does('/actions', {actions: [{type: 'pointer', id: 'mouse', parameters: {pointerType: 'mouse'}, actions}]});
};
const presses = async (...keys) => {
  const [down, up] = ['keyDown', 'keyUp'].map(type => keys.map(key => ({type, value: KEYS[key] ?? key})));
  await does('/actions', {actions: [{type: 'key', id: 'keys', actions: [...down, ...up.reverse()]}]});
};

const OPEN = "document.querySelector(':popover-open')";
const opensInSight = async css => {
  await clicks(css);
  await waits(`${OPEN} && getComputedStyle(${OPEN}).opacity === '1'`);
  const {left, right, bottom} = await finds(`${OPEN}.getBoundingClientRect()`);
  if (left < 0 || right > await finds('innerWidth') || bottom > await finds('innerHeight')) throw new Error(`${css} opens out of sight`);
  await presses('Escape');
  await waits(`!${OPEN}`);
};
const opensRoom = async room => {
  await clicks(`#room-${room} a`);
  await waits(`document.querySelector('#conversation').dataset.room === '${room}'`);
};

await does('/url', {url: `${url}/signin`});
await finds("document.querySelector('[name=username]').value = 'ada', document.querySelector('[name=password]').value = 'tertulia-demo', document.querySelector('form button').click()");
await waits("document.querySelector('#status')?.dataset.state === 'ws'");
await isWide(NARROW);
for (const sheet of ['account', 'notifications', 'new-room']) await opensInSight(`.bar [popovertarget=${sheet}]`);
await opensRoom(1);
for (const message of ['.mine', ':not(.mine)']) await opensInSight(`#messages > li:nth-last-child(1 of .message${message}) [popovertarget]`);
await presses('Control', 'k');
await waits(OPEN);
await presses('Escape');
await waits(`!${OPEN}`);
await clicks('.back');
await waits("getComputedStyle(document.querySelector('#lobby')).display !== 'none'");
await opensRoom(2);
// An open sheet goes with its pane.
await isWide(WIDE);
await clicks('[popovertarget=account]');
await waits(OPEN);
await isWide(NARROW);
await waits("getComputedStyle(document.querySelector('#lobby')).display === 'none'");
await asks('DELETE', `/session/${sessionId}`);
console.log('webkit · everything opens in sight, closes by Escape and goes with its pane');
process.exit();
