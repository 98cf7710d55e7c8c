// Takes the pictures of every page, in the light and in the dark, on a desk and on a phone, with few colours so that they
// stay small; the README shows some, pictures.md all.
import {writeFile} from 'node:fs/promises';
import {browser, load, signIn, url} from './browser.mjs';
import {serve} from './server.mjs';

const COLOURS = 64;
const MOST = 60_000;
const SCREENS = {wide: {width: 1280, height: 800}, phone: {width: 390, height: 844, isMobile: true, hasTouch: true}};
const THEMES = ['light', 'dark'];

const {default: UPNG} = await load('upng-js');
const somebody = async () => (await browser.createBrowserContext()).newPage();
const [ada, ben, carla, nobody, first] = await Promise.all([1, 2, 3, 4, 5].map(somebody));
const empty = await serve();

const keep = async (page, name) => {
  const {width, height, ...image} = UPNG.decode(await page.screenshot({type: 'png'}));
  const small = Buffer.from(UPNG.encode(UPNG.toRGBA8({width, height, ...image}), width, height, COLOURS));
  if (small.length > MOST) throw new Error(`${name} has ${small.length} bytes`);
  await writeFile(new URL(`${name}.png`, import.meta.url), small);
};
const live = page => page.waitForSelector('#status[data-state=ws]');
const sees = css => page => page.waitForSelector(css);

await Promise.all([signIn(ada, 'ada'), signIn(ben, 'ben'), signIn(carla, 'carla')]);
await ben.goto(`${url}/rooms/1`);
await live(ben);
await first.goto(`${empty}/signup`);
await first.type('[name=username]', 'ada');
await first.type('[name=password]', 'tertulia-demo');
await Promise.all([first.waitForNavigation(), first.click('form button')]);

const types = async page => {
  await live(page);
  await page.waitForSelector('#messages .ticks[data-state=delivered]');
  const keys = setInterval(() => ben.type('#composer-body', '.'), 1000);
  await page.waitForSelector('#typing:not(:empty)');
  clearInterval(keys);
};
const asks = async page => {
  await live(page);
  await page.click('#messages > li.mine:last-of-type .ticks');
  await page.waitForSelector('.info .receipt');
};
const unread = async page => {
  await live(page);
  await page.$$eval('#messages form[action$="/unread"] button', buttons => buttons.at(-2).click());
  await page.waitForSelector('#conversation:not([data-room])');
  await page.click('#room-4 > a');
  await page.waitForSelector('#divider');
  await live(page);
};

const PAGES = [
  ['signup', nobody, `${url}/signup`, sees('form')],
  ['signin', nobody, `${url}/signin`, sees('form')],
  ['empty', first, `${empty}/`, live],
  ['lobby', ada, `${url}/`, live],
  ['room', ada, `${url}/rooms/1`, types],
  ['unread', ada, `${url}/rooms/4`, unread],
  ['info', ada, `${url}/rooms/1`, asks],
  ['settings', ada, `${url}/settings`, sees('form')],
  ['connections', ada, `${url}/admin/connections`, sees('tbody th')],
  ['error', ada, `${url}/rooms/99`, sees('.error-status')],
];
for (const [name, page, address, ready] of PAGES) {
  for (const [screen, viewport] of Object.entries(SCREENS)) {
    for (const theme of THEMES) {
      await page.setViewport(viewport);
      await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value: theme}, {name: 'prefers-reduced-motion', value: 'reduce'}]);
      await page.goto(address);
      await ready(page);
      await keep(page, `${name}-${screen}-${theme}`);
    }
  }
  console.log(name);
}
process.exit();
