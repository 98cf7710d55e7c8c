// A browser for the scripts of this folder, and the people of the demo who sit in front of it.
import {createRequire} from 'node:module';
import {pathToFileURL} from 'node:url';
import {directory, serve} from './server.mjs';

export const folder = process.argv[2];
const require = createRequire(`${folder}/package.json`);

/** A file of a package that npm has put into the folder. */
export const load = name => import(pathToFileURL(require.resolve(name)));

/** Where the demo is served. */
export const url = await serve('demo');

const {default: puppeteer} = await load('puppeteer-core');
export const browser = await puppeteer.launch({
  executablePath: process.env.CHROME_PATH,
  userDataDir: directory(),
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
    // A mouse lies beside this machine.
    '--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4'],
});

/** Signs somebody in on this page. */
export const signIn = async (page, name, home = url) => {
  await page.goto(`${home}/signin`);
  await page.type('[name=username]', name);
  await page.type('[name=password]', 'tertulia-demo');
  await Promise.all([page.waitForNavigation(), page.click('form button')]);
};
