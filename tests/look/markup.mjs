// Holds the HTML of every page against the standard with the Nu HTML checker; what htmx adds is left out.
import {execFileSync} from 'node:child_process';
import {mkdtempSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {browser, folder, signIn, url} from './browser.mjs';

const OUTSIDE = ['/signin', '/signup'];
const INSIDE = ['/', '/rooms/1', '/rooms/2', '/rooms/4', '/rooms/1?at=3', '/rooms/1/messages/1/info',
  '/rooms/1/messages/1/edit', '/settings', '/admin/people', '/admin/connections', '/rooms/99'];

const pages = mkdtempSync(join(tmpdir(), 'tertulia-markup-'));
const page = await browser.newPage();
const keep = async path => {
  const answer = await page.goto(url + path);
  const html = (await answer.text()).replace(/ hx-[a-z0-9:-]+(="[^"]*"|='[^']*')?/g, '');
  writeFileSync(join(pages, `${path.replace(/\W+/g, '_')}.html`), html);
};
for (const path of OUTSIDE) await keep(path);
await signIn(page, 'ada');
for (const path of INSIDE) await keep(path);
await browser.close();
execFileSync('java', ['-jar', `${folder}/node_modules/vnu-jar/build/dist/vnu.jar`, pages], {stdio: 'inherit'});
console.log(`${OUTSIDE.length + INSIDE.length} pages without an error in their HTML`);
process.exit();
