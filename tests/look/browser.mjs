// A browser for the scripts of this folder, and the people of the demo who sit in front of it.
import {createRequire} from 'node:module';
import {pathToFileURL} from 'node:url';

export const [folder, url] = process.argv.slice(2);
const require = createRequire(`${folder}/package.json`);

/** A package that npm has put into the folder. */
export const load = async name => (await import(pathToFileURL(require.resolve(name)))).default;

const puppeteer = await load('puppeteer-core');
export const browser = await puppeteer.launch({
  executablePath: process.env.CHROME_PATH,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
    // A mouse lies beside this machine.
    '--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4'],
});

/** Signs somebody in on this page. */
export const signIn = async (page, name) => {
  await page.goto(`${url}/signin`);
  await page.type('[name=username]', name);
  await page.type('[name=password]', 'tertulia-demo');
  await Promise.all([page.waitForNavigation(), page.click('form button')]);
};
