// Takes the pictures of the README from the demo, with few colours so that they stay small.
import {writeFile} from 'node:fs/promises';
import {browser, load, signIn, url} from './browser.mjs';

const COLOURS = 64;
const MOST = 80_000;
const WIDE = {width: 1280, height: 800}, PHONE = {width: 390, height: 780, deviceScaleFactor: 2, isMobile: true, hasTouch: true};

const UPNG = await load('upng-js');
const ada = await browser.newPage();
const [ben, carla] = await Promise.all([1, 2].map(async () => (await browser.createBrowserContext()).newPage()));

const keep = async name => {
  const {width, height, ...image} = UPNG.decode(await ada.screenshot({type: 'png'}));
  const small = Buffer.from(UPNG.encode(UPNG.toRGBA8({width, height, ...image}), width, height, COLOURS));
  if (small.length > MOST) throw new Error(`${name} has ${small.length} bytes`);
  await writeFile(new URL(`${name}.png`, import.meta.url), small);
  console.log(name, small.length);
};
const shows = async (path, viewport, theme) => {
  await ada.setViewport(viewport);
  await ada.emulateMediaFeatures([{name: 'prefers-color-scheme', value: theme}, {name: 'prefers-reduced-motion', value: 'reduce'}]);
  await ada.goto(url + path);
  await ada.waitForSelector('#status[data-state=ws]');
};

await signIn(ada, 'ada');
await signIn(ben, 'ben');
await signIn(carla, 'carla');
await ben.goto(`${url}/rooms/1`);
await shows('/rooms/1', WIDE, 'light');
await ada.waitForSelector('#messages .ticks[data-state=delivered]');
await ben.type('#composer-body', 'Has anybody seen the');
await ada.waitForSelector('#typing:not(:empty)');
await keep('room');
await ben.$eval('#composer-body', field => { field.value = ''; });
await shows('/rooms/4', WIDE, 'dark');
await keep('dark');
await shows('/rooms/1', WIDE, 'light');
await ada.click('#messages > li.mine:last-of-type .ticks');
await ada.waitForSelector('.info .receipt');
await keep('info');
await shows('/rooms/2', PHONE, 'light');
await keep('phone');
await browser.close();
