// Servers for the scripts of this folder: the release binary, each with a directory of its own, until the script ends.
import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

const MANIFEST = fileURLToPath(new URL('../../Cargo.toml', import.meta.url));
const RUN = ['run', '--quiet', '--release', '--manifest-path', MANIFEST, '--'];

/** A directory that is gone when the script ends. */
export const directory = () => {
  const path = mkdtempSync(join(tmpdir(), 'tertulia-look-'));
  process.on('exit', () => rmSync(path, {recursive: true, force: true}));
  return path;
};

/** A port that nobody listens on. */
export const freePort = () => new Promise(found => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const {port} = server.address();
    server.close(() => found(port));
  });
});

/** Starts a server with these arguments (`demo` for a chat with people in it) and says where it listens. */
export const serve = async (...args) => {
  const port = await freePort();
  const server = spawn('cargo', [...RUN, ...args, '--log-level', 'warn', '--setup-code', 'off', '--listen', `127.0.0.1:${port}`, '--data', directory()]);
  process.on('exit', () => server.kill());
  server.stderr.pipe(process.stderr);
  await new Promise((ready, failed) => {
    server.stdout.once('data', ready);
    server.once('exit', code => failed(new Error(`the server ended with ${code}`)));
  });
  return `http://127.0.0.1:${port}`;
};
