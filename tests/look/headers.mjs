// Holds the headers, as they come through a balancer that ends TLS, against the rules of MDN's HTTP Observatory and of
// the CSP Evaluator. Fails below the best grade, and at any finding of the latter but those named here.
import {readFileSync} from 'node:fs';
import {createServer as plain, request} from 'node:http';
import {createServer as encrypted} from 'node:https';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {pathToFileURL} from 'node:url';
import {freePort, serve} from './server.mjs';

// Our own addresses answer no JSONP, and nobody uploads scripts.
const KNOWN = ["script-src 'self'"];

const folder = process.argv[2];
const observatory = dirname(createRequire(`${folder}/package.json`).resolve('@mdn/mdn-http-observatory/package.json'));
const load = path => import(pathToFileURL(path));
const {retrieve} = await load(join(observatory, 'src/retriever/retriever.js'));
const {ALL_TESTS} = await load(join(observatory, 'src/constants.js'));
const {getGradeForScore, getScoreModifier} = await load(join(observatory, 'src/grader/grader.js'));
const {CspEvaluator} = await load(join(folder, 'node_modules/csp_evaluator/dist/evaluator.js'));
const {CspParser} = await load(join(folder, 'node_modules/csp_evaluator/dist/parser.js'));

const {CERTIFICATE: cert, KEY: key} = process.env;
const [httpPort, httpsPort] = [await freePort(), await freePort()];
const home = `https://localhost:${httpsPort}`;
const target = await serve('--public-url', home);
const balancer = encrypted({cert: readFileSync(cert), key: readFileSync(key)}, (asked, answer) => {
  const passed = request(target + asked.url, {method: asked.method, headers: asked.headers}, answered => {
    answer.writeHead(answered.statusCode, answered.rawHeaders);
    answered.pipe(answer);
  });
  asked.pipe(passed);
}).listen(httpsPort, 'localhost');
const door = plain((asked, answer) => answer.writeHead(301, {location: home + asked.url}).end()).listen(httpPort, 'localhost');

const seen = await retrieve('localhost', {httpPort, httpsPort, path: '/signup'});
let score = 100, good = true;
for (const test of ALL_TESTS) {
  const {constructor, pass, result} = test(seen);
  score += result ? getScoreModifier(result) : 0;
  if (!pass) console.log(`  ${constructor.name}: ${result}`), good = false;
}
const {grade} = getGradeForScore(score);
console.log(`headers · observatory ${grade}, ${score} points`);
const policy = new CspParser(seen.responses.auto.headers['content-security-policy']).csp;
const findings = new CspEvaluator(policy).evaluate().filter(({directive, value}) => !KNOWN.includes(`${directive} ${value}`));
for (const {directive, value, description} of findings) console.log(`  ${directive} ${value ?? ''}: ${description}`);
console.log(`policy · ${findings.length} findings`);
balancer.close();
door.close();
process.exit(good && grade === 'A+' && !findings.length ? 0 : 1);
